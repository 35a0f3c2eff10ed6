// SPDX-License-Identifier: MIT
#include "common/mailauth/dmarc/evaluate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "common/base/text.hpp"
#include "common/mailauth/dmarc/alignment.hpp"
#include "common/mailauth/dmarc/disposition.hpp"
#include "common/mailauth/domain.hpp"

namespace gk::mailauth::dmarc {
namespace {

constexpr std::size_t kMaxIdentifiers = 30;

std::vector<Identifier> identifiers_of(const Facts& facts) {
    std::vector<Identifier> out;
    Identifier spf;
    spf.kind = Identifier::Kind::Spf;
    spf.domain = author_domain(facts.spf.domain);
    spf.passed = facts.spf.verdict == spf::Verdict::Pass;
    spf.temporary = facts.spf.verdict == spf::Verdict::TempError;
    if (facts.spf.verdict != spf::Verdict::None || !spf.domain.empty()) out.push_back(std::move(spf));
    for (std::size_t i = 0; i < facts.dkim.size() && out.size() < kMaxIdentifiers; ++i) {
        Identifier dkim;
        dkim.index = i;
        dkim.domain = author_domain(facts.dkim[i].domain);
        dkim.passed = facts.dkim[i].verdict == dkim::Verdict::Pass;
        dkim.temporary = facts.dkim[i].verdict == dkim::Verdict::TempError;
        out.push_back(std::move(dkim));
    }
    return out;
}

std::string_view kind_name(const Identifier& identifier) {
    return identifier.kind == Identifier::Kind::Spf ? "SPF" : "DKIM";
}

// Which tag counts for the author, and whether the author exists where that makes a difference (4.10.1).
void choose_policy(Published& published, const std::string& author, DnsSource& dns) {
    const Record& record = published.record;
    published.tag = "p";
    published.policy = record.for_domain();
    if (published.source == Source::Author || published.domain == author) return;
    const auto use = [&](bool exists) {
        published.policy = exists ? record.for_subdomain() : record.for_nonexistent();
        if (!record.policy_is_usable) return;
        if (!exists && record.np) published.tag = "np";
        else if (record.sp) published.tag = "sp";
    };
    if (record.policy_is_usable && record.np && record.for_nonexistent() != record.for_subdomain()) {
        // RFC 9989, 3.2.13: a name that DNS says does not exist; one record of any type is existence. No answer: it
        // may.
        const auto lookup = dns.a(author);
        published.author_exists = !lookup.no_domain;
    }
    use(published.author_exists.value_or(true));
}

class OneAuthor {
public:
    OneAuthor(const Facts& facts, Records& records, DnsSource& dns, const Options& options)
        : facts_(facts), records_(records), dns_(dns), options_(options) {}

    Evaluation evaluate(const std::string& author);

private:
    void find_identifiers(Aligner& aligner);
    void conclude();

