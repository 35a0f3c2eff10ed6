// SPDX-License-Identifier: MIT
#include "common/tlspolicy/demand.hpp"

#include <fmt/format.h>

namespace gk::tlspolicy {
namespace {

constexpr std::string_view kNames[] = {"plain", "opportunistic", "encrypt", "certificate", "dane"};

Problem problem(ResultType type, std::string text, std::string reason_code = {}) {
    return {type, "4.7.5", std::move(text), std::move(reason_code)};
}

void by_tlsa(const Facts& facts, HostDemand& demand) {
    demand.demand = Demand::Dane;
    demand.policy = PolicyType::Tlsa;
    demand.peer.server_name = facts.tlsa.base;
    demand.peer.tlsa = facts.tlsa.usable;
    // RFC 7672, 3.2.2: for DANE-TA(2) the certificate may name the MX host or the next-hop domain.
    demand.peer.names = {facts.host, facts.domain};
    demand.why = fmt::format("the TLSA records of {}", facts.tlsa.base);
}

// RFC 8461, 4.1 and 5.
void by_sts(const Facts& facts, HostDemand& demand) {
    const StsEntry& entry = *facts.sts.entry;
    const bool enforced = entry.policy.mode == StsMode::Enforce;
    demand.policy = PolicyType::Sts;
    demand.demand = enforced ? Demand::Certificate : Demand::Opportunistic;
    demand.is_tested = !enforced;
    demand.why = fmt::format("the MTA-STS policy of {} (mode {})", facts.domain, sts_mode_name(entry.policy.mode));
    if (is_mx_allowed(entry.policy, facts.host)) return;
    auto found = problem(ResultType::ValidationFailure,
                         fmt::format("{} is not among the hosts of the MTA-STS policy of {}", facts.host, facts.domain),
                         "mx-not-in-policy");
    (enforced ? demand.blocked : demand.noticed) = std::move(found);
}

// Why neither DANE nor MTA-STS protects the way, where one of them must.
Problem unprotected(const Facts& facts, bool dane_only) {
    std::string dane = facts.tlsa.why;
    if (!facts.mx_secure && !facts.is_configured)
        dane = fmt::format("the MX records of {} are not signed", facts.domain);
    if (facts.tlsa.state == HostTlsa::State::Unusable)
        dane = fmt::format("none of the TLSA records of {} is usable", facts.tlsa.base);
    if (dane.empty()) dane = fmt::format("no TLSA records of {}", facts.host);
    const auto type =
        facts.tlsa.state == HostTlsa::State::Unusable ? ResultType::TlsaInvalid : ResultType::DaneRequired;
    if (dane_only)
        return problem(type, fmt::format("DANE is required for {}: {}", facts.domain, dane), "dane-required");
    std::string sts = fmt::format("{} has no MTA-STS policy", facts.domain);
    if (facts.sts.entry) {
        sts = "the MTA-STS policy is in testing only";
    } else if (facts.sts.expired) {
        sts = fmt::format("the MTA-STS policy expired at {}", format_rfc3339(facts.sts.expired->expires));
        if (!facts.sts.text.empty()) sts += " and was not renewed: " + facts.sts.text;
    } else if (!facts.sts.text.empty()) {
        sts = "no MTA-STS policy: " + facts.sts.text;
    }
    const bool sts_failed = facts.sts.problem != ResultType::Success;
    auto found = problem(sts_failed          ? facts.sts.problem
                         : facts.sts.expired ? ResultType::StsPolicyFetchError
                                             : type,
                         fmt::format("DANE or MTA-STS is required for {}: {}; {}", facts.domain, dane, sts),
                         facts.sts.expired ? "sts-policy-expired" : "");
    // RFC 8689, 4.2.1: a domain without either will not get one while we wait; a policy that is away for now may
    // return.
    if (facts.level < Level::Secure && facts.wish == Wish::RequireTls) {
        found.text = "the sender demands REQUIRETLS. " + found.text;
        if (!sts_failed && !facts.sts.expired) found.status = "5.7.30";
    }
    return found;
}

void by_level(const Facts& facts, Level level, HostDemand& demand) {
    demand.why = fmt::format("the TLS level {}", level_name(level));
    switch (level) {
        case Level::Never: demand.demand = Demand::Plain; return;
        case Level::Unchecked:
        case Level::Opportunistic: demand.demand = Demand::Opportunistic; return;
        case Level::Encrypt: demand.demand = Demand::Encrypt; return;
        case Level::Verify: demand.demand = Demand::Certificate; return;
        case Level::Secure:
            // A name out of the configuration needs nobody's word.
            demand.demand = Demand::Certificate;
            if (!facts.is_configured) demand.blocked = unprotected(facts, false);
            return;
        case Level::Dane:
            demand.demand = Demand::Dane;
            demand.blocked = unprotected(facts, true);
            return;
    }
}

}  // namespace

std::string_view demand_name(Demand demand) noexcept { return kNames[static_cast<int>(demand)]; }

Level effective_level(Level level, Wish wish) noexcept {
    return wish == Wish::RequireTls ? std::max(level, Level::Secure) : level;
}

bool looks_at_published(Level level, Wish wish) noexcept {
    level = effective_level(level, wish);
    // RFC 8689, 4: the sender's word outweighs what the recipient's side published, but not what we are told here.
    return level >= Level::Secure || (level >= Level::Opportunistic && wish != Wish::TlsOptional);
}

HostDemand decide(const Facts& facts) {
    const Level level = effective_level(facts.level, facts.wish);
    HostDemand demand;
    demand.peer.server_name = facts.host;
    if (!looks_at_published(facts.level, facts.wish)) {
        by_level(facts, level, demand);
        if (facts.wish == Wish::TlsOptional) demand.why += ", and the message says TLS-Required: No";
        return demand;
    }
    if (facts.tlsa.state == HostTlsa::State::Failed) {
        // RFC 7672, 2.2.2: who can block the lookup must not gain by it.
        demand.policy = PolicyType::Tlsa;
        demand.blocked = problem(ResultType::DnssecInvalid, facts.tlsa.why, facts.tlsa.bogus ? "bogus" : "");
        demand.why = fmt::format("the TLSA records of {}", facts.tlsa.base);
        return demand;
    }
    if (facts.tlsa.state == HostTlsa::State::Usable) {
        by_tlsa(facts, demand);
        return demand;
    }
    // RFC 8461, 2: DANE comes first, and MTA-STS never weakens it; unusable records still want TLS.
    const bool has_sts = facts.sts.entry.has_value() && level != Level::Dane;
    if (has_sts && !(level >= Level::Secure && facts.sts.entry->policy.mode != StsMode::Enforce)) by_sts(facts, demand);
    else by_level(facts, level, demand);
    if (facts.tlsa.state == HostTlsa::State::Unusable && demand.demand < Demand::Encrypt) {
        demand.demand = Demand::Encrypt;
        demand.policy = PolicyType::Tlsa;
        demand.why = fmt::format("the TLSA records of {}, none of them usable", facts.tlsa.base);
    }
    // MTA-STS in testing does not lower what is configured here.
    if (demand.is_tested && !demand.blocked) {
        if (level == Level::Encrypt) demand.demand = Demand::Encrypt;
        if (level == Level::Verify) demand.demand = Demand::Certificate;
    }
    // RFC 8461, 3.1, and RFC 8460, 4.3.2.2: a policy that could not be had is no reason to wait, but one to report.
    if (!demand.noticed && !facts.sts.entry && facts.sts.problem != ResultType::Success && !demand.blocked)
        demand.noticed = problem(facts.sts.problem, facts.sts.text);
    return demand;
}

}  // namespace gk::tlspolicy
