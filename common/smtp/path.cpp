// SPDX-License-Identifier: MIT
#include "common/address/path.hpp"
#include "common/address/grammar.hpp"
#include "common/net/network.hpp"
#include "common/smtp/command.hpp"

#include "common/base/text.hpp"

namespace gk::smtp {
namespace {

using address::grammar::is_atext;

// Dot-string = Atom *("." Atom)  (RFC 5321, 4.1.2); takes it off REST.
std::optional<std::string> take_dot_string(std::string_view& rest) {
    std::size_t end = 0;
    bool atom = false;
    while (end < rest.size()) {
        if (rest[end] == '.') {
            if (!atom) return std::nullopt;
            atom = false;
        } else if (is_atext(rest[end])) {
            atom = true;
        } else {
            break;
        }
        ++end;
    }
    if (!atom) return std::nullopt;
    std::string local(rest.substr(0, end));
    rest.remove_prefix(end);
    return local;
}

// Quoted-string = DQUOTE *QcontentSMTP DQUOTE; what the quotes mean.
std::optional<std::string> take_quoted_string(std::string_view& rest) {
    std::string local;
    std::size_t at = 1;
    for (; at < rest.size() && rest[at] != '"'; ++at) {
        if (rest[at] == '\\' && ++at == rest.size()) return std::nullopt;
        const auto c = static_cast<unsigned char>(rest[at]);
        if (c < 0x20 || c == 0x7f) return std::nullopt;
        local += rest[at];
    }
    if (at >= rest.size()) return std::nullopt;
    rest.remove_prefix(at + 1);
    return local;
}

// Where the domain at the start of REST ends.
std::size_t domain_end(std::string_view rest) {
    if (rest.starts_with('[')) {
        const auto close = rest.find(']');
        return close == std::string_view::npos ? rest.size() : close + 1;
    }
    return std::min(rest.find_first_of(">,: \t@"), rest.size());
}

// Mailbox = Local-part "@" ( Domain / address-literal ); takes it off REST.
std::optional<Path> take_mailbox(std::string_view& rest, bool bare_postmaster) {
    Path path;
    auto local = rest.starts_with('"') ? take_quoted_string(rest) : take_dot_string(rest);
    // A quoted-string may hold nothing (""@a.test), yet names nobody.
    if (!local || local->empty() || local->size() > address::max_local_part(*local)) return std::nullopt;
    path.local_part = std::move(*local);
    if (!rest.starts_with('@')) {
        if (bare_postmaster && path.is_postmaster()) return path;
        return std::nullopt;
    }
    rest.remove_prefix(1);
    const auto domain = rest.substr(0, domain_end(rest));
    if (!is_domain(domain) && !is_address_literal(domain)) return std::nullopt;
    path.domain = text::lower(domain);
    rest.remove_prefix(domain.size());
    return path;
}

// A-d-l = At-domain *( "," At-domain ), then ":" (RFC 5321, 4.1.2). False where it is malformed.
bool skip_source_route(std::string_view& rest) {
    while (rest.starts_with('@')) {
        rest.remove_prefix(1);
        const auto domain = rest.substr(0, domain_end(rest));
        if (!is_domain(domain) && !is_address_literal(domain)) return false;
        rest.remove_prefix(domain.size());
        if (rest.starts_with(',')) {
            rest.remove_prefix(1);
            if (!rest.starts_with('@')) return false;
            continue;
        }
        if (!rest.starts_with(':')) return false;
        rest.remove_prefix(1);
        return true;
    }
    return true;
}

}  // namespace

bool Path::is_postmaster() const noexcept { return text::equals_nocase(local_part, "postmaster"); }

bool Path::is_ascii() const noexcept { return text::is_ascii(local_part) && text::is_ascii(domain); }

std::string Path::to_string() const {
    if (is_null()) return {};
    std::string text = address::quote_local_part(local_part);
    if (!domain.empty()) text += '@' + domain;
    return text;
}

bool is_domain(std::string_view s) noexcept {
    if (s.empty() || s.size() > address::kMaxDomain) return false;
    std::size_t label = 0;
    bool after_hyphen = false;
    for (const char c : s) {
        if (c == '.') {
            if (label == 0 || after_hyphen) return false;
            label = 0;
            continue;
        }
        // "_" is no letter of RFC 5321, but names of real hosts have it.
        const bool letter = text::is_alpha(c) || text::is_digit(c) || c == '_' || static_cast<unsigned char>(c) >= 0x80;
        if (!letter && (c != '-' || label == 0)) return false;
        after_hyphen = c == '-';
        if (++label > 63) return false;
    }
    return label > 0 && !after_hyphen && (text::is_ascii(s) || text::is_utf8(s));
}

bool is_address_literal(std::string_view s) noexcept {
    if (s.size() < 3 || s.front() != '[' || s.back() != ']') return false;
    s = s.substr(1, s.size() - 2);
    constexpr std::string_view kV6 = "IPv6:";  // RFC 5321, 4.1.3; other tags are not registered
    if (text::starts_with_nocase(s, kV6)) {
        s.remove_prefix(kV6.size());
        return s.find(':') != std::string_view::npos && net::parse_ip(s).has_value();
    }
    return s.find(':') == std::string_view::npos && net::parse_ip(s).has_value();
}

std::optional<Path> parse_path(std::string_view angle_path) {
    if (angle_path.size() < 2 || angle_path.size() > address::kMaxPath) return std::nullopt;
    if (angle_path.front() != '<' || angle_path.back() != '>') return std::nullopt;
    std::string_view rest = angle_path.substr(1, angle_path.size() - 2);
    if (rest.empty()) return Path{};
    const bool routed = rest.starts_with('@');
    if (!skip_source_route(rest)) return std::nullopt;
    auto path = take_mailbox(rest, !routed);
    if (!path || !rest.empty()) return std::nullopt;
    path->had_route = routed;
    return path;
}

std::optional<Path> parse_mailbox(std::string_view mailbox) {
    auto path = take_mailbox(mailbox, false);
    if (!mailbox.empty()) return std::nullopt;
    return path;
}

bool is_xtext(std::string_view s) noexcept {
    for (std::size_t i = 0; i < s.size(); ++i) {
        const char c = s[i];
        if (c == '+') {
            const auto hex = [](char h) { return text::is_digit(h) || (h >= 'A' && h <= 'F'); };
            if (i + 2 >= s.size() || !hex(s[i + 1]) || !hex(s[i + 2])) return false;
            i += 2;
        } else if (c < '!' || c > '~' || c == '=') {
            return false;
        }
    }
    return true;
}

std::string format_notify(unsigned notify) {
    if ((notify & kNotifyNever) != 0) return "NEVER";
    std::string text;
    const auto add = [&](unsigned bit, std::string_view name) {
        if ((notify & bit) == 0) return;
        if (!text.empty()) text += ',';
        text += name;
    };
    add(kNotifySuccess, "SUCCESS");
    add(kNotifyFailure, "FAILURE");
    add(kNotifyDelay, "DELAY");
    return text;
}

}  // namespace gk::smtp
