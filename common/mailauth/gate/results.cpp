// SPDX-License-Identifier: MIT
#include "common/mailauth/gate/results.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/message/quarantine.hpp"

namespace gk::mailauth::gate {
namespace {

constexpr std::size_t kMostSignatures = 10;  // that are written down; the verifier looks at no more either

authres::MethodResult result(std::string method, std::string_view word) {
    authres::MethodResult out;
    out.method = std::move(method);
    out.result = word;
    return out;
}

// RFC 8601, 2.7.2. Both identities are one result each.
authres::MethodResult spf_result(const spf::Checked& checked, const Facts& facts) {
    auto out = result("spf", spf::verdict_name(checked.verdict));
    out.comment = checked.reason;
    if (checked.identity == spf::Identity::Helo) out.properties.push_back({"smtp", "helo", facts.helo});
    else out.properties.push_back({"smtp", "mailfrom", facts.mail_from});
    return out;
}

authres::MethodResult dkim_result(const dkim::Verified& verified) {
    auto out = result("dkim", dkim::verdict_name(verified.verdict));
    out.comment = verified.reason;
    if (verified.testing) out.comment += ", key in test mode";
    if (!verified.domain.empty()) out.properties.push_back({"header", "d", verified.domain});
    if (!verified.selector.empty()) out.properties.push_back({"header", "s", verified.selector});
    if (!verified.algorithm.empty()) out.properties.push_back({"header", "a", verified.algorithm});
    if (!verified.signature_start.empty()) out.properties.push_back({"header", "b", verified.signature_start});
    return out;
}

authres::MethodResult dmarc_result(const Findings& findings) {
    const auto& dmarc = findings.dmarc;
    auto out = result("dmarc", dmarc::verdict_name(dmarc.verdict));
    if (dmarc.published)
        out.comment = fmt::format("{}={}", dmarc.published->tag, dmarc::policy_name(dmarc.published->policy));
    if (dmarc.verdict != dmarc::Verdict::Pass) {
        if (!out.comment.empty()) out.comment += ", ";
        out.comment += dmarc.reason;
    }
    for (const auto& each : dmarc.overrides)
        out.comment +=
            fmt::format(", {}{}{}", dmarc::override_name(each.type), each.comment.empty() ? "" : ": ", each.comment);
    if (!dmarc.author.empty()) out.properties.push_back({"header", "from", dmarc.author});
    if (dmarc.verdict == dmarc::Verdict::Fail)
        out.properties.push_back({"policy", "dmarc", std::string(dmarc::policy_name(dmarc.disposition))});
    return out;
}

int score_of(std::string_view word) noexcept {
    if (word == "pass") return -1;
    if (word == "fail") return 2;
    return word == "softfail" || word == "policy" || word == "permerror" ? 1 : 0;
}

}  // namespace

authres::AuthenticationResults results_of(const std::string& authserv_id, const Facts& facts,
                                          const Findings& findings) {
    authres::AuthenticationResults out;
    out.id = authserv_id;
    const auto& client = findings.client;
    auto iprev = result("iprev", iprev_verdict_name(client.iprev.verdict));
    iprev.comment = client.iprev.verdict == IprevVerdict::Pass ? client.iprev.name : client.iprev.reason;
    iprev.properties.push_back({"policy", "iprev", facts.ip.without_mapping().text()});
    out.results.push_back(std::move(iprev));

    if (findings.mail_from.identity == spf::Identity::MailFrom) {
        if (client.helo.verdict != spf::Verdict::None) out.results.push_back(spf_result(client.helo, facts));
        out.results.push_back(spf_result(findings.mail_from, facts));
    } else {
        out.results.push_back(spf_result(findings.mail_from, facts));
    }
    if (findings.dkim.empty()) out.results.push_back(result("dkim", "none"));
    for (std::size_t i = 0; i < std::min(findings.dkim.size(), kMostSignatures); ++i)
        out.results.push_back(dkim_result(findings.dkim[i]));

    // RFC 8617, 10.1: written where there is a chain; its absence is "none", which nobody needs to read.
    if (findings.arc.status != arc::Status::None) {
        auto arc = result("arc", arc::status_name(findings.arc.status));
        arc.comment = findings.arc.reason;
        if (findings.arc.status == arc::Status::Pass)
            arc.properties.push_back({"header", "oldest-pass", std::to_string(findings.arc.oldest_pass)});
        arc.properties.push_back({"smtp", "remote-ip", facts.ip.without_mapping().text()});
        out.results.push_back(std::move(arc));
    }
    out.results.push_back(dmarc_result(findings));
    return out;
}

std::string quarantine_field(const Findings& findings) {
    const auto& dmarc = findings.dmarc;
    return fmt::format("{}: dmarc={} {}\r\n", message::kQuarantineField, dmarc::verdict_name(dmarc.verdict),
                       text::ascii_only(text::printable(dmarc.author, 255)));
}

std::vector<VerdictLine> verdict_lines(const Findings& findings) {
    std::vector<VerdictLine> lines;
    const auto add = [&](std::string check, std::string_view word, std::string domain, std::string reason) {
        lines.push_back({std::move(check), std::string(word), score_of(word), std::move(domain), std::move(reason)});
    };
    const auto& client = findings.client;
    add("iprev", iprev_verdict_name(client.iprev.verdict), client.iprev.name, client.iprev.reason);
    if (findings.mail_from.identity == spf::Identity::MailFrom)
        add("spf", spf::verdict_name(client.helo.verdict), client.helo.domain, "helo: " + client.helo.reason);
    add("spf", spf::verdict_name(findings.mail_from.verdict), findings.mail_from.domain,
        fmt::format("{}: {}", spf::identity_name(findings.mail_from.identity), findings.mail_from.reason));
    for (const auto& each : findings.dkim) add("dkim", dkim::verdict_name(each.verdict), each.domain, each.reason);
    if (findings.dkim.empty()) add("dkim", "none", {}, "no signature");
    add("arc", arc::status_name(findings.arc.status),
        findings.arc.links.empty() ? "" : findings.arc.links.back().domain,
        findings.arc.status == arc::Status::None ? "no chain" : findings.arc.reason);
    add("dmarc", dmarc::verdict_name(findings.dmarc.verdict), findings.dmarc.author, findings.dmarc.reason);
    return lines;
}

}  // namespace gk::mailauth::gate
