// SPDX-License-Identifier: MIT
#include "common/store/threads.hpp"

#include <algorithm>
#include <cstring>
#include <map>

#include "common/base/digest.hpp"
#include "common/message/lineage.hpp"
#include "common/os/file.hpp"
#include "common/store/mailbox.hpp"
#include "common/store/object_id.hpp"
#include "common/store/state.hpp"

// Nothing of this happens when a message arrives: headers are read when somebody asks for conversations, once. What is
// then told must be the same for ever, so it is written down: up to which UID of a mailbox threads were told, in
// gk-state; and where a message is in another thread than its own header would begin, in its line of the uidlist.
namespace gk::store {

namespace {

constexpr std::size_t kMessagesAtOnce = 500;  // between two looks at the client, and in one transaction
// Ids lie anywhere in their table: where there are many, more of it is kept in memory meanwhile.
constexpr std::string_view kLargeCache = "PRAGMA cache_size = -8192", kUsualCache = "PRAGMA cache_size = -256";

struct Pending {
    bool known;  // it has a thread already, which was told
    std::int64_t key, date;
};

std::int64_t column(std::uint64_t number) { return static_cast<std::int64_t>(number); }

Result<Uid> threaded_in_index(State& state, std::int64_t mailbox) {
    GK_TRY(auto query, state.index.prepare("SELECT uid FROM threaded WHERE mailbox = ?"));
    GK_TRY(const bool row, query.bind(mailbox).step());
    if (!row) return Uid{0};
    const Uid uid = static_cast<Uid>(query.integer(0));
    query.reset();
    return uid;
}

// Mailboxes that have, or may have, messages without a thread.
Result<std::vector<std::int64_t>> behind(State& state) {
    GK_TRY(auto query, state.index.prepare("SELECT number FROM mailboxes LEFT JOIN threaded ON mailbox = number WHERE "
                                           "uidvalidity = 0 OR uidnext > coalesce(uid, 0) + 1"));
    std::vector<std::int64_t> numbers;
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) return numbers;
        numbers.push_back(query.integer(0));
    }
}

Result<std::optional<std::uint64_t>> thread_of_id(State& state, std::uint64_t id) {
    GK_TRY(auto query, state.index.prepare("SELECT thread FROM message_ids WHERE id = ?"));
    GK_TRY(const bool row, query.bind(column(id)).step());
    if (!row) return std::optional<std::uint64_t>();
    const auto thread = static_cast<std::uint64_t>(query.integer(0));
    query.reset();
    return std::optional(thread);
}

// The thread that the message would begin were it alone in the world.
std::uint64_t own_thread(const message::Lineage& lineage, const std::string& guid) {
    if (!lineage.references.empty()) return lineage.references.front();
    if (lineage.own != 0) return lineage.own;
    return std::max<std::uint64_t>(1, short_digest("guid:" + guid));
}

// The ids themselves before its ancestors', so that every copy of a message is where the first one is.
Result<std::optional<std::uint64_t>> known_thread(State& state, const message::Lineage& lineage) {
    if (lineage.own != 0) {
        GK_TRY(auto thread, thread_of_id(state, lineage.own));
        if (thread) return thread;
    }
    for (auto at = lineage.references.rbegin(); at != lineage.references.rend(); ++at) {
        GK_TRY(auto thread, thread_of_id(state, *at));
        if (thread) return thread;
    }
    return std::optional<std::uint64_t>();
}

Status remember_ids(State& state, const message::Lineage& lineage, std::uint64_t thread) {
    GK_TRY(auto insert, state.index.prepare("INSERT OR IGNORE INTO message_ids(id, thread) VALUES(?, ?)"));
    if (lineage.own != 0) GK_CHECK(insert.bind(column(lineage.own)).bind(column(thread)).run());
    for (const std::uint64_t id : lineage.references) GK_CHECK(insert.bind(column(id)).bind(column(thread)).run());
    return ok();
}

std::string_view bytes_of(const std::vector<std::uint64_t>& numbers) {
    return {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(std::uint64_t)};
}

}  // namespace

struct Threading::Work {
    struct Place {
        std::string path;
        std::uint32_t uidvalidity = 0;
        Uid told = 0;      // up to here threads were told, as gk-state says
        Uid threaded = 0;  // up to here the index has them
        Uid last = 0;      // the last that is there now
    };

