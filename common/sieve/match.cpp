// SPDX-License-Identifier: MIT
#include "common/sieve/match.hpp"

#include <algorithm>
#include <cstring>

#include "common/base/text.hpp"
#include "common/charset/charset.hpp"

namespace gk::sieve {

namespace {

constexpr std::size_t kShortKey = 16;  // up to here the plain search beats making copies

// RFC 4790, 9.1.1: the digits in front, without leading zeros; nothing in front is infinity.
struct Numeric {
    bool infinite;
    std::string_view digits;
};
Numeric numeric(std::string_view s) noexcept {
    std::size_t end = 0;
    while (end < s.size() && text::is_digit(s[end])) ++end;
    if (end == 0) return {true, {}};
    s = s.substr(0, end);
    while (s.size() > 1 && s[0] == '0') s.remove_prefix(1);
    return {false, s};
}

int sign(int order) noexcept { return order < 0 ? -1 : order > 0 ? 1 : 0; }

int compare_numeric(std::string_view a, std::string_view b) noexcept {
    const Numeric x = numeric(a), y = numeric(b);
    if (x.infinite || y.infinite) return static_cast<int>(x.infinite) - static_cast<int>(y.infinite);
    if (x.digits.size() != y.digits.size()) return x.digits.size() < y.digits.size() ? -1 : 1;
    return sign(x.digits.compare(y.digits));
}

// RFC 4790, 9.2.1: letters in upper case, then octets.
int compare_casemap(std::string_view a, std::string_view b) noexcept {
    const std::size_t shared = std::min(a.size(), b.size());
    for (std::size_t i = 0; i < shared; ++i) {
        const auto x = static_cast<unsigned char>(text::to_upper(a[i])),
                   y = static_cast<unsigned char>(text::to_upper(b[i]));
        if (x != y) return x < y ? -1 : 1;
    }
    return a.size() == b.size() ? 0 : a.size() < b.size() ? -1 : 1;
}

bool find_octets(std::string_view value, std::string_view key) noexcept {
    return key.empty() || memmem(value.data(), value.size(), key.data(), key.size()) != nullptr;
}

std::size_t character(std::string_view value, std::size_t at, Comparator comparator) noexcept {
    if (comparator == Comparator::Octet || static_cast<unsigned char>(value[at]) < 0x80) return 1;
    std::size_t end = at;
    charset::next_utf8(value, end);
    return end - at;
}

}  // namespace

bool equals(std::string_view a, std::string_view b, Comparator comparator, Budget& budget) {
    const bool by_size = comparator == Comparator::Octet || comparator == Comparator::AsciiCasemap;
    if (by_size && a.size() != b.size()) return false;
    if (!budget.spend(a.size() + 1)) return false;
    switch (comparator) {
        case Comparator::Octet: return a == b;
        case Comparator::AsciiCasemap: return text::equals_nocase(a, b);
        case Comparator::AsciiNumeric: return compare_numeric(a, b) == 0;
        case Comparator::UnicodeCasemap: return charset::collation_key(a) == charset::collation_key(b);
    }
    return false;
}

int compare(std::string_view a, std::string_view b, Comparator comparator, Budget& budget) {
    if (!budget.spend(a.size() + 1)) return 0;
    switch (comparator) {
        case Comparator::Octet: return sign(a.compare(b));
        case Comparator::AsciiCasemap: return compare_casemap(a, b);
        case Comparator::AsciiNumeric: return compare_numeric(a, b);
        case Comparator::UnicodeCasemap: return sign(charset::collation_key(a).compare(charset::collation_key(b)));
    }
    return 0;
}

bool contains(std::string_view value, std::string_view key, Comparator comparator, Budget& budget) {
    if (!budget.spend(value.size() + key.size() + 1)) return false;
    switch (comparator) {
        case Comparator::Octet: return find_octets(value, key);
        case Comparator::AsciiCasemap:
            if (key.size() <= kShortKey) return text::find_nocase(value, key) != std::string_view::npos;
            return value.size() >= key.size() && find_octets(text::lower(value), text::lower(key));
        case Comparator::AsciiNumeric: return false;
        case Comparator::UnicodeCasemap: return find_octets(charset::collation_key(value), charset::collation_key(key));
    }
    return false;
}

bool matches(std::string_view value, std::string_view pattern, Comparator comparator, Budget& budget,
             Captures* captures) {
    constexpr std::size_t kNone = std::size_t(-1);
    const bool unicode = comparator == Comparator::UnicodeCasemap, octet = comparator == Comparator::Octet;
    std::size_t v = 0, p = 0, star_p = kNone, star_v = 0, star_captures = 0, work = 0;
    if (captures) captures->assign(1, value);
    const auto capture = [&](std::size_t from, std::size_t length) {
        if (captures) captures->push_back(value.substr(from, length));
    };
    if (!budget.spend(1)) return false;
    while (true) {
        if (++work == 4096) {
            if (!budget.spend(work)) return false;
            work = 0;
        }
        if (p < pattern.size()) {
            char c = pattern[p];
            if (c == '*') {
                star_p = ++p, star_v = v;
                if (p == pattern.size()) {
                    capture(v, value.size() - v);
                    break;
                }
                capture(v, 0);
                star_captures = captures ? captures->size() : 0;
                continue;
            }
            if (v < value.size()) {
                if (c == '?') {
                    const std::size_t length = character(value, v, comparator);
                    capture(v, length);
                    v += length, ++p;
                    continue;
                }
                std::size_t literal = p;
                if (c == '\\' && p + 1 < pattern.size()) c = pattern[++literal];
                if (unicode && ((static_cast<unsigned char>(c) | static_cast<unsigned char>(value[v])) & 0x80)) {
                    std::size_t next_p = literal, next_v = v;
                    const char32_t a = charset::next_utf8(pattern, next_p), b = charset::next_utf8(value, next_v);
                    if (a == b || charset::fold(a) == charset::fold(b)) {
                        p = next_p, v = next_v;
                        continue;
                    }
                } else if (octet ? c == value[v] : text::to_lower(c) == text::to_lower(value[v])) {
                    p = literal + 1, ++v;
                    continue;
                }
            }
        } else if (v == value.size()) {
            break;
        }
        if (star_p == kNone || star_v >= value.size()) return budget.spend(work), false;
        star_v += character(value, star_v, comparator);
        if (captures) {
            captures->resize(star_captures);
            std::string_view& taken = captures->back();
            taken = std::string_view(taken.data(), static_cast<std::size_t>(value.data() + star_v - taken.data()));
        }
        v = star_v, p = star_p;
    }
    return budget.spend(work);
}

bool holds(int order, Relation relation) noexcept {
    switch (relation) {
        case Relation::Gt: return order > 0;
        case Relation::Ge: return order >= 0;
        case Relation::Lt: return order < 0;
        case Relation::Le: return order <= 0;
        case Relation::Eq: return order == 0;
        case Relation::Ne: return order != 0;
    }
    return false;
}

}  // namespace gk::sieve
