// SPDX-License-Identifier: MIT
#include "common/mailauth/spf/record.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/mailauth/spf/macro.hpp"

namespace gk::mailauth::spf {
namespace {

constexpr std::string_view kVersion = "v=spf1";

Error wrong(std::string_view term, std::string_view what) {
    return Error{Errc::BadInput, fmt::format("'{}': {}", text::printable(term, 100), what), 0};
}

std::optional<Mechanism> mechanism_named(std::string_view name) {
    static constexpr std::pair<std::string_view, Mechanism> kNames[] = {
        {"all", Mechanism::All}, {"include", Mechanism::Include}, {"a", Mechanism::A},
        {"mx", Mechanism::Mx},   {"ptr", Mechanism::Ptr},         {"ip4", Mechanism::Ip4},
        {"ip6", Mechanism::Ip6}, {"exists", Mechanism::Exists}};
    for (const auto& [known, mechanism] : kNames)
        if (text::equals_nocase(name, known)) return mechanism;
    return std::nullopt;
}

// "0", or digits that do not begin with 0 (12: ip4-cidr-length, ip6-cidr-length).
std::optional<unsigned> prefix_length(std::string_view digits, unsigned most) {
    if (digits.empty() || digits.size() > 3 || (digits.size() > 1 && digits[0] == '0')) return std::nullopt;
    const auto value = text::to_uint(digits);
    if (!value || *value > most) return std::nullopt;
    return static_cast<unsigned>(*value);
}

bool all_digits(std::string_view s) {
    return !s.empty() && s.find_first_not_of("0123456789") == std::string_view::npos;
}

// Takes dual-cidr-length off the end of REST. A slash may stand in a macro-string too, so only "/digits" and
// "//digits" at the very end are one.
Status take_prefixes(std::string_view& rest, Directive& directive) {
    auto slash = rest.rfind('/');
    if (slash != std::string_view::npos && slash > 0 && rest[slash - 1] == '/' && all_digits(rest.substr(slash + 1))) {
        const auto prefix = prefix_length(rest.substr(slash + 1), 128);
        if (!prefix) return fail(wrong(directive.text, "not a prefix length for IPv6"));
        directive.prefix6 = *prefix;
        rest = rest.substr(0, slash - 1);
        slash = rest.rfind('/');
    }
    if (slash != std::string_view::npos && all_digits(rest.substr(slash + 1))) {
        const auto prefix = prefix_length(rest.substr(slash + 1), 32);
        if (!prefix) return fail(wrong(directive.text, "not a prefix length for IPv4"));
        directive.prefix4 = *prefix;
        rest = rest.substr(0, slash);
    }
    return ok();
}

Status parse_network(std::string_view rest, Directive& directive) {
    const bool v6 = directive.mechanism == Mechanism::Ip6;
    const auto slash = rest.find('/');
    const auto ip = Ip::parse(rest.substr(0, slash));
    if (!ip || ip->v6 != v6) return fail(wrong(directive.text, v6 ? "not an IPv6 address" : "not an IPv4 address"));
    directive.network = *ip;
    if (slash == std::string_view::npos) return ok();
    const auto prefix = prefix_length(rest.substr(slash + 1), v6 ? 128 : 32);
    if (!prefix) return fail(wrong(directive.text, "not a prefix length"));
    (v6 ? directive.prefix6 : directive.prefix4) = *prefix;
    return ok();
}

// REST begins with the ':' or '/' behind the mechanism's name, or is empty.
Status parse_arguments(std::string_view rest, Directive& directive) {
    const bool colon = rest.starts_with(':');
    if (directive.mechanism == Mechanism::All) {
        if (!rest.empty()) return fail(wrong(directive.text, "all takes no argument"));
        return ok();
    }
    if (directive.mechanism == Mechanism::Ip4 || directive.mechanism == Mechanism::Ip6) {
        if (!colon) return fail(wrong(directive.text, "an address is missing"));
        return parse_network(rest.substr(1), directive);
    }
    const bool has_prefix = directive.mechanism == Mechanism::A || directive.mechanism == Mechanism::Mx;
    const bool needs_domain = directive.mechanism == Mechanism::Include || directive.mechanism == Mechanism::Exists;
    if (has_prefix) GK_CHECK(take_prefixes(rest, directive));
    if (rest.empty()) {
        if (needs_domain) return fail(wrong(directive.text, "a domain is missing"));
        return ok();
    }
    if (!colon || !rest.starts_with(':')) return fail(wrong(directive.text, "not a prefix length"));
    rest.remove_prefix(1);
    if (const auto status = check_domain_spec(rest); !status) return fail(wrong(directive.text, status.error().text));
    directive.domain = rest;
    return ok();
}

bool is_name(std::string_view name) {
    return !name.empty() && text::is_alpha(name[0]) && std::all_of(name.begin(), name.end(), [](char c) {
        return text::is_alpha(c) || text::is_digit(c) || c == '-' || c == '_' || c == '.';
    });
}

Status parse_modifier(std::string_view term, std::size_t equals, Record& record) {
    const auto name = term.substr(0, equals), value = term.substr(equals + 1);
    const bool redirect = text::equals_nocase(name, "redirect");
    if (!redirect && !text::equals_nocase(name, "exp")) {
        // 6: unknown ones are passed over, if they are well-formed.
        if (const auto status = check_macro_string(value, Where::DomainSpec); !status)
            return fail(wrong(term, status.error().text));
        return ok();
    }
    auto& target = redirect ? record.redirect : record.exp;
    if (target) return fail(wrong(term, "stands there twice"));
    if (const auto status = check_domain_spec(value); !status) return fail(wrong(term, status.error().text));
    target = value;
    return ok();
}

Status parse_term(std::string_view term, Record& record) {
    // A modifier's name ends at '='; in a mechanism '=' can only come after ':' or '/'.
    const auto equals = term.find_first_of("=:/");
    if (equals != std::string_view::npos && term[equals] == '=' && is_name(term.substr(0, equals)))
        return parse_modifier(term, equals, record);
    Directive directive;
    directive.text = term;
    std::string_view rest = term;
    if (std::string_view("+-~?").find(rest[0]) != std::string_view::npos) {
        directive.qualifier = rest[0];
        rest.remove_prefix(1);
    }
    const auto end = std::min(rest.find_first_of(":/"), rest.size());
    const auto mechanism = mechanism_named(rest.substr(0, end));
    if (!mechanism) return fail(wrong(term, "unknown mechanism"));
    directive.mechanism = *mechanism;
    GK_CHECK(parse_arguments(rest.substr(end), directive));
    record.has_all |= directive.mechanism == Mechanism::All;
    record.directives.push_back(std::move(directive));
    return ok();
}

}  // namespace

bool is_record(std::string_view txt) noexcept {
    return text::starts_with_nocase(txt, kVersion) && (txt.size() == kVersion.size() || txt[kVersion.size()] == ' ');
}

Result<Record> parse_record(std::string_view txt) {
    for (const char c : txt)
        if (c < 0x20 || c > 0x7e) return fail(Errc::BadInput, "the record holds a byte that is not printable ASCII");
    Record record;
    for (const auto term : text::split(txt.substr(std::min(kVersion.size(), txt.size())), ' '))
        if (!term.empty()) GK_CHECK(parse_term(term, record));
    return record;
}

}  // namespace gk::mailauth::spf
