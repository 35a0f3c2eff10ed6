// SPDX-License-Identifier: MIT
#include "common/store/state.hpp"

#include <fmt/format.h>

#include "common/os/file.hpp"
#include "common/store/outline.hpp"

namespace gk::store {

namespace {

// key = mailbox << 32 | uid: messages of a mailbox lie together and in order, and a row needs no second index to be
// found.
const std::vector<std::string>& schema() {
    static const std::vector<std::string> steps = {
        R"(CREATE TABLE account(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
           CREATE TABLE mailboxes(
             number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,
             uidvalidity INTEGER NOT NULL, uidnext INTEGER NOT NULL, modseq INTEGER NOT NULL,
             recent_floor INTEGER NOT NULL, adopted INTEGER NOT NULL, history_floor INTEGER NOT NULL,
             messages INTEGER NOT NULL, unseen INTEGER NOT NULL, deleted INTEGER NOT NULL,
             bytes INTEGER NOT NULL, deleted_bytes INTEGER NOT NULL,
             special_use TEXT NOT NULL, guid TEXT NOT NULL, boot TEXT NOT NULL,
             uid_ceiling INTEGER NOT NULL, modseq_ceiling INTEGER NOT NULL,
             uidlist_inode INTEGER NOT NULL, uidlist_size INTEGER NOT NULL, uidlist_lines INTEGER NOT NULL,
             new_mtime_ns INTEGER NOT NULL, cur_mtime_ns INTEGER NOT NULL,
             new_trust INTEGER NOT NULL, cur_trust INTEGER NOT NULL);
           CREATE TABLE messages(
             key INTEGER PRIMARY KEY, mailbox INTEGER NOT NULL, modseq INTEGER NOT NULL,
             flags INTEGER NOT NULL, keywords INTEGER NOT NULL,
             internal_date INTEGER NOT NULL, saved_date INTEGER NOT NULL, size INTEGER NOT NULL,
             file TEXT NOT NULL, extra TEXT);
           CREATE INDEX messages_by_modseq ON messages(mailbox, modseq);
           CREATE INDEX messages_in_new ON messages(mailbox) WHERE file >= 'new/';
           CREATE TABLE expunged(
             mailbox INTEGER NOT NULL, modseq INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
             PRIMARY KEY(mailbox, modseq, first)) WITHOUT ROWID;
           CREATE TABLE keywords(
             mailbox INTEGER NOT NULL, bit INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY(mailbox, bit)) WITHOUT ROWID;
           CREATE TABLE structures(key INTEGER PRIMARY KEY, structure BLOB NOT NULL);)",
        // What an account keeps, so that a quota costs one look however many mailboxes there are; and what finds one
        // mailbox among very many.
        R"(CREATE TABLE totals(messages INTEGER NOT NULL, bytes INTEGER NOT NULL);
           INSERT INTO totals SELECT coalesce(sum(messages), 0), coalesce(sum(bytes), 0) FROM mailboxes;
           CREATE TRIGGER totals_insert AFTER INSERT ON mailboxes WHEN NEW.messages != 0 OR NEW.bytes != 0 BEGIN
             UPDATE totals SET messages = messages + NEW.messages, bytes = bytes + NEW.bytes; END;
           CREATE TRIGGER totals_update AFTER UPDATE OF messages, bytes ON mailboxes
             WHEN NEW.messages != OLD.messages OR NEW.bytes != OLD.bytes BEGIN
             UPDATE totals SET messages = messages + NEW.messages - OLD.messages, bytes = bytes + NEW.bytes - OLD.bytes; END;
           CREATE TRIGGER totals_delete AFTER DELETE ON mailboxes WHEN OLD.messages != 0 OR OLD.bytes != 0 BEGIN
             UPDATE totals SET messages = messages - OLD.messages, bytes = bytes - OLD.bytes; END;
           CREATE INDEX mailboxes_by_uidvalidity ON mailboxes(uidvalidity);
           CREATE INDEX mailboxes_by_use ON mailboxes(special_use) WHERE special_use != '';
           CREATE INDEX mailboxes_by_folded_name ON mailboxes(name COLLATE NOCASE);)",
        // What FETCH asks for most comes first: SQLite reads a row's columns up to the last that is wanted.
        R"(DROP TABLE structures;
           CREATE TABLE structures(
             key INTEGER PRIMARY KEY, envelope BLOB NOT NULL, body_structure BLOB NOT NULL, structure BLOB NOT NULL);)",
        "CREATE TABLE previews(key INTEGER PRIMARY KEY, preview TEXT NOT NULL);",
        // Conversations; see threads.cpp. SUBJECT and the ids are digests.
        R"(CREATE TABLE threads(
             key INTEGER PRIMARY KEY, thread INTEGER NOT NULL, sent INTEGER NOT NULL,
             own INTEGER NOT NULL, ancestors BLOB, subject INTEGER NOT NULL, reply INTEGER NOT NULL);
           CREATE INDEX threads_by_thread ON threads(thread);
           CREATE TABLE message_ids(id INTEGER PRIMARY KEY, thread INTEGER NOT NULL);
           CREATE TABLE threaded(mailbox INTEGER PRIMARY KEY, uid INTEGER NOT NULL);
           CREATE INDEX mailboxes_by_guid ON mailboxes(guid);)",
        // See changed.cpp. Of what was before, all may have changed.
        R"(DROP INDEX messages_by_modseq;
           CREATE TABLE changed(
             mailbox INTEGER NOT NULL, modseq INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
             PRIMARY KEY(mailbox, modseq, first)) WITHOUT ROWID;
           INSERT INTO changed SELECT number, modseq, 1, 4294967295 FROM mailboxes;)",
        // See columns.cpp.
        "CREATE TABLE columns(key INTEGER PRIMARY KEY, version INTEGER NOT NULL, pieces BLOB NOT NULL);",
        // Which index this is; see outline.cpp.
        "INSERT OR REPLACE INTO account(key, value) VALUES('index', lower(hex(randomblob(16))));",
    };
    return steps;
}