    std::shared_ptr<Account> account;
    bool begun = false;
    std::map<std::int64_t, Place> places;  // mailboxes with something to do
    std::vector<Pending> pending;          // the oldest last, those that are known behind them all

    Status begin(State& state);
    Status place_message(State& state, const Pending& next);
    Status finish(State& state);
};

Status Threading::Work::begin(State& state) {
    GK_CHECK(sync_tree(state));
    GK_TRY(const auto numbers, behind(state));
    for (const std::int64_t number : numbers) {
        GK_TRY(auto found, find_record(state, number));
        if (!found) continue;
        Record& record = *found;
        if (record.uidvalidity == 0) GK_CHECK(refresh(state, record, false));
        Place place;
        GK_TRY(place.threaded, threaded_in_index(state, record.number));
        if (place.threaded + 1 >= record.uidnext) continue;
        place.path = state.path_of(record.name);
        place.uidvalidity = record.uidvalidity;
        place.last = record.uidnext - 1;
        GK_TRY(place.told, read_threaded(state, record));
        GK_TRY(auto query,
               state.index.prepare("SELECT key, internal_date, extra FROM messages WHERE key BETWEEN ? AND ? AND "
                                   "NOT EXISTS (SELECT 1 FROM threads WHERE threads.key = messages.key)"));
        query.bind(row_key(record.number, place.threaded + 1)).bind(row_key(record.number, place.last));
        for (;;) {
            GK_TRY(const bool row, query.step());
            if (!row) break;
            const bool known = static_cast<Uid>(query.integer(0) & 0xffffffff) <= place.told ||
                               !uidlist_field(query.text(2), 'T').empty();
            pending.push_back({known, query.integer(0), query.integer(1)});
        }
        places.emplace(record.number, std::move(place));
    }
    std::sort(pending.begin(), pending.end(), [](const Pending& a, const Pending& b) {
        if (a.known != b.known) return b.known;
        return a.date != b.date ? a.date > b.date : a.key > b.key;
    });
    return ok();
}

// In a write transaction.
Status Threading::Work::place_message(State& state, const Pending& next) {
    const std::int64_t mailbox = next.key >> 32;
    const Uid uid = static_cast<Uid>(next.key & 0xffffffff);
    const Place& place = places.at(mailbox);
    GK_TRY(auto message, load_message(state, mailbox, uid));
    if (!message) return ok();  // expunged meanwhile
    auto file = os::MappedFile::open(place.path + '/' + message->file);
    if (!file && file.error().code == Errc::NotFound) {
        const std::string found = find_file(place.path, base_of_file(message->file));
        if (found.empty()) return ok();
        file = os::MappedFile::open(place.path + '/' + found);
    }
    if (!file) return fail(file.error());
    const auto header = file->bytes().substr(0, state.options.message_limits.header_block);
    const message::Lineage lineage = message::read_lineage(header);
    const std::uint64_t own = own_thread(lineage, message_guid(base_of_file(message->file), message->extra));
    std::uint64_t thread = parse_thread_id(uidlist_field(message->extra, 'T'));
    if (thread == 0 && uid <= place.told) {
        thread = own;
    } else if (thread == 0) {
        GK_TRY(const auto known, known_thread(state, lineage));
        thread = known.value_or(own);
        if (thread != own) {
            GK_TRY(auto update, state.index.prepare("UPDATE messages SET extra = ? WHERE key = ?"));
            GK_CHECK(update.bind(with_uidlist_field(message->extra, 'T', thread_id(thread))).bind(next.key).run());
        }
    }
    GK_CHECK(remember_ids(state, lineage, thread));
    GK_TRY(auto insert,
           state.index.prepare("INSERT OR REPLACE INTO threads(key, thread, sent, own, ancestors, subject, reply) "
                               "VALUES(?,?,?,?,?,?,?)"));
    insert.bind(next.key).bind(column(thread)).bind(lineage.sent.value_or(message->row.internal_date));
    insert.bind(column(lineage.own));
    if (lineage.references.empty()) insert.bind_null();
    else insert.bind_blob(bytes_of(lineage.references));
    return insert.bind(column(lineage.subject)).bind(std::int64_t{lineage.is_reply}).run();
}

