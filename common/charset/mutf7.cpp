// SPDX-License-Identifier: MIT
#include "common/charset/mutf7.hpp"

#include <cstdint>

#include "common/charset/charset.hpp"

namespace gk::charset {

namespace {

constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

int digit(char c) noexcept {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == ',' ? 63 : -1;
}

bool is_direct(char32_t c) noexcept { return c >= 0x20 && c <= 0x7E; }

}  // namespace

std::string to_mutf7(std::string_view utf8) {
    std::string out;
    std::uint32_t bits = 0;
    unsigned count = 0;
    bool shifted = false;
    const auto unit = [&](std::uint32_t value) {
        bits = (bits << 16) | value;
        count += 16;
        while (count >= 6) {
            count -= 6;
            out += kDigits[(bits >> count) & 0x3F];
        }
        bits &= (1u << count) - 1;
    };
    const auto leave = [&] {
        if (!shifted) return;
        if (count > 0) out += kDigits[(bits << (6 - count)) & 0x3F];
        out += '-';
        bits = 0, count = 0, shifted = false;
    };
    for (std::size_t i = 0; i < utf8.size();) {
        const char32_t c = next_utf8(utf8, i);
        if (is_direct(c)) {
            leave();
            out += static_cast<char>(c);
            if (c == '&') out += '-';
            continue;
        }
        if (!shifted) out += '&', shifted = true;
        if (c >= 0x10000) {
            unit(0xD800 + ((c - 0x10000) >> 10));
            unit(0xDC00 + ((c - 0x10000) & 0x3FF));
        } else {
            unit(c);
        }
    }
    leave();
    return out;
}

std::optional<std::string> from_mutf7(std::string_view mutf7) {
    std::string out;
    std::size_t i = 0;
    bool just_left = false;  // a shift right after a shift is superfluous
    while (i < mutf7.size()) {
        const char c = mutf7[i++];
        if (!is_direct(static_cast<unsigned char>(c))) return std::nullopt;
        if (c != '&') {
            out += c;
            just_left = false;
            continue;
        }
        if (i < mutf7.size() && mutf7[i] == '-') {
            ++i;
            out += '&';
            just_left = false;
            continue;
        }
        if (just_left) return std::nullopt;
        std::uint32_t bits = 0, high = 0;
        unsigned count = 0;
        bool any = false;
        for (;; ++i) {
            if (i == mutf7.size()) return std::nullopt;  // the shift must end (RFC 3501, 5.1.3)
            if (mutf7[i] == '-') break;
            const int value = digit(mutf7[i]);
            if (value < 0) return std::nullopt;
            bits = (bits << 6) | static_cast<std::uint32_t>(value);
            count += 6;
            if (count < 16) continue;
            count -= 16;
            const std::uint32_t unit = (bits >> count) & 0xFFFF;
            bits &= (1u << count) - 1;
            any = true;
            if (high != 0) {
                if (unit < 0xDC00 || unit > 0xDFFF) return std::nullopt;
                append_utf8(out, 0x10000 + ((high - 0xD800) << 10) + (unit - 0xDC00));
                high = 0;
            } else if (unit >= 0xD800 && unit <= 0xDBFF) {
                high = unit;
            } else if ((unit >= 0xDC00 && unit <= 0xDFFF) || is_direct(unit)) {
                return std::nullopt;
            } else {
                append_utf8(out, unit);
            }
        }
        ++i;
        if (!any || high != 0 || bits != 0 || count >= 6) return std::nullopt;
        just_left = true;
    }
    return out;
}

}  // namespace gk::charset
