// SPDX-License-Identifier: MIT
#include "common/db/database.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <chrono>
#include <thread>
#include <unordered_map>

namespace gk::db {

namespace {

Errc code_of(int sqlite_code) {
    switch (sqlite_code & 0xff) {
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
        case SQLITE_FULL:
        case SQLITE_IOERR:
        case SQLITE_NOMEM:
        case SQLITE_INTERRUPT:
        case SQLITE_PROTOCOL:
        case SQLITE_SCHEMA: return Errc::Temporary;
        case SQLITE_CONSTRAINT: return Errc::Exists;
        case SQLITE_PERM:
        case SQLITE_AUTH:
        case SQLITE_READONLY: return Errc::Denied;
        case SQLITE_CANTOPEN: return Errc::NotFound;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
        case SQLITE_TOOBIG: return Errc::Permanent;
        default: return Errc::Bug;
    }
}

Error sqlite_error(sqlite3* db, std::string_view what) {
    const char* file = ::sqlite3_db_filename(db, "main");
    return {code_of(::sqlite3_extended_errcode(db)),
            fmt::format("{} in '{}': {}", what, file != nullptr ? file : "", ::sqlite3_errmsg(db)),
            ::sqlite3_system_errno(db)};
}

}  // namespace

struct Database::Cache {
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view s) const noexcept { return std::hash<std::string_view>{}(s); }
    };
    std::unordered_map<std::string, std::shared_ptr<sqlite3_stmt>, Hash, std::equal_to<>> statements;
};

Statement& Statement::bind(std::int64_t value) {
    ::sqlite3_bind_int64(statement_.get(), ++bound_, value);
    return *this;
}

Statement& Statement::bind(std::string_view text) {
    ::sqlite3_bind_text64(statement_.get(), ++bound_, text.empty() ? "" : text.data(), text.size(), SQLITE_TRANSIENT,
                          SQLITE_UTF8);
    return *this;
}

Statement& Statement::bind_blob(std::string_view bytes) {
    ::sqlite3_bind_blob64(statement_.get(), ++bound_, bytes.empty() ? "" : bytes.data(), bytes.size(),
                          SQLITE_TRANSIENT);
    return *this;
}

Statement& Statement::bind_null() {
    ::sqlite3_bind_null(statement_.get(), ++bound_);
    return *this;
}

Result<bool> Statement::step() {
    const int code = ::sqlite3_step(statement_.get());
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) {
        reset();
        return false;
    }
    Error error = sqlite_error(db_, "cannot run a query");
    reset();
    return tl::unexpected<Error>(std::move(error));
}

Status Statement::run() {
    for (;;) {
        GK_TRY(const bool row, step());
        if (!row) return ok();
    }
}

void Statement::reset() {
    ::sqlite3_reset(statement_.get());
    ::sqlite3_clear_bindings(statement_.get());
    bound_ = 0;
}

std::int64_t Statement::integer(int column) const { return ::sqlite3_column_int64(statement_.get(), column); }

std::string_view Statement::text(int column) const {
    const void* bytes = ::sqlite3_column_blob(statement_.get(), column);
    const int size = ::sqlite3_column_bytes(statement_.get(), column);
    return bytes == nullptr ? std::string_view()
                            : std::string_view(static_cast<const char*>(bytes), static_cast<std::size_t>(size));
}

bool Statement::is_null(int column) const { return ::sqlite3_column_type(statement_.get(), column) == SQLITE_NULL; }

