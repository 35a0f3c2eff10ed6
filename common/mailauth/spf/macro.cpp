// SPDX-License-Identifier: MIT
#include "common/mailauth/spf/macro.hpp"

#include <fmt/format.h>

#include <vector>

#include "common/base/text.hpp"

namespace gk::mailauth::spf {
namespace {

constexpr std::string_view kDelimiters = ".-+,/_=";
constexpr std::size_t kMaxName = 253;

struct Macro {
    char letter = 0;       // lower case
    bool escape = false;   // written in upper case: URL-escaped (7.3)
    std::size_t keep = 0;  // right-hand parts kept; 0: all
    bool reverse = false;
    std::string_view delimiters = ".";
};

// Reads "%{...}" at the begin of TEXT and sets LENGTH to its size.
Result<Macro> parse_macro(std::string_view text, std::size_t& length) {
    const auto end = text.find('}');
    if (text.size() < 4 || end == std::string_view::npos) return fail(Errc::BadInput, "a macro does not end");
    length = end + 1;
    std::string_view body = text.substr(2, end - 2);
    Macro macro;
    if (body.empty() || !text::is_alpha(body[0])) return fail(Errc::BadInput, "a macro has no letter");
    macro.letter = text::to_lower(body[0]);
    macro.escape = body[0] != macro.letter;
    body.remove_prefix(1);
    std::size_t digits = 0;
    while (digits < body.size() && text::is_digit(body[digits])) ++digits;
    if (digits > 0) {
        const auto keep = digits <= 9 ? text::to_uint(body.substr(0, digits)) : 999'999'999;
        if (!keep || *keep == 0) return fail(Errc::BadInput, "a macro keeps 0 parts");
        macro.keep = static_cast<std::size_t>(*keep);
        body.remove_prefix(digits);
    }
    if (!body.empty() && text::to_lower(body[0]) == 'r') {
        macro.reverse = true;
        body.remove_prefix(1);
    }
    if (body.find_first_not_of(kDelimiters) != std::string_view::npos)
        return fail(Errc::BadInput, fmt::format("'{}' is not a delimiter of a macro", text::printable(body, 20)));
    if (!body.empty()) macro.delimiters = body;
    return macro;
}

// %{i}: an IPv6 address as dotted nibbles, in upper case as 7.4 shows them.
std::string dotted(const Ip& ip) {
    if (!ip.v6) return ip.text();
    std::string out;
    for (const auto octet : ip.octets)
        out += fmt::format("{}{:X}.{:X}", out.empty() ? "" : ".", octet >> 4, octet & 15);
    return out;
}

std::string value_of(char letter, const MacroFacts& facts) {
    switch (letter) {
        case 's': return std::string(facts.local_part) + '@' + std::string(facts.sender_domain);
        case 'l': return std::string(facts.local_part);
        case 'o': return std::string(facts.sender_domain);
        case 'd': return std::string(facts.domain);
        case 'i': return dotted(facts.ip);
        case 'p': return facts.validated_name ? facts.validated_name() : "unknown";
        case 'v': return facts.ip.v6 ? "ip6" : "in-addr";
        case 'h': return std::string(facts.helo);
        case 'c': return facts.ip.text();
        case 'r': return std::string(facts.receiver);
        default: return std::to_string(facts.now_s);
    }
}

std::string url_escaped(std::string_view s) {
    std::string out;
    for (const char c : s) {
        if (text::is_alpha(c) || text::is_digit(c) || std::string_view("-._~").find(c) != std::string_view::npos)
            out += c;
        else out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return out;
}

std::string transformed(std::string_view value, const Macro& macro) {
    std::vector<std::string> parts(1);
    for (const char c : value) {
        if (macro.delimiters.find(c) != std::string_view::npos) parts.emplace_back();
        else parts.back() += c;
    }
    if (macro.reverse) std::reverse(parts.begin(), parts.end());
    if (macro.keep > 0 && macro.keep < parts.size())
        parts.erase(parts.begin(), parts.end() - static_cast<std::ptrdiff_t>(macro.keep));
    const std::string joined = text::join(parts, ".");
    return macro.escape ? url_escaped(joined) : joined;
}

}  // namespace

Status check_macro_string(std::string_view text, Where where) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c != '%') {
            if (c == ' ' && where == Where::Explanation) continue;
            if (c < 0x21 || c > 0x7e) return fail(Errc::BadInput, "a byte that is not printable ASCII");
            continue;
        }
        const char next = i + 1 < text.size() ? text[i + 1] : '\0';
        if (next == '%' || next == '_' || next == '-') {
            ++i;
            continue;
        }
        if (next != '{') return fail(Errc::BadInput, "'%' that begins no macro");
        std::size_t length = 0;
        GK_TRY(const Macro macro, parse_macro(text.substr(i), length));
        const std::string_view letters = where == Where::Explanation ? "slodiphvcrt" : "slodiphv";
        if (letters.find(macro.letter) == std::string_view::npos)
            return fail(Errc::BadInput, fmt::format("macro letter '{}' is not defined here", macro.letter));
        i += length - 1;
    }
    return ok();
}