constexpr std::string_view kColumns =
    "number, name, uidvalidity, uidnext, modseq, recent_floor, adopted, history_floor, messages, unseen, deleted, "
    "bytes, "
    "deleted_bytes, special_use, guid, boot, uid_ceiling, modseq_ceiling, uidlist_inode, uidlist_size, uidlist_lines, "
    "new_mtime_ns, cur_mtime_ns, new_trust, cur_trust";

Record read_record(const db::Statement& row) {
    Record r;
    int c = 0;
    const auto number = [&] { return row.integer(c++); };
    const auto text = [&] { return std::string(row.text(c++)); };
    r.number = number();
    r.name = text();
    r.uidvalidity = static_cast<std::uint32_t>(number());
    r.uidnext = static_cast<Uid>(number());
    r.modseq = static_cast<ModSeq>(number());
    r.recent_floor = static_cast<Uid>(number());
    r.adopted = static_cast<Uid>(number());
    r.history_floor = static_cast<ModSeq>(number());
    r.messages = static_cast<std::uint32_t>(number());
    r.unseen = static_cast<std::uint32_t>(number());
    r.deleted = static_cast<std::uint32_t>(number());
    r.bytes = static_cast<std::uint64_t>(number());
    r.deleted_bytes = static_cast<std::uint64_t>(number());
    r.special_use = text();
    r.guid = text();
    r.boot = text();
    r.uid_ceiling = static_cast<Uid>(number());
    r.modseq_ceiling = static_cast<ModSeq>(number());
    r.uidlist_inode = number();
    r.uidlist_size = number();
    r.uidlist_lines = number();
    r.new_mtime_ns = number();
    r.cur_mtime_ns = number();
    r.new_trust = static_cast<int>(number());
    r.cur_trust = static_cast<int>(number());
    return r;
}

