// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <string>

#include "common/base/text.hpp"
#include "common/search/tokens.hpp"
#include "common/spam/readers.hpp"

namespace gk::spam {

namespace {

// How far apart the words of a pair stand at most. Pairs in order with the gap between them (orthogonal sparse bigrams,
// Siefkes and others, 2004) say nearly what longer phrases would, with far fewer features.
constexpr std::size_t kWindow = 3;
constexpr std::string_view kGaps[kWindow] = {" ", " _ ", " _ _ "};

bool in_capitals(std::string_view written) noexcept {
    return written.size() > 2 &&
           std::all_of(written.begin(), written.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

}  // namespace

void add_words(Features& features, std::string_view kind, std::string_view utf8, bool pairs) {
    const std::string capitals = std::string(kind) + "-capitals";
    std::array<std::string, kWindow> before;  // the last words, in turns
    std::size_t count = 0;
    const bool of_body = kind == "word";
    const Group single = of_body ? Group::Word : Group::Trait, paired = of_body ? Group::Pair : Group::Trait;
    search::tokenize(utf8, search::TokenUse::Querying, [&](const search::Token& token) {
        features.add(kind, token.text, single);
        if (in_capitals(utf8.substr(token.begin, token.end - token.begin))) features.add(capitals, token.text, single);
        if (pairs) {
            for (std::size_t gap = 0; gap < std::min(count, kWindow); ++gap)
                features.add(kind, before[(count - 1 - gap) % kWindow], kGaps[gap], token.text, paired);
            before[count % kWindow] = token.text;
            ++count;
        }
        return !features.is_full();
    });
}

void add_host(Features& features, std::string_view kind, std::string_view host) {
    const std::string lower = text::lower(host);
    std::string_view rest = lower;
    for (int label = 0; label < 6 && !rest.empty(); ++label) {
        features.add(kind, rest);
        const std::size_t dot = rest.find('.');
        if (dot == std::string_view::npos || rest.find_first_not_of("0123456789.") == std::string_view::npos) return;
        rest.remove_prefix(dot + 1);
    }
}

std::string_view magnitude(std::size_t number) noexcept {
    constexpr std::string_view kNames[] = {"0",     "1",      "2",       "3-4",     "5-8",      "9-16",  "17-32",
                                           "33-64", "65-128", "129-256", "257-512", "513-1024", "1k-2k", "2k-4k",
                                           "4k-8k", "8k-16k", "16k-32k", "32k-64k", "64k up"};
    std::size_t step = 0;
    for (std::size_t most = 0; number > most && step + 1 < std::size(kNames); ++step) most = most == 0 ? 1 : most * 2;
    return kNames[step];
}

}  // namespace gk::spam
