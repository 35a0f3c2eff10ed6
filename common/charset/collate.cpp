// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstdint>

#include "common/charset/charset.hpp"

namespace gk::charset {

namespace {

struct Range {
    char32_t first, last;
    std::int32_t distance;
    std::uint32_t stride;
};
struct Several {
    char32_t from;
    std::uint16_t at, length;
};

#include "common/charset/collate_ranges.inc"

void append_key(std::string& out, char32_t c) {
    // Hangul syllables decompose by arithmetic (Unicode, 3.12).
    if (c >= 0xAC00 && c < 0xD7A4) {
        const char32_t s = c - 0xAC00;
        append_utf8(out, 0x1100 + s / 588);
        append_utf8(out, 0x1161 + s % 588 / 28);
        if (s % 28 != 0) append_utf8(out, 0x11A7 + s % 28);
        return;
    }
    const auto* several = std::lower_bound(std::begin(kSeveral), std::end(kSeveral), c,
                                           [](const Several& entry, char32_t value) { return entry.from < value; });
    if (several != std::end(kSeveral) && several->from == c) {
        for (std::uint16_t i = 0; i < several->length; ++i) append_utf8(out, kPool[several->at + i]);
        return;
    }
    const auto* after = std::upper_bound(std::begin(kSingles), std::end(kSingles), c,
                                         [](char32_t value, const Range& range) { return value < range.first; });
    if (after != std::begin(kSingles)) {
        const Range& range = after[-1];
        if (c <= range.last && (c - range.first) % range.stride == 0)
            c = static_cast<char32_t>(static_cast<std::int32_t>(c) + range.distance);
    }
    append_utf8(out, c);
}

}  // namespace

std::string collation_key(std::string_view utf8) {
    std::string out;
    out.reserve(utf8.size());
    for (std::size_t i = 0; i < utf8.size();) {
        const char c = utf8[i];
        if (static_cast<unsigned char>(c) < 0x80) {
            out += c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
            ++i;
        } else {
            append_key(out, next_utf8(utf8, i));
        }
    }
    return out;
}

}  // namespace gk::charset