// All columns after the number, in the order of kColumns.
void bind_record(db::Statement& s, const Record& r) {
    const auto n = [](auto value) { return static_cast<std::int64_t>(value); };
    s.bind(r.name)
        .bind(n(r.uidvalidity))
        .bind(n(r.uidnext))
        .bind(n(r.modseq))
        .bind(n(r.recent_floor))
        .bind(n(r.adopted));
    s.bind(n(r.history_floor))
        .bind(n(r.messages))
        .bind(n(r.unseen))
        .bind(n(r.deleted))
        .bind(n(r.bytes))
        .bind(n(r.deleted_bytes));
    s.bind(r.special_use)
        .bind(r.guid)
        .bind(r.boot)
        .bind(n(r.uid_ceiling))
        .bind(n(r.modseq_ceiling))
        .bind(r.uidlist_inode);
    s.bind(r.uidlist_size)
        .bind(r.uidlist_lines)
        .bind(r.new_mtime_ns)
        .bind(r.cur_mtime_ns)
        .bind(n(r.new_trust))
        .bind(n(r.cur_trust));
}

Result<std::optional<Record>> one_record(db::Statement& query) {
    GK_TRY(const bool row, query.step());
    if (!row) return std::optional<Record>();
    Record record = read_record(query);
    query.reset();
    return std::optional(std::move(record));
}

constexpr std::string_view kMessageColumns =
    "key, modseq, flags, keywords, internal_date, saved_date, size, file, extra";

StoredRow read_message(const db::Statement& row) {
    StoredRow m;
    m.row.uid = static_cast<Uid>(row.integer(0) & 0xffffffff);
    m.row.modseq = static_cast<ModSeq>(row.integer(1));
    m.row.flags = static_cast<Flags>(row.integer(2));
    m.row.keywords = static_cast<KeywordMask>(row.integer(3));
    m.row.internal_date = row.integer(4);
    m.row.saved_date = row.integer(5);
    m.row.size = static_cast<std::uint64_t>(row.integer(6));
    m.file = row.text(7);
    m.extra = row.text(8);
    return m;
}

void count(Record& record, const Row& row, int sign) {
    const auto add = [sign](auto& counter, std::uint64_t amount) {
        using Counter = std::remove_reference_t<decltype(counter)>;
        const auto value = static_cast<Counter>(amount);
        counter = sign > 0 ? counter + value : counter >= value ? counter - value : 0;
    };
    add(record.messages, 1);
    add(record.bytes, row.size);
    if ((row.flags & kSeen) == 0) add(record.unseen, 1);
    if ((row.flags & kDeleted) != 0) {
        add(record.deleted, 1);
        add(record.deleted_bytes, row.size);
    }
}

// All but what indexes are made of.
Status save_counters(State& state, const Record& record) {
    GK_TRY(auto update,
           state.index.prepare("UPDATE mailboxes SET uidnext=?, modseq=?, recent_floor=?, adopted=?, history_floor=?, "
                               "messages=?, unseen=?, deleted=?, bytes=?, deleted_bytes=?, boot=?, uid_ceiling=?, "
                               "modseq_ceiling=?, uidlist_inode=?, uidlist_size=?, uidlist_lines=?, new_mtime_ns=?, "
                               "cur_mtime_ns=?, new_trust=?, cur_trust=? WHERE number=?"));
    const auto bind = [&](auto... values) { (update.bind(static_cast<std::int64_t>(values)), ...); };
    bind(record.uidnext, record.modseq, record.recent_floor, record.adopted, record.history_floor, record.messages,
         record.unseen, record.deleted, record.bytes, record.deleted_bytes);
    update.bind(record.boot);
    bind(record.uid_ceiling, record.modseq_ceiling, record.uidlist_inode, record.uidlist_size, record.uidlist_lines,
         record.new_mtime_ns, record.cur_mtime_ns, record.new_trust, record.cur_trust, record.number);
    return update.run();
}

