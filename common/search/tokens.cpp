// SPDX-License-Identifier: MIT
#include "common/search/tokens.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include "common/base/text.hpp"
#include "common/charset/charset.hpp"

namespace gk::search {

namespace {

struct Range {
    char32_t first, last;
};
struct BaseRange {
    char32_t first, last, target;
    std::uint32_t step, stride;
};
struct BaseString {
    char32_t from;
    std::u32string_view to;
};

// clang-format off
constexpr Range kWord[] = {
#include "common/search/word_ranges.inc"
};
constexpr Range kDropped[] = {
#include "common/search/dropped_ranges.inc"
};
constexpr BaseRange kBase[] = {
#include "common/search/base_ranges.inc"
};
constexpr BaseString kBaseStrings[] = {
#include "common/search/base_strings.inc"
};
// clang-format on

// The scripts without spaces, of the letters as they are after folding.
constexpr Range kPaired[] = {
    {0xe00, 0xeff},      // Thai, Lao
    {0x1000, 0x109f},    // Burmese
    {0x1780, 0x17ff},    // Khmer
    {0x3005, 0x3007},    // marks of Han
    {0x3040, 0x30ff},    // kana
    {0x31f0, 0x31ff},    // kana for Ainu
    {0x3400, 0x4dbf},    // Han
    {0x4e00, 0x9fff},    // Han
    {0xac00, 0xd7a3},    // Hangul
    {0xf900, 0xfaff},    // Han
    {0x20000, 0x3fffd},  // Han
};

template <class R>
const R* range_of(const R* begin, const R* end, char32_t c) noexcept {
    const R* after =
        std::upper_bound(begin, end, c, [](char32_t value, const R& range) { return value < range.first; });
    return after != begin && c <= after[-1].last ? after - 1 : nullptr;
}

bool is_paired(char32_t c) noexcept {
    return c >= kPaired[0].first && range_of(std::begin(kPaired), std::end(kPaired), c) != nullptr;
}

// A letter for most of the text there is: the letter that it becomes, or one of these.
constexpr char32_t kSeparator = 0x110000, kNothing = 0x110001, kSeveral = 0x110002;

char32_t search_base(char32_t c) noexcept {
    if (c < 0x80)
        return text::is_alpha(static_cast<char>(c)) || text::is_digit(static_cast<char>(c))
                   ? static_cast<char32_t>(text::to_lower(static_cast<char>(c)))
                   : kSeparator;
    if (range_of(std::begin(kDropped), std::end(kDropped), c) != nullptr) return kNothing;
    if (range_of(std::begin(kWord), std::end(kWord), c) == nullptr) return kSeparator;
    if (const auto* range = range_of(std::begin(kBase), std::end(kBase), c); range != nullptr) {
        if ((c - range->first) % range->stride == 0)
            return range->target + (c - range->first) / range->stride * range->step;
    }
    const auto* several = std::lower_bound(std::begin(kBaseStrings), std::end(kBaseStrings), c,
                                           [](const BaseString& s, char32_t value) { return s.from < value; });
    return several != std::end(kBaseStrings) && several->from == c ? kSeveral : c;
}

std::u32string_view base_string(char32_t c) noexcept {
    return std::lower_bound(std::begin(kBaseStrings), std::end(kBaseStrings), c,
                            [](const BaseString& s, char32_t value) { return s.from < value; })
        ->to;
}

// Latin, Greek, Cyrillic, Hebrew and Arabic without a search.
const std::array<char32_t, 0x700>& low_table() {
    static const auto table = [] {
        std::array<char32_t, 0x700> t{};
        for (char32_t c = 0; c < t.size(); ++c) t[c] = search_base(c);
        return t;
    }();
    return table;
}

class Tokenizer {
public:
    Tokenizer(TokenUse use, const std::function<bool(const Token&)>& sink) : use_(use), sink_(sink) {}
    bool run(std::string_view utf8);

private:
    bool letter(char32_t c, std::size_t begin, std::size_t end);
    bool end_word();
    bool end_run();
    bool emit(std::string_view token, std::size_t begin, std::size_t end, bool colocated = false) {
        return sink_(Token{token, begin, end, colocated});
    }

    TokenUse use_;
    const std::function<bool(const Token&)>& sink_;
    std::string word_;
    std::size_t word_begin_ = 0, word_end_ = 0;
    std::string last_;  // letter of a run of pairs
    std::size_t last_begin_ = 0, last_end_ = 0, run_ = 0;
    std::string pair_;
};

bool Tokenizer::end_word() {
    if (word_.empty()) return true;
    const bool go_on = emit(word_, word_begin_, word_end_);
    word_.clear();
    return go_on;
}

bool Tokenizer::end_run() {
    if (run_ == 0) return true;
    const bool alone = run_ == 1;
    run_ = 0;
    if (!alone && use_ == TokenUse::Querying) return true;
    return emit(last_, last_begin_, last_end_, !alone);
}

bool Tokenizer::letter(char32_t c, std::size_t begin, std::size_t end) {
    if (!is_paired(c)) {
        if (!end_run()) return false;
        if (word_.empty()) word_begin_ = begin;
        word_end_ = end;
        const std::size_t before = word_.size();
        if (before < kTokenBytes) charset::append_utf8(word_, c);
        if (word_.size() > kTokenBytes) word_.resize(before);
        return true;
    }
    if (!end_word()) return false;
    pair_ = last_;
    last_.clear();
    charset::append_utf8(last_, c);
    const std::size_t pair_begin = last_begin_;
    last_begin_ = begin;
    last_end_ = end;
    if (++run_ == 1) return true;
    pair_ += last_;
    return emit(pair_, pair_begin, end);
}

bool Tokenizer::run(std::string_view utf8) {
    const auto& low = low_table();
    for (std::size_t at = 0; at < utf8.size();) {
        const std::size_t begin = at;
        const auto byte = static_cast<unsigned char>(utf8[at]);
        const char32_t c = byte < 0x80 ? (++at, byte) : charset::next_utf8(utf8, at);
        const char32_t base = c < low.size() ? low[c] : search_base(c);
        if (base == kNothing) continue;
        if (base == kSeparator) {
            if (!end_word() || !end_run()) return false;
        } else if (base == kSeveral) {
            for (const char32_t one : base_string(c))
                if (!letter(one, begin, at)) return false;
        } else if (!letter(base, begin, at)) {
            return false;
        }
    }
    return end_word() && end_run();
}

}  // namespace

void tokenize(std::string_view utf8, TokenUse use, const std::function<bool(const Token&)>& sink) {
    Tokenizer(use, sink).run(utf8);
}

std::vector<std::string> query_tokens(std::string_view utf8) {
    std::vector<std::string> tokens;
    tokenize(utf8, TokenUse::Querying, [&](const Token& token) {
        tokens.emplace_back(token.text);
        return true;
    });
    return tokens;
}

bool is_lone_letter(std::string_view token) noexcept {
    std::size_t at = 0;
    return !token.empty() && is_paired(charset::next_utf8(token, at)) && at == token.size();
}

}  // namespace gk::search