// In a write transaction. First what is not to be had from the header alone, then up to where it holds.
Status Threading::Work::finish(State& state) {
    for (const auto& [mailbox, place] : places) {
        GK_TRY(auto record, find_record(state, mailbox));
        if (!record || record->uidvalidity != place.uidvalidity) continue;
        GK_TRY(auto query, state.index.prepare("SELECT 1 FROM messages WHERE key BETWEEN ? AND ? AND (extra GLOB "
                                               "'T*' OR extra GLOB '* T*')"));
        query.bind(row_key(mailbox, place.threaded + 1)).bind(row_key(mailbox, place.last));
        GK_TRY(const bool written_down, query.step());
        query.reset();
        if (written_down) {
            if (!uidlist_is_ours(state, *record)) GK_CHECK(reconcile_mailbox(state, *record, true));
            GK_CHECK(rewrite_uidlist(state, *record));
            GK_CHECK(save_record(state, *record));
        }
        if (place.last > place.told) GK_CHECK(write_threaded(state, *record, place.last));
        GK_TRY(auto update, state.index.prepare("INSERT OR REPLACE INTO threaded(mailbox, uid) VALUES(?, ?)"));
        GK_CHECK(update.bind(mailbox).bind(std::int64_t{place.last}).run());
    }
    return ok();
}

Threading::Threading(std::shared_ptr<Account> account) : work_(std::make_unique<Work>()) {
    work_->account = std::move(account);
}
Threading::~Threading() = default;
Threading::Threading(Threading&&) noexcept = default;

Result<bool> Threading::resume() {
    State& state = work_->account->state();
    const Locked lock(state);
    if (!std::exchange(work_->begun, true)) GK_CHECK(work_->begin(state));
    if (work_->places.empty()) return true;
    const bool many = work_->pending.size() > kMessagesAtOnce;
    if (many) GK_CHECK(state.index.execute(kLargeCache));
    GK_TRY(auto transaction, WriteTransaction::begin(state));
    for (auto& [mailbox, place] : work_->places) {  // it may have been renamed since
        GK_TRY(const auto record, find_record(state, mailbox));
        if (record) place.path = state.path_of(record->name);
    }
    for (std::size_t count = 0; count < kMessagesAtOnce && !work_->pending.empty(); ++count) {
        GK_CHECK(work_->place_message(state, work_->pending.back()));
        work_->pending.pop_back();
    }
    const bool done = work_->pending.empty();
    if (done) GK_CHECK(work_->finish(state));
    GK_CHECK(transaction.commit());
    if (done) GK_CHECK(state.index.execute(kUsualCache));
    return done;
}

Status Mailbox::threads(std::span<const Uid> uids, const std::function<bool(const ThreadRow&)>& sink) {
    if (uids.empty()) return ok();
    State& state = account_->state();
    const Locked lock(state);
    if (const auto record = get_record(state, number_, uidvalidity_); !record) return fail(record.error());
    const bool dense = std::uint64_t{uids.back()} - uids.front() <= std::uint64_t{uids.size()} * 4;
    GK_TRY(auto query,
           state.index.prepare("SELECT key, thread, sent, own, ancestors, subject, reply FROM threads WHERE "
                               "key BETWEEN ? AND ?"));
    std::vector<std::uint64_t> ancestors;
    for (std::size_t i = 0; i < uids.size(); i = dense ? uids.size() : i + 1) {
        query.bind(row_key(number_, uids[i])).bind(row_key(number_, dense ? uids.back() : uids[i]));
        auto wanted = uids.begin() + static_cast<std::ptrdiff_t>(i);
        for (;;) {
            GK_TRY(const bool there, query.step());
            if (!there) break;
            ThreadRow row;
            row.uid = static_cast<Uid>(query.integer(0) & 0xffffffff);
            while (wanted != uids.end() && *wanted < row.uid) ++wanted;
            if (wanted == uids.end() || *wanted != row.uid) continue;
            row.thread = static_cast<std::uint64_t>(query.integer(1));
            row.sent = query.integer(2);
            row.own = static_cast<std::uint64_t>(query.integer(3));
            const auto blob = query.text(4);
            ancestors.resize(blob.size() / sizeof(std::uint64_t));
            if (!ancestors.empty())
                std::memcpy(ancestors.data(), blob.data(), ancestors.size() * sizeof(std::uint64_t));
            row.ancestors = ancestors;
            row.subject = static_cast<std::uint64_t>(query.integer(5));
            row.is_reply = query.integer(6) != 0;
            if (!sink(row)) {
                query.reset();
                return ok();
            }
        }
    }
    return ok();
}

}  // namespace gk::store
