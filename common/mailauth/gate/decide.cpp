// SPDX-License-Identifier: MIT
#include <fmt/format.h>

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
    if (dmarc.verdict == dmarc::Verdict::TempError && options.defer_temporary)
        return of(Action::Defer, "dmarc: " + dmarc.reason, fmt::format("{}; try again later", dmarc.reason));
    return of(Action::Accept, dmarc.reason);
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
    decision.mode = options.mode_of(findings.dmarc.author.empty() ? findings.mail_from.domain : findings.dmarc.author);
    if (decision.mode != Mode::Enforce && decision.action != Decision::Action::Accept) {
        decision.reason =
            fmt::format("{}: would be {}, {}", mode_name(decision.mode), action_name(decision.action), decision.reason);
        decision.action = Decision::Action::Accept;
        decision.reply.clear();
    }
    return decision;
}

}  // namespace gk::mailauth::gate