Status check_domain_spec(std::string_view text) {
    if (text.empty()) return fail(Errc::BadInput, "a domain is missing");
    GK_CHECK(check_macro_string(text, Where::DomainSpec));
    // "%%}" ends in a literal, "%{d}" in a macro: what '}' closes is found from the left.
    bool ends_in_macro = false;
    std::size_t literal = 0;  // begin of the text after the last macro
    for (std::size_t i = 0; i < text.size(); ++i) {
        ends_in_macro = false;
        if (text[i] != '%') continue;
        if (text[i + 1] == '{') {
            i = text.find('}', i);
            ends_in_macro = true;
        } else {
            ++i;
            // macro-expand covers these too.
            ends_in_macro = true;
        }
        literal = i + 1;
    }
    if (ends_in_macro) return ok();
    std::string_view tail = text.substr(literal);
    if (tail.ends_with('.')) tail.remove_suffix(1);
    const auto dot = tail.rfind('.');
    if (dot == std::string_view::npos) return fail(Errc::BadInput, "a domain has no top-level label");
    const auto label = tail.substr(dot + 1);
    bool letter_or_hyphen = false;
    for (const char c : label) {
        if (!text::is_alpha(c) && !text::is_digit(c) && c != '-')
            return fail(Errc::BadInput, fmt::format("'{}' is not a top-level label", text::printable(label, 63)));
        letter_or_hyphen |= !text::is_digit(c);
    }
    if (label.empty() || !letter_or_hyphen || label.front() == '-' || label.back() == '-')
        return fail(Errc::BadInput, fmt::format("'{}' is not a top-level label", text::printable(label, 63)));
    return ok();
}

bool has_macros(std::string_view text) noexcept { return text.find('%') != std::string_view::npos; }

bool uses_local_part(std::string_view text) noexcept {
    for (std::size_t i = 0; i + 2 < text.size(); ++i) {
        if (text[i] != '%') continue;
        const char letter = text[i + 1] == '{' ? text::to_lower(text[i + 2]) : '\0';
        if (letter == 's' || letter == 'l') return true;
        ++i;
    }
    return false;
}

std::string expand(std::string_view text, const MacroFacts& facts) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%' || i + 1 == text.size()) {
            out += text[i];
            continue;
        }
        const char next = text[i + 1];
        std::size_t length = 2;
        if (next == '%') {
            out += '%';
        } else if (next == '_') {
            out += ' ';
        } else if (next == '-') {
            out += "%20";
        } else if (const auto macro = parse_macro(text.substr(i), length)) {
            out += transformed(value_of(macro->letter, facts), *macro);
        }
        i += length - 1;
    }
    return out;
}

std::string expand_domain(std::string_view text, const MacroFacts& facts) {
    std::string name = expand(text, facts);
    if (name.ends_with('.')) name.pop_back();
    while (name.size() > kMaxName) {
        const auto dot = name.find('.');
        if (dot == std::string::npos) return {};
        name.erase(0, dot + 1);
    }
    return name;
}

}  // namespace gk::mailauth::spf
