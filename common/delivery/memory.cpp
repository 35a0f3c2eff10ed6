// SPDX-License-Identifier: MIT
#include "common/delivery/memory.hpp"

#include "common/os/file.hpp"

namespace gk::delivery {

Status Memory::open(bool create) {
    if (db_.is_open()) return ok();
    if (!create && !os::exists(path_)) return fail(Errc::NotFound, "nothing is remembered");
    GK_TRY(db_, db::Database::open(path_));
    return db_.migrate(
        {"CREATE TABLE remembered(kind INTEGER NOT NULL, key TEXT NOT NULL, until INTEGER NOT NULL,"
         " PRIMARY KEY(kind, key)) WITHOUT ROWID;"
         "CREATE INDEX remembered_until ON remembered(until)"});
}

Result<bool> Memory::look(Kind kind, std::string_view key, std::int64_t now_s) {
    GK_TRY(auto found, db_.prepare("SELECT 1 FROM remembered WHERE kind=? AND key=? AND until>?"));
    GK_TRY(const bool there, found.bind(static_cast<std::int64_t>(kind)).bind(key).bind(now_s).step());
    found.reset();
    return there;
}

Result<bool> Memory::knows(Kind kind, std::string_view key, std::int64_t now_s) {
    if (const auto opened = open(false); !opened) {
        if (opened.error().code == Errc::NotFound) return false;
        return fail(opened.error());
    }
    return look(kind, key, now_s);
}

Status Memory::put(Kind kind, std::string_view key, std::int64_t until_s, std::int64_t now_s) {
    GK_TRY(auto ended, db_.prepare("DELETE FROM remembered WHERE until<=?"));
    GK_CHECK(ended.bind(now_s).run());
    GK_TRY(auto written, db_.prepare("INSERT OR REPLACE INTO remembered VALUES(?,?,?)"));
    GK_CHECK(written.bind(static_cast<std::int64_t>(kind)).bind(key).bind(until_s).run());
    // Hostile senders are many: those that end first give way.
    GK_TRY(auto most, db_.prepare("DELETE FROM remembered WHERE (kind, key) IN (SELECT kind, key FROM remembered"
                                  " ORDER BY until DESC LIMIT -1 OFFSET ?)"));
    return most.bind(static_cast<std::int64_t>(most_)).run();
}

Result<bool> Memory::claim(Kind kind, std::string_view key, std::int64_t until_s, std::int64_t now_s) {
    GK_CHECK(open(true));
    GK_TRY(auto transaction, db::Transaction::begin(db_));
    GK_TRY(const bool known, look(kind, key, now_s));
    if (known) return false;
    GK_CHECK(put(kind, key, until_s, now_s));
    GK_CHECK(transaction.commit());
    return true;
}

Status Memory::remember(Kind kind, std::string_view key, std::int64_t until_s, std::int64_t now_s) {
    GK_CHECK(open(true));
    GK_TRY(auto transaction, db::Transaction::begin(db_));
    GK_CHECK(put(kind, key, until_s, now_s));
    return transaction.commit();
}

}  // namespace gk::delivery
