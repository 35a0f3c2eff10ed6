// SPDX-License-Identifier: MIT
// links: search
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/base/text.hpp"
#include "common/db/database.hpp"
#include "common/search/query.hpp"
#include "common/search/tokens.hpp"

namespace {

gk::db::Database& table() {
    static gk::db::Database database = [] {
        auto opened = gk::db::Database::open(":memory:");
        if (!opened || !gk::search::register_tokenizer(opened->raw())) std::abort();
        if (!opened->execute("CREATE VIRTUAL TABLE words USING fts5(subject, sender, recipients, copies, blind_copies, "
                             "other, names, body, content='', tokenize='gk'); INSERT INTO words(rowid, body) VALUES(1, "
                             "'one two three')"))
            std::abort();
        return std::move(*opened);
    }();
    return database;
}

}  // namespace

// Whatever is typed is a query or an error of one line, and no phrase leaves its quotes in the language of FTS5.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gk::search;
    const std::string_view in(reinterpret_cast<const char*>(data), size);
    const auto query = parse_query(in, 1'000'000'000);
    if (!query) {
        if (query.error().text.empty() || query.error().text.find('\n') != std::string::npos) std::abort();
        return 0;
    }
    for (const Phrase& phrase : wanted_phrases(*query)) {
        for (const auto& token : query_tokens(phrase.text))
            if (token.empty() || token.size() > kTokenBytes || !gk::text::is_utf8(token)) std::abort();
        auto statement = table().prepare("SELECT rowid FROM words WHERE words MATCH ?");
        if (!statement || !statement->bind(expression_for(phrase)).run()) std::abort();
        const auto words = expression_for_words(phrase.columns, phrase.text);
        if (!words.empty() && !statement->bind(words).run()) std::abort();
    }
    if (!gk::text::is_utf8(snippet(in, wanted_phrases(*query), 40))) std::abort();
    return 0;
}
