// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>

#include "common/base/text.hpp"
#include "common/mailauth/gate/check.hpp"
#include "common/mailauth/spf/record.hpp"

namespace gk::mailauth::gate {
namespace {

// "v=spf1 -all" and nothing else (RFC 7208, 10.1.2): such a domain sends no mail, and nothing that was forwarded began
// with it.
bool sends_no_mail(const std::string& domain, DnsSource& dns) {
    const auto lookup = dns.txt(domain);
    std::size_t found = 0;
    bool none = false;
    for (const auto& txt : lookup.records) {
        if (!spf::is_record(txt)) continue;
        ++found;
        const auto record = spf::parse_record(txt);
        none = record && record->directives.size() == 1 &&
               record->directives.front().mechanism == spf::Mechanism::All &&
               record->directives.front().qualifier == '-';
    }
    return found == 1 && none;
}

bool refused_by_spf(const Options& options, const spf::Checked& checked, DnsSource& dns) {
    if (checked.verdict != spf::Verdict::Fail || options.spf_refusal == Options::SpfRefusal::Never) return false;
    return options.spf_refusal == Options::SpfRefusal::Always || sends_no_mail(checked.domain, dns);
}

Decision of(Decision::Action action, std::string reason, std::string reply = {}) {
    Decision decision;
    decision.action = action;
    decision.reason = std::move(reason);
    decision.reply = text::ascii_only(reply);
    return decision;
}

Decision judge(const Options& options, const Findings& findings, DnsSource& dns) {
    using Action = Decision::Action;
    const auto& dmarc = findings.dmarc;
    // Nobody's mail has that; whoever pads a header so wants to be asked nothing.
    if (findings.header_too_large)
        return of(Action::Reject, "the header is too large",
                  fmt::format("the header is larger than {} octets", dkim::Limits{}.header_octets));
    if (dmarc.disposition == dmarc::Policy::Reject) {
        if (dmarc.verdict == dmarc::Verdict::PermError)
            return of(Action::Reject, "dmarc: " + dmarc.reason, "not accepted: " + dmarc.reason);
        const std::string& asks = dmarc.published ? dmarc.published->domain : dmarc.author;
        return of(Action::Reject, "dmarc: " + dmarc.reason,
                  fmt::format("{}, and the DMARC policy of {} asks to reject such mail", dmarc.reason, asks));
    }
    if (dmarc.disposition == dmarc::Policy::Quarantine) return of(Action::Quarantine, "dmarc: " + dmarc.reason);
    // A sender whom DMARC vouches for is not refused for the path it took; nor is one whose forwarder we trust.
    const bool vouched = dmarc.verdict == dmarc::Verdict::Pass || findings.trusted.has_value();
    if (!vouched && refused_by_spf(options, findings.mail_from, dns)) {
        const auto& spf = findings.mail_from;
        return of(Action::Reject, "spf: " + spf.reason,
                  fmt::format("SPF does not permit this client to send for {} ({})", spf.domain, spf.reason));
    }
    // Where a policy would have been applied to a Fail, a forger would make it one that DNS does not tell.
    const bool at_stake = dmarc.at_stake != dmarc::Policy::None;
    if (dmarc.verdict == dmarc::Verdict::TempError && (at_stake || options.defer_temporary))
        return of(Action::Defer, "dmarc: " + dmarc.reason, fmt::format("{}; try again later", dmarc.reason));
    return of(Action::Accept, dmarc.reason);
}

// Whether it is only for now that nobody whom we trust vouches for the message: its chain, or the client's name, cannot
// be checked.
bool may_be_vouched_for(const Options& options, const Findings& findings) {
    if (findings.header_too_large) return false;
    if (findings.client.iprev.verdict == IprevVerdict::TempError && !options.dmarc().forwarder_domains.empty() &&
        findings.dmarc.disposition != dmarc::Policy::None)
        return true;
    const auto& authors = findings.dmarc_facts.authors;
    return authors.fields == 1 && authors.domains.size() == 1 && findings.arc.temporary &&
           arc::newest_is_trusted(findings.arc, options.trusted_sealers);
}

// The strictest of all whom the message may be from: one lenient domain does not cover others beside it.
Mode mode_of(const Options& options, const Findings& findings) {
    const auto& authors = findings.dmarc_facts.authors;
    const bool is_sure = authors.whole && authors.malformed.empty() && authors.fields <= 1 &&
                         authors.domains.size() <= options.dmarc().authors;
    if (is_sure && authors.domains.empty()) return options.mode_of(findings.mail_from.domain);
    auto mode = is_sure ? Mode::Off : options.mode;
    for (const auto& domain : authors.domains) mode = std::min(mode, options.mode_of(domain));
    return mode;
}

}  // namespace

std::string_view action_name(Decision::Action action) noexcept {
    switch (action) {
        case Decision::Action::Accept: return "accept";
        case Decision::Action::Quarantine: return "quarantine";
        case Decision::Action::Reject: return "reject";
        case Decision::Action::Defer: return "defer";
    }
    return "accept";
}

Decision decide(const Options& options, const Findings& findings, DnsSource& dns) {
    auto decision = judge(options, findings, dns);
    using Action = Decision::Action;
    const bool refused = decision.action == Action::Reject || decision.action == Action::Quarantine;
    if (refused && may_be_vouched_for(options, findings))
        decision = of(Action::Defer, decision.reason + "; who forwarded it cannot be told for now",
                      "who forwarded this message cannot be told for now; try again later");
    decision.mode = mode_of(options, findings);
    if (decision.mode != Mode::Enforce && decision.action != Action::Accept) {
        decision.reason =
            fmt::format("{}: would be {}, {}", mode_name(decision.mode), action_name(decision.action), decision.reason);
        decision.action = Action::Accept;
        decision.reply.clear();
    }
    return decision;
}

}  // namespace gk::mailauth::gate