Status delete_range(State& state, std::int64_t mailbox, Uid first, Uid last) {
    for (const char* sql :
         {"DELETE FROM messages WHERE key BETWEEN ? AND ?", "DELETE FROM structures WHERE key BETWEEN ? AND ?",
          "DELETE FROM previews WHERE key BETWEEN ? AND ?", "DELETE FROM threads WHERE key BETWEEN ? AND ?"}) {
        GK_TRY(auto remove, state.index.prepare(sql));
        GK_CHECK(remove.bind(row_key(mailbox, first)).bind(row_key(mailbox, last)).run());
    }
    return ok();
}

// A client that was away for longer is told every UID that is not there, which is right, only longer.
constexpr std::int64_t kMaxHistory = 50'000;

Status forget_history(State& state, Record& record) {
    GK_TRY(auto count_query, state.index.prepare("SELECT count(*) FROM expunged WHERE mailbox = ?"));
    GK_TRY(const bool row, count_query.bind(record.number).step());
    const std::int64_t ranges = row ? count_query.integer(0) : 0;
    count_query.reset();
    if (ranges <= kMaxHistory) return ok();
    GK_TRY(auto middle,
           state.index.prepare("SELECT modseq FROM expunged WHERE mailbox = ? ORDER BY modseq LIMIT 1 OFFSET ?"));
    GK_TRY(const bool found, middle.bind(record.number).bind(ranges / 2).step());
    if (!found) return ok();
    record.history_floor = std::max(record.history_floor, static_cast<ModSeq>(middle.integer(0)));
    middle.reset();
    GK_TRY(auto forget, state.index.prepare("DELETE FROM expunged WHERE mailbox = ? AND modseq <= ?"));
    return forget.bind(record.number).bind(static_cast<std::int64_t>(record.history_floor)).run();
}

Result<db::Database> open_and_migrate(const std::string& path) {
    db::Options options;
    options.synchronous_full = false;
    GK_TRY(db::Database database, db::Database::open(path, options));
    // Debian's SQLite overwrites what it frees, which for a mailbox's worth of structures is as much work as writing
    // them. The files that they were made of are not overwritten either.
    GK_CHECK(database.execute("PRAGMA secure_delete=FAST"));
    GK_CHECK(database.migrate(schema()));
    return database;
}

}  // namespace

Result<db::Database> open_index(const std::string& home) {
    const std::string path = home + "/index.db";
    auto database = open_and_migrate(path);
    if (database || database.error().code != Errc::Permanent) return database;
    // Not a database, or a damaged one: everything in it can be had from the files again.
    GK_CHECK(os::rename(path, path + ".damaged"));
    for (const char* suffix : {"-wal", "-shm"}) (void)os::unlink(path + suffix);
    return open_and_migrate(path);
}

std::int64_t row_key(std::int64_t mailbox, Uid uid) noexcept { return mailbox << 32 | uid; }

Result<std::optional<Record>> find_record(State& state, std::string_view name) {
    static const std::string sql = fmt::format("SELECT {} FROM mailboxes WHERE name = ?", kColumns);
    GK_TRY(auto query, state.index.prepare(sql));
    query.bind(name);
    return one_record(query);
}

Result<std::optional<Record>> find_record(State& state, std::int64_t number) {
    static const std::string sql = fmt::format("SELECT {} FROM mailboxes WHERE number = ?", kColumns);
    GK_TRY(auto query, state.index.prepare(sql));
    query.bind(number);
    return one_record(query);
}

Result<std::vector<Record>> all_records(State& state) {
    static const std::string sql = fmt::format("SELECT {} FROM mailboxes ORDER BY name", kColumns);
    GK_TRY(auto query, state.index.prepare(sql));
    std::vector<Record> records;
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) return records;
        records.push_back(read_record(query));
    }
}

