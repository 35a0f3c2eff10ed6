// SPDX-License-Identifier: MIT
#include "common/base/text.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <charconv>

namespace gk::text {

std::string lower(std::string_view s) {
    std::string out(s);
    for (char& c : out) c = to_lower(c);
    return out;
}

std::string upper(std::string_view s) {
    std::string out(s);
    for (char& c : out) c = to_upper(c);
    return out;
}

bool equals_nocase(std::string_view a, std::string_view b) noexcept {
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return to_lower(x) == to_lower(y); });
}

bool starts_with_nocase(std::string_view s, std::string_view prefix) noexcept {
    return s.size() >= prefix.size() && equals_nocase(s.substr(0, prefix.size()), prefix);
}

std::size_t find_nocase(std::string_view s, std::string_view needle) noexcept {
    const auto at = std::search(s.begin(), s.end(), needle.begin(), needle.end(),
                                [](char x, char y) { return to_lower(x) == to_lower(y); });
    if (at == s.end() && !needle.empty()) return std::string_view::npos;
    return static_cast<std::size_t>(at - s.begin());
}

std::string_view trim(std::string_view s) noexcept {
    while (!s.empty() && is_space(s.front())) s.remove_prefix(1);
    while (!s.empty() && is_space(s.back())) s.remove_suffix(1);
    return s;
}

std::vector<std::string_view> split(std::string_view s, char separator) {
    std::vector<std::string_view> parts;
    for (;;) {
        const auto at = s.find(separator);
        parts.push_back(s.substr(0, at));
        if (at == std::string_view::npos) return parts;
        s.remove_prefix(at + 1);
    }
}

std::vector<std::string_view> words(std::string_view s) {
    std::vector<std::string_view> found;
    std::size_t i = 0;
    while (i < s.size()) {
        while (i < s.size() && is_space(s[i])) ++i;
        const std::size_t start = i;
        while (i < s.size() && !is_space(s[i])) ++i;
        if (i > start) found.push_back(s.substr(start, i - start));
    }
    return found;
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
    std::string out;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        if (i > 0) out += separator;
        out += parts[i];
    }
    return out;
}

std::string replace_all(std::string_view s, std::string_view from, std::string_view to) {
    std::string out;
    for (std::size_t at = 0; !from.empty() && (at = s.find(from)) != std::string_view::npos;) {
        out.append(s.substr(0, at)).append(to);
        s.remove_prefix(at + from.size());
    }
    return out.append(s);
}

namespace {

template <class Number>
std::optional<Number> to_number(std::string_view s) noexcept {
    Number value{};
    const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value);
    if (error != std::errc{} || end != s.data() + s.size() || s.empty()) return std::nullopt;
    return value;
}

}  // namespace

std::optional<std::uint64_t> to_uint(std::string_view s) noexcept {
    if (s.empty() || !is_digit(s.front())) return std::nullopt;
    return to_number<std::uint64_t>(s);
}

std::optional<std::int64_t> to_int(std::string_view s) noexcept { return to_number<std::int64_t>(s); }

std::string printable(std::string_view s, std::size_t limit) {
    std::string out;
    const bool cut = s.size() > limit;
    for (const char c : s.substr(0, limit)) {
        if (c >= 0x20 && c < 0x7f && c != '\\') {
            out += c;
        } else if (c == '\\') {
            out += "\\\\";
        } else {
            out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        }
    }
    if (cut) out += "…";
    return out;
}

bool is_ascii(std::string_view s) noexcept {
    return std::all_of(s.begin(), s.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string ascii_only(std::string_view utf8) {
    std::string out;
    for (std::size_t i = 0; i < utf8.size(); ++i) {
        const auto c = static_cast<unsigned char>(utf8[i]);
        if (c < 0x80) out += utf8[i];
        else if (c >= 0xC0) out += utf8.substr(i, 3) == "\xE2\x80\xA6" ? "..." : "?";
    }
    return out;
}

bool is_utf8(std::string_view s) noexcept {
    std::size_t i = 0;
    while (i < s.size()) {
        const auto first = static_cast<unsigned char>(s[i]);
        if (first < 0x80) {
            ++i;
            continue;
        }
        const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
        if (first < 0xC2 || first > 0xF4 || i + length > s.size()) return false;
        std::uint32_t point = first & (0xFFu >> (length + 1));
        for (std::size_t k = 1; k < length; ++k) {
            const auto next = static_cast<unsigned char>(s[i + k]);
            if ((next & 0xC0) != 0x80) return false;
            point = (point << 6) | (next & 0x3Fu);
        }
        const bool overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
        if (overlong || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) return false;
        i += length;
    }
    return true;
}

std::optional<std::uint64_t> to_size(std::string_view s) noexcept {
    std::size_t digits = 0;
    while (digits < s.size() && is_digit(s[digits])) ++digits;
    const auto number = to_uint(s.substr(0, digits));
    if (!number) return std::nullopt;
    std::string_view unit = trim(s.substr(digits));
    if (unit.empty() || equals_nocase(unit, "B")) return number;
    unsigned shift = 0;
    switch (to_lower(unit.front())) {
        case 'k': shift = 10; break;
        case 'm': shift = 20; break;
        case 'g': shift = 30; break;
        case 't': shift = 40; break;
        default: return std::nullopt;
    }
    unit.remove_prefix(1);
    if (!unit.empty() && !equals_nocase(unit, "B") && !equals_nocase(unit, "iB")) return std::nullopt;
    if (*number > (UINT64_MAX >> shift)) return std::nullopt;
    return *number << shift;
}

std::string format_size(std::uint64_t bytes) {
    constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB"};
    auto value = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (value >= 1024 && unit + 1 < std::size(kUnits)) {
        value /= 1024;
        ++unit;
    }
    return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::optional<std::int64_t> to_duration_s(std::string_view s) noexcept {
    if (s.empty()) return std::nullopt;
    std::int64_t total = 0;
    while (!s.empty()) {
        std::size_t digits = 0;
        while (digits < s.size() && is_digit(s[digits])) ++digits;
        const auto number = to_uint(s.substr(0, digits));
        if (!number || *number > 1'000'000'000) return std::nullopt;
        std::int64_t factor = 1;
        if (digits < s.size()) {
            switch (s[digits]) {
                case 's': factor = 1; break;
                case 'm': factor = 60; break;
                case 'h': factor = 3600; break;
                case 'd': factor = 86400; break;
                case 'w': factor = 604800; break;
                default: return std::nullopt;
            }
            ++digits;
        }
        total += static_cast<std::int64_t>(*number) * factor;
        s.remove_prefix(digits);
    }
    return total;
}

namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t above = row[j];
            row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
            diagonal = above;
        }
    }
    return row[b.size()];
}

}  // namespace

std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates) {
    std::optional<std::string> best;
    std::size_t best_distance = 4;
    for (const auto& candidate : candidates) {
        const std::size_t distance = edit_distance(word, candidate);
        if (distance < best_distance && distance < candidate.size()) {
            best_distance = distance;
            best = candidate;
        }
    }
    return best;
}

}  // namespace gk::text
