// SPDX-License-Identifier: MIT
#include "common/mailauth/spf/check.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/mailauth/domain.hpp"
#include "common/mailauth/spf/evaluation.hpp"

namespace gk::mailauth::spf {
namespace {

Checked check(Identity identity, std::string_view sender, const Facts& facts, DnsSource& dns, const Limits& limits) {
    Checked checked;
    checked.identity = identity;
    const auto at = sender.rfind('@');
    const auto domain = at == std::string_view::npos ? sender : sender.substr(at + 1);
    // 4.3: a sender without a local part is postmaster.
    std::string_view local_part = at == std::string_view::npos ? std::string_view() : sender.substr(0, at);
    if (local_part.empty()) local_part = "postmaster";
    checked.domain = dns_domain(domain);
    if (checked.domain.empty()) {
        checked.domain = text::printable(domain, 255);
        checked.reason = fmt::format("'{}' is not a domain name of two labels or more", text::printable(domain, 100));
        return checked;
    }
    Evaluation evaluation(facts.ip.without_mapping(), local_part, checked.domain, facts, dns, limits);
    checked.verdict = evaluation.check_host(checked.domain);
    if (checked.verdict == Verdict::Fail) checked.explanation = evaluation.explain();
    checked.reason = std::move(evaluation.reason);
    checked.lookups = evaluation.lookups;
    checked.void_lookups = evaluation.void_lookups;
    return checked;
}

}  // namespace

std::string_view verdict_name(Verdict verdict) noexcept {
    switch (verdict) {
        case Verdict::None: return "none";
        case Verdict::Neutral: return "neutral";
        case Verdict::Pass: return "pass";
        case Verdict::Fail: return "fail";
        case Verdict::SoftFail: return "softfail";
        case Verdict::TempError: return "temperror";
        case Verdict::PermError: return "permerror";
    }
    return "none";
}

std::string_view identity_name(Identity identity) noexcept { return identity == Identity::Helo ? "helo" : "mailfrom"; }

Checked check_helo(const Facts& facts, DnsSource& dns, const Limits& limits) {
    return check(Identity::Helo, facts.helo, facts, dns, limits);
}

Checked check_mail_from(const Facts& facts, DnsSource& dns, const Limits& limits) {
    if (facts.mail_from.empty()) return check_helo(facts, dns, limits);
    return check(Identity::MailFrom, facts.mail_from, facts, dns, limits);
}

}  // namespace gk::mailauth::spf