Result<Database> Database::open(const std::string& path, const Options& options) {
    struct stat status {};
    const bool exists = path == ":memory:" || ::stat(path.c_str(), &status) == 0;
    if (!exists && errno != ENOENT) return fail_errno(fmt::format("cannot open '{}'", path));
    if (!exists) {
        if (!options.create || options.read_only) return fail(os_error(ENOENT, fmt::format("cannot open '{}'", path)));
        // SQLite would create it 0644; -wal and -shm inherit the main file's mode.
        const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, options.mode);
        if (fd < 0) return fail_errno(fmt::format("cannot create '{}'", path));
        ::fchmod(fd, options.mode);
        ::close(fd);
    }
    Database database;
    sqlite3* raw = nullptr;
    const int flags = (options.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) | SQLITE_OPEN_NOMUTEX;
    const int code = ::sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
    // Statements live in the cache, which is released first; sqlite3_close_v2 also copes with stragglers.
    database.db_ = std::shared_ptr<sqlite3>(raw, ::sqlite3_close_v2);
    database.cache_ = std::make_shared<Cache>();
    // SQLite itself would say only that it cannot.
    if (const int why = raw != nullptr ? ::sqlite3_system_errno(raw) : 0; code == SQLITE_CANTOPEN && why != 0)
        return fail(os_error(why, fmt::format("cannot open '{}'", path)));
    if (code != SQLITE_OK)
        return fail(code_of(code), fmt::format("cannot open '{}': {}", path,
                                               raw != nullptr ? ::sqlite3_errmsg(raw) : ::sqlite3_errstr(code)));
    ::sqlite3_extended_result_codes(raw, 1);
    ::sqlite3_busy_timeout(raw, options.busy_timeout_ms);
    if (options.persist_wal) {
        int on = 1;
        ::sqlite3_file_control(raw, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
    }
    std::string pragmas =
        fmt::format("PRAGMA synchronous={}; PRAGMA cache_size=-{}; PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY;",
                    options.synchronous_full ? "FULL" : "NORMAL", options.cache_kib);
    GK_CHECK(database.execute(pragmas));
    if (!options.read_only) {
        // The switch to WAL of a new database does not ask the busy handler: two that open it first at once would
        // not wait for each other.
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(options.busy_timeout_ms);
        for (;;) {
            const int switched = ::sqlite3_exec(raw, "PRAGMA journal_mode=WAL", nullptr, nullptr, nullptr);
            if (switched == SQLITE_OK) break;
            if ((switched & 0xff) != SQLITE_BUSY || std::chrono::steady_clock::now() > deadline)
                return fail(code_of(switched), fmt::format("cannot open '{}': {}", path, ::sqlite3_errmsg(raw)));
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        }
    }
    return database;
}

Result<Statement> Database::prepare(std::string_view sql) {
    Statement statement;
    statement.db_ = db_.get();
    if (const auto found = cache_->statements.find(sql); found != cache_->statements.end()) {
        statement.statement_ = found->second;
        statement.reset();
        return statement;
    }
    sqlite3_stmt* raw = nullptr;
    if (::sqlite3_prepare_v3(db_.get(), sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &raw,
                             nullptr) != SQLITE_OK)
        return fail(sqlite_error(db_.get(), fmt::format("cannot prepare \"{}\"", sql)));
    statement.statement_ = std::shared_ptr<sqlite3_stmt>(raw, ::sqlite3_finalize);
    cache_->statements.emplace(std::string(sql), statement.statement_);
    return statement;
}

Status Database::execute(std::string_view sql) {
    if (::sqlite3_exec(db_.get(), std::string(sql).c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
        return fail(sqlite_error(db_.get(), "cannot run a statement"));
    return ok();
}

std::int64_t Database::last_insert_rowid() const noexcept { return ::sqlite3_last_insert_rowid(db_.get()); }
std::int64_t Database::changes() const noexcept { return ::sqlite3_changes64(db_.get()); }

Status Database::migrate(const std::vector<std::string>& steps) {
    const auto version_now = [this]() -> Result<std::size_t> {
        GK_TRY(Statement query, prepare("PRAGMA user_version"));
        GK_TRY(const bool row, query.step());
        const auto version = row ? query.integer(0) : 0;
        query.reset();
        return static_cast<std::size_t>(version);
    };
    GK_TRY(std::size_t version, version_now());
    if (version > steps.size())
        return fail(Errc::Unsupported,
                    fmt::format("'{}' has schema version {}, newer than this program's {}: use the newer gk",
                                ::sqlite3_db_filename(db_.get(), "main"), version, steps.size()));
    while (version < steps.size()) {
        GK_TRY(Transaction transaction, Transaction::begin(*this));
        // Another process may have migrated while we waited for the lock.
        GK_TRY(const std::size_t current, version_now());
        if (current == version) {
            GK_CHECK(execute(steps[version]));
            GK_CHECK(execute(fmt::format("PRAGMA user_version={}", version + 1)));
        }
        GK_CHECK(transaction.commit());
        version = std::max(current, version + 1);
    }
    return ok();
}

Result<Transaction> Transaction::begin(Database& db) {
    GK_TRY(Statement statement, db.prepare("BEGIN IMMEDIATE"));
    GK_CHECK(statement.run());
    return Transaction(&db);
}

Transaction::~Transaction() {
    if (db_ == nullptr) return;
    // Full disk and I/O errors roll back by themselves; then there is nothing left to undo.
    if (::sqlite3_get_autocommit(db_->raw()) == 0) {
        if (auto statement = db_->prepare("ROLLBACK")) (void)statement->run();
    }
}

Status Transaction::commit() {
    GK_TRY(Statement statement, db_->prepare("COMMIT"));
    GK_CHECK(statement.run());
    db_ = nullptr;
    return ok();
}

}  // namespace gk::db
