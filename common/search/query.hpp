// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/search/index.hpp"

// What people type to find mail. Terms that stand side by side must all hold:
//
//   query   = all *("OR" all)            all   = 1*(["AND"] term)
//   term    = ["-" | "NOT"] (word | "phrase" | "(" query ")" | field ":" value)
//   word    = anything up to white space, a quote or a parenthesis; with "*" at its end the beginning of a word
//   field   = from to cc bcc subject body filename header (text; value may be a phrase, or a query in parentheses)
//           | in is has keyword before after on larger smaller
namespace gk::search {

constexpr std::size_t kMaxQuery = 4096;  // bytes
constexpr std::size_t kMaxTerms = 100;
constexpr int kMaxQueryDepth = 20;

struct Query {
    enum class Kind { And, Or, Not, Text, Mailbox, Flag, Keyword, Before, Since, Larger, Smaller, Attachment };
    Kind kind = Kind::And;
    Phrase phrase = {};       // of Text
    std::string text = {};    // of Mailbox (may end with "/*": all below) and Keyword
    store::Flags flag = 0;    // of Flag
    bool set = true;          // of Flag: whether it is to be there
    std::int64_t number = 0;  // bytes, or Unix seconds
    std::vector<Query> children = {};
};

// BadInput with one clear sentence: what is wrong, and what may have been meant. NOW_S: "after:7d" counts from here.
Result<Query> parse_query(std::string_view query, std::int64_t now_s);

// The words that a query looks for, outside of its negations: where a snippet begins, what ranks.
std::vector<Phrase> wanted_phrases(const Query& query);

struct Match {
    std::string mailbox;
    store::Row row;
    std::int64_t score = 0;  // BM25 in thousandths; 0 where the query has no words
};

// What QUERY finds in the mail of ACCOUNT, the best first and the latest of equals. A message that is not in the index
// is found by what needs no words, and is left out where words are asked for.
Result<std::vector<Match>> find(Index& index, store::Account& account, const Query& query);

// About LIMIT bytes of BODY around the first place where one of PHRASES begins, else its beginning; on one line.
std::string snippet(std::string_view body, const std::vector<Phrase>& phrases, std::size_t limit = 200);

}  // namespace gk::search
