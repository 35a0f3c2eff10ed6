// SPDX-License-Identifier: MIT
#include <algorithm>

#include "common/base/text.hpp"
#include "common/charset/charset.hpp"
#include "common/sieve/compiler.hpp"

// What is inside a string: ${hex: …} and ${unicode: …} (RFC 5228, 2.4.2.4), then ${variables} (RFC 5229, 3).
namespace gk::sieve {

namespace {

constexpr std::size_t kMostName = 64;  // RFC 5229, 3 wants 32

int hex_digit(char c) noexcept {
    if (text::is_digit(c)) return c - '0';
    const char low = text::to_lower(c);
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

}  // namespace

bool is_identifier(std::string_view name) noexcept {
    if (name.empty() || text::is_digit(name[0])) return false;
    return std::all_of(name.begin(), name.end(),
                       [](char c) { return text::is_alpha(c) || text::is_digit(c) || c == '_'; });
}

std::string Compiler::encoded_characters(const Literal& literal) {
    const std::string& s = literal.value;
    std::string out;
    std::size_t from = 0;
    for (std::size_t open; (open = s.find("${", from)) != std::string::npos;) {
        const std::string_view rest = std::string_view(s).substr(open + 2);
        const bool hex = text::starts_with_nocase(rest, "hex:"), unicode = text::starts_with_nocase(rest, "unicode:");
        const std::size_t close = s.find('}', open);
        if ((!hex && !unicode) || close == std::string::npos) {
            out.append(s, from, open + 2 - from);
            from = open + 2;
            continue;
        }
        std::string decoded;
        bool good = true, any = false;
        const std::size_t begin = open + 2 + (hex ? 4 : 8);
        for (const std::string_view word : text::words(std::string_view(s).substr(begin, close - begin))) {
            std::uint32_t value = 0;
            good = good && word.size() <= (hex ? 2u : 12u);
            for (const char c : word) {
                if (hex_digit(c) < 0) good = false;
                if (good && value < 0x1000000) value = value * 16 + static_cast<std::uint32_t>(hex_digit(c));
            }
            any = true;
            if (!good) break;
            if (hex) {
                decoded += static_cast<char>(value);
            } else if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) {
                problem(literal.at, "there is no Unicode character " + std::string(word));
            } else {
                charset::append_utf8(decoded, value);
            }
        }
        if (good && any) {
            out.append(s, from, open - from).append(decoded);
            from = close + 1;
        } else {
            out.append(s, from, open + 2 - from);
            from = open + 2;
        }
    }
    return out.append(s, from, std::string::npos);
}

std::optional<std::uint32_t> Compiler::variable(std::string_view name, Position at) {
    const std::string lower = text::lower(name);
    auto& names = here_->unit.variables;
    for (std::uint32_t i = 0; i < names.size(); ++i)
        if (names[i] == lower) return i;
    if (lower.size() > kMostName)
        return problem(at, "a variable's name is longer than " + std::to_string(kMostName) + " characters"),
               std::nullopt;
    if (names.size() >= limits_.variables) {
        if (!std::exchange(here_->too_many, true))
            problem(at, "there are more than " + std::to_string(limits_.variables) + " variables");
        return std::nullopt;
    }
    names.push_back(lower);
    here_->unit.global_of.push_back(-1);
    return static_cast<std::uint32_t>(names.size() - 1);
}

// What is between "${" and "}"; nothing where it is no reference, and the text stays as it is.
std::optional<Piece> Compiler::reference(std::string_view name, Position at) {
    if (!name.empty() && std::all_of(name.begin(), name.end(), text::is_digit)) {
        const auto number = name.size() > 9 ? std::nullopt : text::to_uint(name);
        if (!number || *number > kMostMatches)
            return problem(at, "match variables end at ${" + std::to_string(kMostMatches) + '}'), std::nullopt;
        return Piece{Piece::Kind::Matched, static_cast<std::uint32_t>(*number), {}};
    }
    const std::vector<std::string_view> parts = text::split(name, '.');
    for (std::size_t i = 0; i < parts.size(); ++i)
        if (!is_identifier(parts[i]) &&
            !(i > 0 && !parts[i].empty() && std::all_of(parts[i].begin(), parts[i].end(), text::is_digit)))
            return std::nullopt;
    if (parts.size() == 1) {
        const auto index = variable(name, at);
        if (!index) return std::nullopt;
        return Piece{Piece::Kind::Variable, *index, {}};
    }
    if (parts.size() == 2 && text::equals_nocase(parts[0], "global") && has(Ext::Include)) {
        const std::string lower = text::lower(parts[1]);
        auto& globals = program.globals;
        const auto found = std::find(globals.begin(), globals.end(), lower);
        const auto index = static_cast<std::uint32_t>(found - globals.begin());
        if (found == globals.end()) globals.push_back(lower);
        if (globals.size() > limits_.variables) problem(at, "there are too many global variables");
        return Piece{Piece::Kind::Global, index, {}};
    }
    if (parts.size() == 2 && text::equals_nocase(parts[0], "tst") && text::equals_nocase(parts[1], "path") &&
        has(Ext::Testsuite))
        return Piece{Piece::Kind::Literal, 0, "."};
    // RFC 5229, 3: the namespace belongs to an extension that was not required.
    return problem(at, "there is no namespace '" + text::printable(parts[0], 40) + "' for variables"), std::nullopt;
}

Text Compiler::text(const Literal& literal) {
    Text out;
    out.literal = has(Ext::EncodedCharacter) ? encoded_characters(literal) : literal.value;
    if (!has(Ext::Variables)) return out;
    const std::string s = out.literal;
    std::size_t from = 0, at = 0;
    const auto add_literal = [&](std::size_t end) {
        if (end > from) out.pieces.push_back({Piece::Kind::Literal, 0, s.substr(from, end - from)});
    };
    for (std::size_t open; (open = s.find("${", at)) != std::string::npos;) {
        at = open + 2;
        const std::size_t close = s.find_first_of("}$", at);
        if (close == std::string::npos) break;
        if (s[close] != '}') continue;
        auto piece = reference(std::string_view(s).substr(at, close - at), literal.at);
        if (!piece) continue;
        add_literal(open);
        out.pieces.push_back(std::move(*piece));
        from = at = close + 1;
    }
    if (!out.pieces.empty()) add_literal(s.size());
    return out;
}

Texts Compiler::texts(const Argument& argument) {
    Texts out;
    out.reserve(argument.strings.size());
    for (const Literal& each : argument.strings)
        if (count_node(each.at)) out.push_back(text(each));
    return out;
}

}  // namespace gk::sieve