Result<std::vector<Record>> records_below(State& state, std::string_view name) {
    static const std::string sql =
        fmt::format("SELECT {} FROM mailboxes WHERE name = ? OR (name > ? AND name < ?) ORDER BY name", kColumns);
    GK_TRY(auto query, state.index.prepare(sql));
    query.bind(name).bind(std::string(name) + '/').bind(std::string(name) + '0');  // what follows "/" in ASCII
    std::vector<Record> records;
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) return records;
        records.push_back(read_record(query));
    }
}

Result<Record> get_record(State& state, std::int64_t number, std::uint32_t uidvalidity) {
    GK_TRY(auto record, find_record(state, number));
    if (!record || record->uidvalidity != uidvalidity) return fail(Errc::NotFound, "the mailbox was removed");
    return std::move(*record);
}

Status insert_record(State& state, Record& record) {
    static const std::string sql =
        fmt::format("INSERT INTO mailboxes({}) VALUES(NULL,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", kColumns);
    GK_TRY(auto insert, state.index.prepare(sql));
    bind_record(insert, record);
    GK_CHECK(insert.run());
    record.number = state.index.last_insert_rowid();
    return ok();
}

Status save_record(State& state, const Record& record) {
    // SQLite writes an index anew for each column that is named, changed or not.
    GK_TRY(auto same, state.index.prepare("SELECT 1 FROM mailboxes WHERE number=? AND name=? AND uidvalidity=? AND "
                                          "special_use=? AND guid=?"));
    same.bind(record.number).bind(record.name).bind(std::int64_t{record.uidvalidity});
    GK_TRY(const bool unchanged, same.bind(record.special_use).bind(record.guid).step());
    same.reset();
    if (unchanged) return save_counters(state, record);
    GK_TRY(auto update, state.index.prepare("UPDATE mailboxes SET name=?, uidvalidity=?, uidnext=?, modseq=?, "
                                            "recent_floor=?, adopted=?, history_floor=?, messages=?, "
                                            "unseen=?, deleted=?, bytes=?, deleted_bytes=?, special_use=?, guid=?, "
                                            "boot=?, uid_ceiling=?, modseq_ceiling=?, "
                                            "uidlist_inode=?, uidlist_size=?, uidlist_lines=?, new_mtime_ns=?, "
                                            "cur_mtime_ns=?, new_trust=?, cur_trust=? WHERE number=?"));
    bind_record(update, record);
    update.bind(record.number);
    return update.run();
}

Status delete_messages(State& state, std::int64_t mailbox) {
    forget_outline(state, mailbox);
    GK_CHECK(delete_range(state, mailbox, 0, 0xffffffff));
    GK_TRY(auto columns, state.index.prepare("DELETE FROM columns WHERE key BETWEEN ? AND ?"));
    GK_CHECK(columns.bind(row_key(mailbox, 0)).bind(row_key(mailbox, 0xffffffff)).run());
    for (const char* sql : {"DELETE FROM expunged WHERE mailbox = ?", "DELETE FROM keywords WHERE mailbox = ?",
                            "DELETE FROM changed WHERE mailbox = ?", "DELETE FROM threaded WHERE mailbox = ?"}) {
        GK_TRY(auto remove, state.index.prepare(sql));
        GK_CHECK(remove.bind(mailbox).run());
    }
    return ok();
}

Status insert_message(State& state, Record& record, const StoredRow& m) {
    GK_TRY(auto insert,
           state.index.prepare("INSERT INTO messages(key, mailbox, modseq, flags, keywords, internal_date, saved_date, "
                               "size, file, extra) VALUES(?,?,?,?,?,?,?,?,?,?)"));
    insert.bind(row_key(record.number, m.row.uid)).bind(record.number).bind(static_cast<std::int64_t>(m.row.modseq));
    insert.bind(static_cast<std::int64_t>(m.row.flags)).bind(static_cast<std::int64_t>(m.row.keywords));
    insert.bind(m.row.internal_date).bind(m.row.saved_date).bind(static_cast<std::int64_t>(m.row.size)).bind(m.file);
    if (m.extra.empty()) insert.bind_null();
    else insert.bind(m.extra);
    GK_CHECK(insert.run());
    note_touched(state, record.number, m.row.modseq, m.row.uid);
    count(record, m.row, 1);
    return ok();
}

