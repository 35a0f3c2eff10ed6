// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <tuple>

#include "common/base/text.hpp"
#include "common/dnscheck/context.hpp"
#include "common/mailauth/dmarc/discovery.hpp"
#include "common/mailauth/dmarc/record.hpp"

namespace gk::dnscheck {
namespace {

using dns::Type;
namespace dmarc = mailauth::dmarc;

constexpr std::size_t kMaxQueries = 40;  // of one walk

std::string fresh_policy(const Context& c) { return "v=DMARC1; p=quarantine; rua=" + report_uri(c); }

std::string uris(const std::vector<dmarc::ReportUri>& list) {
    std::vector<std::string> out;
    for (const auto& each : list)
        if (each.is_mail()) out.push_back(each.uri);
    return text::join(out, ",");
}

// What is right in RECORD, as RFC 9989 wants it written.
std::string mended(const Context& c, const dmarc::Record& record) {
    std::string out = fmt::format("v=DMARC1; p={}", dmarc::policy_name(record.p.value_or(dmarc::Policy::Quarantine)));
    const auto policy = [&](std::string_view tag, const std::optional<dmarc::Policy>& value) {
        if (value) out += fmt::format("; {}={}", tag, dmarc::policy_name(*value));
    };
    policy("sp", record.sp);
    policy("np", record.np);
    if (record.strict_dkim) out += "; adkim=s";
    if (record.strict_spf) out += "; aspf=s";
    if (record.testing) out += *record.testing ? "; t=y" : "; t=n";
    const std::string rua = uris(record.rua), ruf = uris(record.ruf);
    out += "; rua=" + (rua.empty() ? report_uri(c) : rua);
    if (!ruf.empty()) out += "; ruf=" + ruf;
    const auto& fo = record.failures;
    if (fo.any || fo.dkim || fo.spf) {
        std::vector<std::string> options;
        if (fo.all) options.emplace_back("0");
        if (fo.any) options.emplace_back("1");
        if (fo.dkim) options.emplace_back("d");
        if (fo.spf) options.emplace_back("s");
        out += "; fo=" + text::join(options, ":");
    }
    return out;
}

// Neither way to pass is open: said once more where a policy makes it hurt.
void check_alignment(const Context& c, const dmarc::Record& record, const std::string& name) {
    if (record.for_domain() == dmarc::Policy::None) return;
    if (!c.ours.keys) return;
    const auto keys = c.ours.keys(c.subject);
    if (!keys) return;
    bool spf = true;
    std::size_t active = 0, broken = 0;
    std::vector<Change> changes;
    for (const auto& key : *keys) active += key.state == mailauth::dkim::KeyState::Active;
    for (const auto& each : c.report.findings) {
        if (each.domain != c.subject || each.kind->severity != Severity::Error) continue;
        const bool is_spf = each.kind->id.starts_with("spf-") && each.kind->id != "spf-plus-all";
        const bool is_dkim = each.kind->id.starts_with("dkim-");
        if (is_spf) spf = false;
        broken += is_dkim;
        if (is_spf || is_dkim) changes.insert(changes.end(), each.changes.begin(), each.changes.end());
    }
    if (spf || broken < active) return;
    c.found("dmarc-unaligned", name, fmt::format("p={}, and neither SPF nor DKIM holds", dmarc::policy_name(*record.p)),
            "SPF and DKIM that pass; what is wrong with them is said above", std::move(changes));
}

// RFC 9990, 4: DOMAIN._report._dmarc.OTHER says that it wants them.
void check_consent(const Context& c, const dmarc::Record& record) {
    dmarc::Records records(c.dns, kMaxQueries);
    const auto organization = [&](const std::string& domain) {
        return dmarc::walk(domain, records, nullptr).organization;
    };
    const std::string own = organization(c.subject);
    for (const auto& uri : record.rua) {
        if (!uri.is_mail() || uri.domain.empty() || uri.domain == c.subject) continue;
        if (organization(uri.domain) == own) continue;
        const std::string name = fmt::format("{}._report._dmarc.{}", c.subject, uri.domain);
        const Answer* answer = c.ask(name, Type::Txt);
        if (answer == nullptr || std::any_of(answer->data.begin(), answer->data.end(), dmarc::is_record)) continue;
        c.found("dmarc-report-consent", name, fmt::format("no record; reports go to {}", shown(uri.uri)), "v=DMARC1",
                {add(name, Type::Txt, "v=DMARC1")});
    }
}

void check_record(const Context& c, const std::string& name, const std::string& text) {
    const auto record = dmarc::parse_record(text);
    std::vector<std::string> tags, addresses;
    for (const auto& problem : record.problems)
        (problem.starts_with("rua") || problem.starts_with("the value of rua") ? addresses : tags).push_back(problem);
    tags.insert(tags.end(), record.remarks.begin(), record.remarks.end());
    std::vector<std::pair<std::string_view, std::string>> issues;
    if (!record.policy_is_usable) issues.emplace_back("dmarc-syntax", fmt::format("{}: {}", shown(text), listed(tags)));
    else if (!tags.empty()) issues.emplace_back("dmarc-tags", listed(tags));
    if (!addresses.empty()) issues.emplace_back("dmarc-report-address", listed(addresses));
    else if (record.rua.empty()) issues.emplace_back("dmarc-no-reports", shown(text));
    dmarc::Record wanted = record;
    if (record.policy_is_usable && record.for_subdomain() < record.for_domain()) {
        issues.emplace_back("dmarc-subdomains", fmt::format("sp={}", dmarc::policy_name(record.for_subdomain())));
        wanted.sp.reset();
    }
    const std::string mend = mended(c, wanted);
    for (const auto& [id, is] : issues) c.found(id, name, is, mend, replace(name, Type::Txt, {text}, mend));
    if (record.policy_is_usable && (record.for_domain() == dmarc::Policy::None || record.testing.value_or(false)))
        c.found("dmarc-none", name, shown(text),
                "p=quarantine or p=reject, once reports show nothing of yours failing");
    check_alignment(c, dmarc::parse_record(mend), name);
    check_consent(c, dmarc::parse_record(mend));
}

}  // namespace

void check_dmarc(const Context& c) {
    const std::string name = "_dmarc." + c.subject;
    const Answer* answer = c.ask(name, Type::Txt);
    if (answer == nullptr) return;
    std::vector<std::string> records, near;
    for (const auto& txt : answer->data) {
        if (dmarc::is_record(txt)) records.push_back(txt);
        else if (text::find_nocase(txt, "dmarc") != std::string_view::npos) near.push_back(txt);
    }
    if (records.empty()) {
        const std::string wanted = fresh_policy(c);
        auto changes = replace(name, Type::Txt, near, wanted);
        if (!near.empty()) c.found("dmarc-syntax", name, listed(near), wanted, std::move(changes));
        else {
            // The organization's record counts for names below it.
            dmarc::Records all(c.dns, kMaxQueries);
            std::optional<dmarc::Walk> walked;
            if (dmarc::discover(c.subject, all, nullptr, walked).found != nullptr) return;
            c.found("dmarc-missing", name, "no DMARC record", wanted, std::move(changes));
        }
        return check_record(c, name, wanted);
    }
    // Of several the strictest that is sound.
    const auto better = [](const std::string& x, const std::string& y) {
        const auto a = dmarc::parse_record(x), b = dmarc::parse_record(y);
        return std::tuple(!a.problems.empty(), b.for_domain()) < std::tuple(!b.problems.empty(), a.for_domain());
    };
    const std::string kept = *std::min_element(records.begin(), records.end(), better);
    if (records.size() > 1)
        c.found("dmarc-multiple", name, fmt::format("{} DMARC records: {}", records.size(), listed(records)), kept,
                replace(name, Type::Txt, records, kept));
    check_record(c, name, kept);
}

}  // namespace gk::dnscheck
