// SPDX-License-Identifier: MIT
#include "common/mailauth/dmarc/observe.hpp"

#include <algorithm>

namespace gk::mailauth::dmarc {
namespace {

std::string said(const std::optional<Policy>& policy) { return policy ? std::string(policy_name(*policy)) : ""; }

}  // namespace

std::optional<reports::DmarcObservation> observe(const Facts& facts, const Evaluation& evaluation) {
    if (!evaluation.published) return std::nullopt;
    const Published& published = *evaluation.published;
    const Record& record = published.record;
    reports::DmarcObservation seen;
    if (facts.ip) seen.source_ip = facts.ip->without_mapping().text();
    seen.header_from = evaluation.author;
    seen.policy_domain = published.domain;
    // A record found above the author is that of the organization, or of a suffix, which is one for itself.
    seen.organizational_domain = published.source == Source::Author ? evaluation.organization : published.domain;
    seen.p = said(record.p);
    seen.sp = said(record.sp);
    seen.np = said(record.np);
    seen.adkim = record.adkim;
    seen.aspf = record.aspf;
    seen.fo = record.fo;
    if (record.testing) seen.t = *record.testing ? "y" : "n";
    seen.discovery_method = method_name(evaluation.method);
    seen.disposition = evaluation.verdict == Verdict::Pass ? "pass" : policy_name(evaluation.disposition);
    seen.dkim_aligned = evaluation.dkim_aligned;
    seen.spf_aligned = evaluation.spf_aligned;
    for (const auto& each : evaluation.overrides)
        seen.reasons.push_back({std::string(override_name(each.type)), each.comment});
    // Those that counted first: what does not fit into a report is left out from the end.
    std::vector<const Identifier*> order;
    for (const auto& each : evaluation.identifiers)
        if (each.kind == Identifier::Kind::Dkim) order.push_back(&each);
    std::stable_partition(order.begin(), order.end(), [](const Identifier* each) { return each->counts(); });
    for (const auto* each : order) {
        const DkimFact& fact = facts.dkim[each->index];
        seen.dkim.push_back({each->domain, fact.selector, std::string(dkim::verdict_name(fact.verdict))});
    }
    if (!facts.spf.domain.empty())
        seen.spf = {.domain = facts.spf.domain, .result = std::string(spf::verdict_name(facts.spf.verdict))};
    for (const auto& uri : record.rua) seen.rua.push_back(uri.text);
    return seen;
}

}  // namespace gk::mailauth::dmarc