Status update_message(State& state, Record& record, const Row& before, const StoredRow& after) {
    GK_TRY(auto update, state.index.prepare("UPDATE messages SET modseq=?, flags=?, keywords=?, file=? WHERE key=?"));
    update.bind(static_cast<std::int64_t>(after.row.modseq)).bind(static_cast<std::int64_t>(after.row.flags));
    update.bind(static_cast<std::int64_t>(after.row.keywords))
        .bind(after.file)
        .bind(row_key(record.number, after.row.uid));
    GK_CHECK(update.run());
    if (after.row.modseq != before.modseq) note_touched(state, record.number, after.row.modseq, after.row.uid);
    count(record, before, -1);
    count(record, after.row, 1);
    return ok();
}

Status delete_messages(State& state, Record& record, std::span<const Row> rows) {
    for (std::size_t i = 0; i < rows.size();) {
        const std::size_t begin = i;
        for (; i == begin || (i < rows.size() && rows[i].uid == rows[i - 1].uid + 1); ++i) count(record, rows[i], -1);
        GK_CHECK(delete_range(state, record.number, rows[begin].uid, rows[i - 1].uid));
    }
    return ok();
}

Status record_expunged(State& state, Record& record, const std::vector<Uid>& uids, ModSeq modseq) {
    GK_TRY(auto insert,
           state.index.prepare("INSERT OR REPLACE INTO expunged(mailbox, modseq, first, last) VALUES(?,?,?,?)"));
    for (std::size_t i = 0; i < uids.size();) {
        std::size_t end = i + 1;
        while (end < uids.size() && uids[end] == uids[end - 1] + 1) ++end;
        insert.bind(record.number).bind(static_cast<std::int64_t>(modseq)).bind(static_cast<std::int64_t>(uids[i]));
        GK_CHECK(insert.bind(static_cast<std::int64_t>(uids[end - 1])).run());
        i = end;
    }
    // Counting reads the whole history, so not every time.
    return modseq % 256 == 0 ? forget_history(state, record) : ok();
}

Result<std::optional<StoredRow>> load_message(State& state, std::int64_t mailbox, Uid uid) {
    static const std::string sql = fmt::format("SELECT {} FROM messages WHERE key = ?", kMessageColumns);
    GK_TRY(auto query, state.index.prepare(sql));
    query.bind(row_key(mailbox, uid));
    GK_TRY(const bool row, query.step());
    if (!row) return std::optional<StoredRow>();
    std::optional<StoredRow> message = read_message(query);
    query.reset();
    return message;
}

Result<std::vector<StoredRow>> load_messages(State& state, std::int64_t mailbox, std::span<const Uid> uids) {
    std::vector<StoredRow> messages;
    if (uids.empty()) return messages;
    // One range scan where it would not read much more than is wanted, else one look-up each.
    if (std::uint64_t{uids.back()} - uids.front() > uids.size() * 4) {
        for (const Uid uid : uids) {
            GK_TRY(auto message, load_message(state, mailbox, uid));
            if (message) messages.push_back(std::move(*message));
        }
        return messages;
    }
    static const std::string sql = fmt::format("SELECT {} FROM messages WHERE key BETWEEN ? AND ?", kMessageColumns);
    GK_TRY(auto query, state.index.prepare(sql));
    query.bind(row_key(mailbox, uids.front())).bind(row_key(mailbox, uids.back()));
    messages.reserve(uids.size());
    auto wanted = uids.begin();
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) return messages;
        const Uid uid = static_cast<Uid>(query.integer(0) & 0xffffffff);
        while (wanted != uids.end() && *wanted < uid) ++wanted;
        if (wanted != uids.end() && *wanted == uid) messages.push_back(read_message(query));
    }
}

}  // namespace gk::store
