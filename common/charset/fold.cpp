// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <cstdint>

#include "common/base/text.hpp"
#include "common/charset/charset.hpp"

namespace gk::charset {

namespace {

struct Range {
    char32_t first, last;
    std::int32_t distance;
    std::uint32_t stride;
};

constexpr Range kRanges[] = {
#include "common/charset/fold_ranges.inc"
};

char32_t search(char32_t c) noexcept {
    const auto* after = std::upper_bound(std::begin(kRanges), std::end(kRanges), c,
                                         [](char32_t value, const Range& range) { return value < range.first; });
    if (after == std::begin(kRanges)) return c;
    const Range& range = after[-1];
    if (c > range.last || (c - range.first) % range.stride != 0) return c;
    return static_cast<char32_t>(static_cast<std::int32_t>(c) + range.distance);
}

// Latin, Greek and Cyrillic without a search: nearly all the text that there is.
const std::array<char32_t, 0x600>& low_table() {
    static const auto table = [] {
        std::array<char32_t, 0x600> t{};
        for (char32_t c = 0; c < t.size(); ++c) t[c] = c >= 'A' && c <= 'Z' ? c + 32 : search(c);
        return t;
    }();
    return table;
}

}  // namespace

char32_t fold(char32_t c) noexcept {
    if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
    return search(c);
}

std::string fold_case(std::string_view utf8) {
    std::string out;
    out.reserve(utf8.size());
    const auto& table = low_table();
    std::size_t i = 0;
    while (i < utf8.size()) {
        std::size_t run = i;
        while (run < utf8.size() && static_cast<unsigned char>(utf8[run]) < 0x80) ++run;
        if (run > i) {
            const std::size_t at = out.size();
            out.append(utf8.substr(i, run - i));
            for (std::size_t k = at; k < out.size(); ++k) out[k] = text::to_lower(out[k]);
            i = run;
            continue;
        }
        const char32_t c = next_utf8(utf8, i);
        append_utf8(out, c < table.size() ? table[c] : search(c));
    }
    return out;
}

}  // namespace gk::charset