    const Facts& facts_;
    Records& records_;
    DnsSource& dns_;
    const Options& options_;
    Evaluation evaluation_;
};

Evaluation OneAuthor::evaluate(const std::string& author) {
    evaluation_.author = author;
    records_.allow(options_.queries);
    evaluation_.identifiers = identifiers_of(facts_);
    std::optional<Walk> walked;
    const Discovery discovery = discover(author, records_, options_.suffixes, walked);
    if (walked) {
        evaluation_.organization = walked->organization;
        evaluation_.method = walked->method;
    }
    if (!discovery.error.empty()) {
        evaluation_.verdict = Verdict::TempError;
        evaluation_.reason = fmt::format("{}: the policy cannot be found for now: {}", author, discovery.error);
        return std::move(evaluation_);
    }
    if (!discovery.found) {
        evaluation_.reason = fmt::format("{} has no DMARC policy", author);
        return std::move(evaluation_);
    }
    const Record& record = *discovery.found->record;
    if (!record.applies()) {
        evaluation_.reason = fmt::format("the DMARC record of {} is not usable", discovery.found->name);
        return std::move(evaluation_);
    }
    Published& published = evaluation_.published.emplace();
    published.domain = discovery.found->name;
    published.source = discovery.source;
    published.record = record;
    choose_policy(published, author, dns_);

    Aligner aligner(author, record, records_, options_.suffixes);
    if (walked) aligner.set_walk(std::move(*walked));
    find_identifiers(aligner);
    conclude();
    return std::move(evaluation_);
}

void OneAuthor::find_identifiers(Aligner& aligner) {
    for (auto& identifier : evaluation_.identifiers) {
        aligner.align(identifier);
        if (!identifier.counts()) continue;
        (identifier.kind == Identifier::Kind::Spf ? evaluation_.spf_aligned : evaluation_.dkim_aligned) = true;
    }
    const auto& walk = aligner.author_walk();
    if (!walk) return;
    evaluation_.organization = walk->organization;
    evaluation_.method = walk->method;
    for (const auto& identifier : evaluation_.identifiers)
        if (identifier.counts() && identifier.method == Method::Psl) evaluation_.method = Method::Psl;
}

void OneAuthor::conclude() {
    const auto& identifiers = evaluation_.identifiers;
    const auto counts = std::find_if(identifiers.begin(), identifiers.end(), [](const auto& i) { return i.counts(); });
    if (counts != identifiers.end()) {
        evaluation_.verdict = Verdict::Pass;
        evaluation_.reason = fmt::format("{} of {} passes and is aligned ({}) with {}", kind_name(*counts),
                                         counts->domain, alignment_name(counts->alignment), evaluation_.author);
        return;
    }
    const auto open = std::find_if(identifiers.begin(), identifiers.end(), [](const Identifier& i) {
        return (i.passed && i.alignment == Alignment::Unknown) || (i.temporary && i.alignment != Alignment::None);
    });
    if (open != identifiers.end()) {
        evaluation_.verdict = Verdict::TempError;
        evaluation_.reason = fmt::format("{} of {} cannot be checked against {} for now", kind_name(*open),
                                         open->domain, evaluation_.author);
        Evaluation failed = evaluation_;
        decide(facts_, options_, failed);
        evaluation_.at_stake = failed.disposition;
        return;
    }
    evaluation_.verdict = Verdict::Fail;
    const auto other = std::find_if(identifiers.begin(), identifiers.end(), [](const auto& i) { return i.passed; });
    evaluation_.reason = other == identifiers.end()
                             ? fmt::format("neither SPF nor DKIM passes for {}", evaluation_.author)
                             : fmt::format("{} of {} passes, but is not aligned with {}", kind_name(*other),
                                           other->domain, evaluation_.author);
    decide(facts_, options_, evaluation_);
}

int severity(const Evaluation& evaluation) {
    switch (evaluation.verdict) {
        case Verdict::Pass: return 0;
        case Verdict::None: return 1;
        case Verdict::PermError: return 2;
        case Verdict::TempError: return 3;
        case Verdict::Fail: return 4 + static_cast<int>(evaluation.disposition);
    }
    return 0;
}

// The strictest of several comes last.
auto strictness(const Evaluation& evaluation) {
    return std::tuple(std::max(evaluation.disposition, evaluation.at_stake), evaluation.disposition,
                      severity(evaluation));
}

}  // namespace

std::string_view verdict_name(Verdict verdict) noexcept {
    switch (verdict) {
        case Verdict::None: return "none";
        case Verdict::Pass: return "pass";
        case Verdict::Fail: return "fail";
        case Verdict::TempError: return "temperror";
        case Verdict::PermError: return "permerror";
    }
    return "none";
}

std::string_view alignment_name(Alignment alignment) noexcept {
    switch (alignment) {
        case Alignment::None: return "none";
        case Alignment::Relaxed: return "relaxed";
        case Alignment::Strict: return "strict";
        case Alignment::Unknown: return "unknown";
    }
    return "unknown";
}

SpfFact spf_fact(const spf::Checked& mail_from) { return {mail_from.verdict, mail_from.domain}; }

std::vector<DkimFact> dkim_facts(const std::vector<dkim::Verified>& all) {
    std::vector<DkimFact> facts;
    for (const auto& each : all) facts.push_back({each.verdict, each.domain, each.selector});
    return facts;
}

Evaluation evaluate(const Facts& facts, DnsSource& dns, const Options& options) {
    const Authors& authors = facts.authors;
    Records records(dns, 0);
    std::vector<Evaluation> all;
    const auto unsure = [&](Policy policy, std::string reason) {
        Evaluation& evaluation = all.emplace_back();
        evaluation.verdict = Verdict::PermError;
        if (!authors.domains.empty()) evaluation.author = authors.domains.front();
        evaluation.reason = std::move(reason);
        decide_without_policy(facts, options, policy, evaluation);
    };
    if (!authors.malformed.empty()) unsure(Policy::Quarantine, authors.malformed.front());
    if (!authors.whole) unsure(Policy::Reject, "the header is too large to be read whole");
    if (authors.domains.size() > options.authors)
        unsure(Policy::Reject,
               fmt::format("From names {} domains, more than {}", authors.domains.size(), options.authors));
    for (std::size_t i = 0; i < std::min(authors.domains.size(), options.authors); ++i)
        all.push_back(OneAuthor(facts, records, dns, options).evaluate(authors.domains[i]));
    for (auto& each : all)
        if (authors.domains.size() > 1 && each.verdict == Verdict::TempError) each.at_stake = options.most_severe;
    if (all.empty()) {
        Evaluation& nobody = all.emplace_back();
        nobody.reason = authors.fields == 0 ? "there is no From field" : "From names no domain";
    }
    auto strictest = std::max_element(
        all.begin(), all.end(), [](const Evaluation& x, const Evaluation& y) { return strictness(x) < strictness(y); });
    if (authors.domains.size() > 1 && strictest->verdict != Verdict::PermError)
        strictest->reason +=
            fmt::format(" (From names {} domains: the strictest answer counts)", authors.domains.size());
    strictest->queries = records.queries();
    return std::move(*strictest);
}

}  // namespace gk::mailauth::dmarc
