// SPDX-License-Identifier: MIT
#include "common/imap/format/needle.hpp"

#include <cstring>

#include "common/base/text.hpp"
#include "common/charset/charset.hpp"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace gk::imap {

namespace {

// Same letters, in any case. FOLDED is in lower case.
bool equals_folded(const char* bytes, std::string_view folded) noexcept {
    for (std::size_t i = 0; i < folded.size(); ++i)
        if (text::to_lower(bytes[i]) != folded[i]) return false;
    return true;
}

// Where both the first and the last character fit, the rest is compared; sixteen places at a time.
bool find_folded(std::string_view bytes, std::string_view folded) noexcept {
    if (folded.empty()) return true;
    if (bytes.size() < folded.size()) return false;
    const char* at = bytes.data();
    const char* const end = at + (bytes.size() - folded.size()) + 1;  // of the places to begin
#ifdef __SSE2__
    const auto bit = [](char c) { return c >= 'a' && c <= 'z' ? '\x20' : '\0'; };
    const __m128i first = _mm_set1_epi8(folded.front()), first_bit = _mm_set1_epi8(bit(folded.front()));
    const __m128i last = _mm_set1_epi8(folded.back()), last_bit = _mm_set1_epi8(bit(folded.back()));
    const std::size_t back = folded.size() - 1;
    const auto load = [](const char* from) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)); };
    for (; end - at >= 16; at += 16) {
        const __m128i a = _mm_cmpeq_epi8(_mm_or_si128(load(at), first_bit), first);
        const __m128i b = _mm_cmpeq_epi8(_mm_or_si128(load(at + back), last_bit), last);
        auto fits = static_cast<unsigned>(_mm_movemask_epi8(_mm_and_si128(a, b)));
        for (; fits != 0; fits &= fits - 1)
            if (equals_folded(at + __builtin_ctz(fits), folded)) return true;
    }
#endif
    for (; at < end; ++at)
        if (equals_folded(at, folded)) return true;
    return false;
}

bool is_separator(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ':'; }

}  // namespace

Needle::Needle(std::string_view text, std::string_view charset)
    : folded_(charset::fold_case(charset::to_utf8(text, charset))), ascii_(text::is_ascii(folded_)) {
    only_ascii_matches_ = ascii_ && folded_.find_first_of("ks") == std::string::npos;
    if (!ascii_) return;
    for (std::size_t at = 0; at < folded_.size();) {
        std::size_t end = at;
        while (end < folded_.size() && !is_separator(folded_[end])) ++end;
        if (end - at > word_.size()) word_ = folded_.substr(at, end - at);
        at = end + 1;
    }
}

bool Needle::in_folded(std::string_view folded) const noexcept {
    if (folded_.empty()) return true;
    return ::memmem(folded.data(), folded.size(), folded_.data(), folded_.size()) != nullptr;
}

bool Needle::in(std::string_view utf8) const {
    if (ascii_ && (only_ascii_matches_ || is_all_ascii(utf8))) return find_folded(utf8, folded_);
    if (folded_.size() > utf8.size() * 3) return false;  // folding makes no text three times as long
    return in_folded(charset::fold_case(utf8));
}

bool Needle::in_ascii(std::string_view bytes) const noexcept { return find_folded(bytes, folded_); }

bool Needle::may_be_in(std::string_view bytes) const noexcept {
    return !ascii_ || word_.empty() || find_folded(bytes, word_);
}

bool is_all_ascii(std::string_view text) noexcept {
    std::size_t at = 0;
#ifdef __SSE2__
    __m128i any = _mm_setzero_si128();
    for (; at + 16 <= text.size(); at += 16)
        any = _mm_or_si128(any, _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + at)));
    if (_mm_movemask_epi8(any) != 0) return false;
#endif
    for (; at < text.size(); ++at)
        if (static_cast<unsigned char>(text[at]) >= 0x80) return false;
    return true;
}

}  // namespace gk::imap
