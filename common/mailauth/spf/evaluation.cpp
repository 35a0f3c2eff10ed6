// SPDX-License-Identifier: MIT
#include "common/mailauth/spf/evaluation.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/mailauth/domain.hpp"

namespace gk::mailauth::spf {
namespace {

Verdict verdict_of(char qualifier) {
    switch (qualifier) {
        case '-': return Verdict::Fail;
        case '~': return Verdict::SoftFail;
        case '?': return Verdict::Neutral;
        default: return Verdict::Pass;
    }
}

constexpr std::size_t kMaxExplanation = 450;  // fits one line of a reply (RFC 5321, 4.5.3.1.5)

}  // namespace

Evaluation::Evaluation(const Ip& ip, std::string_view local_part, std::string_view sender_domain, const Facts& facts,
                       DnsSource& dns, const Limits& limits)
    : ip_(ip),
      local_part_(local_part),
      sender_domain_(sender_domain),
      facts_(facts),
      dns_(dns),
      limits_(limits),
      deadline_(std::chrono::steady_clock::now() + limits.time),
      ascii_local_part_(text::is_ascii(local_part)),
      helo_(text::is_ascii(facts.helo) ? facts.helo : dns_domain(facts.helo)) {}

Verdict Evaluation::check_host(const std::string& domain) { return evaluate(domain, false); }

Verdict Evaluation::permanent(const std::string& domain, std::string_view what) {
    reason = fmt::format("{}: {}", text::printable(domain, 100), what);
    return Verdict::PermError;
}

Evaluation::Match Evaluation::temporary(const std::string& error) {
    reason = error;
    return Match::TempError;
}

bool Evaluation::out_of_time() { return std::chrono::steady_clock::now() > deadline_; }

Evaluation::Match Evaluation::count_void() {
    if (++void_lookups <= limits_.void_lookups) return Match::No;
    reason = fmt::format("more than {} DNS lookups found nothing", limits_.void_lookups);
    return Match::PermError;
}

MacroFacts Evaluation::macros(const std::string& domain) {
    MacroFacts facts;
    facts.local_part = local_part_;
    facts.sender_domain = sender_domain_;
    facts.domain = domain;
    facts.helo = helo_;
    facts.receiver = facts_.receiver;
    facts.ip = ip_;
    facts.now_s = facts_.now_s;
    facts.validated_name = [this, &domain] { return validated_name(domain); };
    return facts;
}

// RFC 7208, 4.4 to 4.7. The caller has counted the lookup of the record where it counts.
Verdict Evaluation::evaluate(const std::string& domain, bool included) {
    if (!fits_dns(domain)) {
        reason = fmt::format("'{}' is not a domain name", text::printable(domain, 100));
        return Verdict::None;
    }
    const auto txt = dns_.txt(domain);
    if (txt.outcome == Outcome::TempError) {
        reason = txt.error;
        return Verdict::TempError;
    }
    const std::string* text = nullptr;
    for (const auto& candidate : txt.records) {
        if (!is_record(candidate)) continue;
        if (text) return permanent(domain, "more than one SPF record");
        text = &candidate;
    }
    if (!text) {
        reason = fmt::format("{} has no SPF record", text::printable(domain, 100));
        return Verdict::None;
    }
    const auto record = parse_record(*text);
    if (!record) return permanent(domain, record.error().text);
    for (const auto& directive : record->directives) {
        switch (matches(domain, directive)) {
            case Match::No: continue;
            case Match::TempError: return Verdict::TempError;
            case Match::PermError: return Verdict::PermError;
            case Match::Yes: break;
        }
        if (!included) {
            exp_ = record->exp.value_or("");
            exp_domain_ = domain;
        }
        const std::string inner = directive.mechanism == Mechanism::Include ? fmt::format(" ({})", reason) : "";
        reason = fmt::format("{}: matched '{}'{}", text::printable(domain, 100), text::printable(directive.text, 100),
                             inner);
        return verdict_of(directive.qualifier);
    }
    if (record->redirect && !record->has_all) return follow_redirect(domain, *record, included);
    reason = fmt::format("{}: nothing matched", text::printable(domain, 100));
    return Verdict::Neutral;
}

// 6.1: the result is the other domain's, and so is the explanation; only having no record is an error here.
Verdict Evaluation::follow_redirect(const std::string& domain, const Record& record, bool included) {
    if (++lookups > limits_.lookups)
        return permanent(domain, fmt::format("more than {} terms ask DNS", limits_.lookups));
    if (out_of_time()) {
        reason = "the check took too long";
        return Verdict::TempError;
    }
    if (!ascii_local_part_ && uses_local_part(*record.redirect))
        return permanent(domain, "redirect= with a local part that is not ASCII");
    const std::string target = expand_domain(*record.redirect, macros(domain));
    const Verdict verdict = evaluate(target, included);
    if (verdict == Verdict::None) return permanent(domain, fmt::format("redirect: {}", std::string(reason)));
    return verdict;
}

Evaluation::Match Evaluation::matches(const std::string& domain, const Directive& directive) {
    switch (directive.mechanism) {
        case Mechanism::All: return Match::Yes;
        case Mechanism::Ip4: return ip_.in(directive.network, directive.prefix4) ? Match::Yes : Match::No;
        case Mechanism::Ip6: return ip_.in(directive.network, directive.prefix6) ? Match::Yes : Match::No;
        default: break;
    }
    if (++lookups > limits_.lookups) {
        permanent(domain, fmt::format("more than {} terms ask DNS", limits_.lookups));
        return Match::PermError;
    }
    if (out_of_time()) return temporary("the check took too long");
    if (!ascii_local_part_ && uses_local_part(directive.domain)) return Match::No;
    const std::string target = directive.domain.empty() ? domain : expand_domain(directive.domain, macros(domain));
    if (directive.mechanism == Mechanism::Include) return include(domain, target);
    // 4.8: a name that DNS cannot hold is one that does not exist.
    if (!fits_dns(target)) return Match::No;
    switch (directive.mechanism) {
        case Mechanism::A: return address(directive, target);
        case Mechanism::Mx: return mail_exchangers(domain, directive, target);
        case Mechanism::Exists: return exists(domain, directive, target);
        default: return reverse(target);
    }
}

// 5.2: what the other domain's result means here.
Evaluation::Match Evaluation::include(const std::string& domain, const std::string& target) {
    switch (evaluate(target, true)) {
        case Verdict::Pass: return Match::Yes;
        case Verdict::TempError: return Match::TempError;
        case Verdict::PermError: return Match::PermError;
        case Verdict::None: permanent(domain, fmt::format("include: {}", std::string(reason))); return Match::PermError;
        default: return Match::No;
    }
}

std::string Evaluation::explain() {
    if (exp_.empty()) return {};
    if (!ascii_local_part_ && uses_local_part(exp_)) return {};
    const auto facts = macros(exp_domain_);
    const std::string target = expand_domain(exp_, facts);
    if (!fits_dns(target) || out_of_time()) return {};
    const auto txt = dns_.txt(target);
    if (!txt.found() || txt.records.size() != 1) return {};
    const std::string& text = txt.records[0];
    if (!check_macro_string(text, Where::Explanation)) return {};
    std::string explanation = expand(text, facts);
    // 6.2: an explanation is US-ASCII; what macros brought in is not to break lines.
    for (const char c : explanation)
        if (c < 0x20 || c > 0x7e) return {};
    if (explanation.size() > kMaxExplanation) explanation.resize(kMaxExplanation);
    return explanation;
}

}  // namespace gk::mailauth::spf
