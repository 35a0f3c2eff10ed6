// SPDX-License-Identifier: MIT
// links: mailauth
#include <cstdlib>

#include "common/mailauth/dmarc/consent.hpp"
#include "common/mailauth/dmarc/evaluate.hpp"
#include "common/mailauth/dmarc/survey.hpp"

// Lines: a domain, then for each name of its walk in order the record that stands there.
namespace {

using namespace gk::mailauth;

class RecordsInOrder : public DnsSource {
public:
    std::vector<std::string> texts;
    std::size_t asked = 0;
    Lookup<std::string> txt(std::string_view) override {
        const std::size_t now = asked++;
        if (texts.empty()) return {};
        const std::string& text = texts[now % texts.size()];
        if (text.empty()) return {};
        if (text == "TEMPFAIL") return {Outcome::TempError, {}, "no answer"};
        return {Outcome::Found, {text}, {}};
    }
    Lookup<std::string> a(std::string_view name) override {
        Lookup<std::string> lookup;
        lookup.no_domain = name.size() % 2 == 0;
        return lookup;
    }
    Lookup<std::string> aaaa(std::string_view) override { return {}; }
    Lookup<gk::dns::Mx> mx(std::string_view) override { return {}; }
    Lookup<std::string> ptr(std::string_view) override { return {}; }
};

void must(bool good) {
    if (!good) std::abort();
}

void must_be_printable(std::string_view text) {
    for (const char c : text) must(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    const auto take_line = [&rest] {
        const auto end = std::min(rest.find('\n'), rest.size());
        const auto line = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        return std::string(line);
    };
    RecordsInOrder dns;
    const std::string domain = take_line();
    while (!rest.empty() && dns.texts.size() < 20) dns.texts.push_back(take_line());
    for (const auto& text : dns.texts) {
        const auto record = dmarc::parse_record(text);
        must(record.rua.size() <= 20 && record.ruf.size() <= 20 && record.problems.size() <= 20);
        for (const auto& each : record.problems) must_be_printable(each);
        for (const auto& uri : record.rua) must_be_printable(uri.address);
        // A policy is never harsher than the harshest that is written there.
        if (!record.policy_is_usable) must(record.for_nonexistent() == dmarc::Policy::None);
    }
    static const auto suffixes = dmarc::SuffixList::parse("test\nco.test\n").value();
    dmarc::Facts facts;
    facts.authors.domains = {dmarc::author_domain(domain)};
    if (facts.authors.domains[0].empty()) facts.authors.domains = {"x.a.co.test"};
    facts.spf = {spf::Verdict::Pass, "mail." + facts.authors.domains[0]};
    facts.dkim = {{dkim::Verdict::Pass, "a.co.test", "s"}, {dkim::Verdict::TempError, domain, "s"}};
    dmarc::Options options;
    for (const auto* list : {static_cast<const dmarc::SuffixList*>(nullptr), &suffixes}) {
        options.suffixes = list;
        dns.asked = 0;
        const auto evaluation = evaluate(facts, dns, options);
        must(dns.asked <= options.queries && dns.asked == evaluation.queries);
        must(evaluation.disposition == dmarc::Policy::None || evaluation.verdict == dmarc::Verdict::Fail);
        must(evaluation.verdict != dmarc::Verdict::Pass || evaluation.spf_aligned || evaluation.dkim_aligned);
        must_be_printable(evaluation.reason);
        must(dmarc::survey(domain, dns, options).lines.size() <= 100);
    }
    return 0;
}
