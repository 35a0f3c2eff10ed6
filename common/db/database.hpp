// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"

struct sqlite3;
struct sqlite3_stmt;

// SQLite as gk uses it: WAL, prepared statements kept, errors as Result (SQLITE_BUSY, FULL and IOERR are
// Temporary, CORRUPT and NOTADB Permanent). A Database and its Statements belong to one thread at a time.
namespace gk::db {

struct Options {
    bool create = true;
    bool read_only = false;
    bool synchronous_full = true;  // false: NORMAL, for caches that can be rebuilt
    bool persist_wal = false;      // keep -wal and -shm at close, so that a reader without write rights works
    unsigned mode = 0600;          // of a new file
    int busy_timeout_ms = 10'000;
    int cache_kib = 256;
};

class Statement {
public:
    Statement() = default;
    // Binds from 1 on, in order; every bind counts up. Text and blobs are copied.
    Statement& bind(std::int64_t value);
    Statement& bind(std::string_view text);
    Statement& bind_blob(std::string_view bytes);
    Statement& bind_null();
    // true: a row is there; false: done. After done or an error the statement is reset and may be bound anew.
    Result<bool> step();
    Status run();  // step to the end, rows ignored
    void reset();  // for leaving a SELECT early

    // Columns of the current row, from 0. Views live until the next step or reset.
    std::int64_t integer(int column) const;
    std::string_view text(int column) const;  // also for blobs
    bool is_null(int column) const;

private:
    friend class Database;
    std::shared_ptr<sqlite3_stmt> statement_;
    sqlite3* db_ = nullptr;
    int bound_ = 0;
};

class Database {
public:
    static Result<Database> open(const std::string& path, const Options& options = {});
    Database() = default;
    Database(Database&&) noexcept = default;
    Database& operator=(Database&&) noexcept = default;

    // Prepared once for each SQL text and kept; the same Statement is given out again, reset and unbound.
    Result<Statement> prepare(std::string_view sql);
    Status execute(std::string_view sql);  // one or more statements without results
    std::int64_t last_insert_rowid() const noexcept;
    std::int64_t changes() const noexcept;

    // Brings the schema (PRAGMA user_version) up to steps.size() by running the missing steps, each in a
    // transaction; refuses a version from the future.
    Status migrate(const std::vector<std::string>& steps);

    bool is_open() const noexcept { return db_ != nullptr; }
    sqlite3* raw() const noexcept { return db_.get(); }

private:
    std::shared_ptr<sqlite3> db_;
    struct Cache;
    std::shared_ptr<Cache> cache_;
};

// BEGIN IMMEDIATE now; rolls back unless commit() succeeded.
class Transaction {
public:
    static Result<Transaction> begin(Database& db);
    Transaction(Transaction&& other) noexcept : db_(std::exchange(other.db_, nullptr)) {}
    Transaction(const Transaction&) = delete;
    ~Transaction();
    Status commit();

private:
    explicit Transaction(Database* db) : db_(db) {}
    Database* db_;
};

}  // namespace gk::db
