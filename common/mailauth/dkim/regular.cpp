// SPDX-License-Identifier: MIT
#include "common/mailauth/dkim/regular.hpp"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <bit>

namespace gk::mailauth {
namespace {

// Whether more than copying is to be done at an octet, told from it and the next one.
bool is_irregular(char c, char next, bool relaxed) noexcept {
    const bool next_ends_line = next == '\r' || next == '\n';
    if (c != '\r' && next == '\n') return true;    // a LF alone
    if (c == '\n' && next_ends_line) return true;  // an empty line, perhaps
    if (!relaxed) return false;
    if (c == '\t') return true;
    return c == ' ' && (next_ends_line || next == ' ' || next == '\t');
}

#ifdef __SSE2__
// A bit for each of the 16 octets at AT that is irregular; AT[16] is read too.
unsigned irregular_bits(const char* at, bool relaxed) noexcept {
    const __m128i c = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i next = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + 1));
    const auto is = [](__m128i octets, char value) { return _mm_cmpeq_epi8(octets, _mm_set1_epi8(value)); };
    const __m128i next_lf = is(next, '\n');
    const __m128i next_ends_line = _mm_or_si128(next_lf, is(next, '\r'));
    __m128i irregular =
        _mm_or_si128(_mm_andnot_si128(is(c, '\r'), next_lf), _mm_and_si128(is(c, '\n'), next_ends_line));
    if (relaxed) {
        const __m128i next_blank = _mm_or_si128(next_ends_line, _mm_or_si128(is(next, ' '), is(next, '\t')));
        irregular = _mm_or_si128(irregular, _mm_or_si128(is(c, '\t'), _mm_and_si128(is(c, ' '), next_blank)));
    }
    return static_cast<unsigned>(_mm_movemask_epi8(irregular));
}
#endif

}  // namespace

std::size_t regular_length(std::string_view bytes, bool relaxed) noexcept {
    if (bytes.empty()) return 0;
    // The last octet has no next one here: it is left to who asks.
    const std::size_t last = bytes.size() - 1;
    std::size_t i = 0;
#ifdef __SSE2__
    for (; i + 16 <= last; i += 16)
        if (const unsigned bits = irregular_bits(bytes.data() + i, relaxed)) {
            i += static_cast<std::size_t>(std::countr_zero(bits));
            return i > 0 && bytes[i - 1] == '\r' ? i - 1 : i;
        }
#endif
    while (i < last && !is_irregular(bytes[i], bytes[i + 1], relaxed)) ++i;
    return i > 0 && bytes[i - 1] == '\r' ? i - 1 : i;
}

}  // namespace gk::mailauth
