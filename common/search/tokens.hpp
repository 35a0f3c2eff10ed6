// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"

struct sqlite3;
struct fts5_api;

// Text as words that can be found. Letters are brought to one form (Unicode compatibility decomposition, case folding,
// no accents: "Ærø" is "aero", "ＡＢＣ" is "abc"); a word is a run of letters, digits and marks, so that an address or
// a number with dots is several words in a row and is found as a phrase of them. Scripts that put no spaces between
// words (Han, kana, Hangul with its particles, Thai, Lao, Khmer, Burmese) become every two neighbours: pairs keep a
// phrase exact with half the entries that triples would need, and most words of these scripts have two letters.
namespace gk::search {

// Of a token, in bytes: enough for every word that people write. What is longer (a line of base64) is cut there, in the
// index as in a query.
constexpr std::size_t kTokenBytes = 64;

struct Token {
    std::string_view text;   // lives until the sink returns
    std::size_t begin, end;  // where it stands
    bool colocated = false;  // at the position of the token before it
};

// A document also has the last letter of a run alone, at the position of the last pair, so that a query for one letter,
// which is a prefix, finds it.
enum class TokenUse { Indexing, Querying };

// SINK returns false to stop.
void tokenize(std::string_view utf8, TokenUse use, const std::function<bool(const Token&)>& sink);
std::vector<std::string> query_tokens(std::string_view utf8);
// Whether TOKEN is one letter of a script whose words are kept as pairs.
bool is_lone_letter(std::string_view token) noexcept;

// Makes "gk" a tokenizer of FTS5 on this connection, and gk_rank(table) the score of a row in thousandths (rank.cpp).
// Needed before any statement that touches the index's tables.
Status register_tokenizer(sqlite3* db);
int register_rank(fts5_api* api);  // SQLite's code

}  // namespace gk::search
