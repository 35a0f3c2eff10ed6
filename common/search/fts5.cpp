// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <sqlite3.h>

#include "common/search/tokens.hpp"

// The tokenizer as FTS5 calls it. Nothing may throw through SQLite's C; only memory could, and it ends the program.
namespace gk::search {

namespace {

int create(void*, const char**, int, Fts5Tokenizer** out) noexcept {
    static char instance;  // there is no state, but FTS5 wants a pointer
    *out = reinterpret_cast<Fts5Tokenizer*>(&instance);
    return SQLITE_OK;
}

void destroy(Fts5Tokenizer*) noexcept {}

using Emit = int (*)(void*, int, const char*, int, int, int);

int tokenize_for_fts5(Fts5Tokenizer*, void* context, int flags, const char* text, int size, Emit emit) noexcept {
    const auto use = (flags & FTS5_TOKENIZE_QUERY) != 0 ? TokenUse::Querying : TokenUse::Indexing;
    int code = SQLITE_OK;
    tokenize({text, static_cast<std::size_t>(size > 0 ? size : 0)}, use, [&](const Token& token) {
        code = emit(context, token.colocated ? FTS5_TOKEN_COLOCATED : 0, token.text.data(),
                    static_cast<int>(token.text.size()), static_cast<int>(token.begin), static_cast<int>(token.end));
        return code == SQLITE_OK;
    });
    return code;
}

}  // namespace

Status register_tokenizer(sqlite3* db) {
    fts5_api* api = nullptr;
    sqlite3_stmt* statement = nullptr;
    if (::sqlite3_prepare_v2(db, "SELECT fts5(?1)", -1, &statement, nullptr) == SQLITE_OK) {
        ::sqlite3_bind_pointer(statement, 1, static_cast<void*>(&api), "fts5_api_ptr", nullptr);
        ::sqlite3_step(statement);
    }
    ::sqlite3_finalize(statement);
    if (api == nullptr) return fail(Errc::Unsupported, "this SQLite has no FTS5");
    if (const int code = register_rank(api); code != SQLITE_OK)
        return fail(Errc::Bug, fmt::format("cannot register the ranking: {}", ::sqlite3_errstr(code)));
    fts5_tokenizer tokenizer{create, destroy, tokenize_for_fts5};
    if (const int code = api->xCreateTokenizer(api, "gk", nullptr, &tokenizer, nullptr); code != SQLITE_OK)
        return fail(Errc::Bug, fmt::format("cannot register the tokenizer: {}", ::sqlite3_errstr(code)));
    return ok();
}

}  // namespace gk::search
