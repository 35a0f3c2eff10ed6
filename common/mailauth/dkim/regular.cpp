// SPDX-License-Identifier: MIT
#include "common/mailauth/dkim/regular.hpp"

#ifdef __SSE2__
#include <immintrin.h>
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

// The same 32 at a time, as far as they go: where it stopped, or at the first octet that may be irregular. For speed
// every two octets up to the space in a row count as that, unless they are CRLF; nearly no mail has others.
__attribute__((target("avx2"))) std::size_t regular_by_32(std::string_view bytes, std::size_t i, std::size_t last,
                                                          bool relaxed) noexcept {
    const __m256i lf = _mm256_set1_epi8('\n'), cr = _mm256_set1_epi8('\r');
    const __m256i space = _mm256_set1_epi8(' '), tab = _mm256_set1_epi8('\t');
    for (; i + 32 <= last; i += 32) {
        const __m256i c = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes.data() + i));
        const __m256i next = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes.data() + i + 1));
        const __m256i is_cr = _mm256_cmpeq_epi8(c, cr), next_is_lf = _mm256_cmpeq_epi8(next, lf);
        __m256i irregular;
        if (relaxed) {
            // The larger of two is at most a space where both are.
            const __m256i larger = _mm256_max_epu8(c, next);
            const __m256i blanks = _mm256_cmpeq_epi8(_mm256_max_epu8(larger, space), space);
            const __m256i line_end = _mm256_and_si256(is_cr, next_is_lf);
            irregular = _mm256_or_si256(_mm256_andnot_si256(line_end, blanks), _mm256_andnot_si256(is_cr, next_is_lf));
            irregular = _mm256_or_si256(irregular, _mm256_cmpeq_epi8(c, tab));
        } else {
            const __m256i next_ends_line = _mm256_or_si256(next_is_lf, _mm256_cmpeq_epi8(next, cr));
            irregular = _mm256_or_si256(_mm256_andnot_si256(is_cr, next_is_lf),
                                        _mm256_and_si256(_mm256_cmpeq_epi8(c, lf), next_ends_line));
        }
        if (const auto bits = static_cast<unsigned>(_mm256_movemask_epi8(irregular)))
            return i + static_cast<std::size_t>(std::countr_zero(bits));
    }
    return i;
}

const bool kHasAvx2 = __builtin_cpu_supports("avx2") != 0;
#endif

}  // namespace

std::size_t regular_length(std::string_view bytes, bool relaxed) noexcept {
    if (bytes.empty()) return 0;
    // The last octet has no next one here: it is left to who asks.
    const std::size_t last = bytes.size() - 1;
    std::size_t i = 0;
#ifdef __SSE2__
    // A line that begins with a space, say, only looked irregular.
    while (kHasAvx2) {
        i = regular_by_32(bytes, i, last, relaxed);
        if (i + 32 > last || is_irregular(bytes[i], bytes[i + 1], relaxed)) break;
        ++i;
    }
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
