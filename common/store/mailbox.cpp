// SPDX-License-Identifier: MIT
#include "common/store/mailbox.hpp"

#include <fmt/format.h>

#include "common/maildir/name.hpp"
#include "common/store/object_id.hpp"
#include "common/store/outline.hpp"
#include "common/store/state.hpp"

// What a session reads of a mailbox.
namespace gk::store {

namespace {

Row read_row(const db::Statement& query) {
    Row row;
    row.uid = static_cast<Uid>(query.integer(0) & 0xffffffff);
    row.modseq = static_cast<ModSeq>(query.integer(1));
    row.flags = static_cast<Flags>(query.integer(2));
    row.keywords = static_cast<KeywordMask>(query.integer(3));
    row.internal_date = query.integer(4);
    row.saved_date = query.integer(5);
    row.size = static_cast<std::uint64_t>(query.integer(6));
    return row;
}

// Every UID below UIDNEXT that no message has: what may be said where expunges are not remembered (RFC 7162, 3.2.5.1).
Result<std::vector<UidRange>> all_gaps(State& state, const Record& record) {
    std::vector<UidRange> gaps;
    Uid expected = 1;
    GK_TRY(auto query, state.index.prepare("SELECT key FROM messages WHERE key BETWEEN ? AND ?"));
    query.bind(row_key(record.number, 0)).bind(row_key(record.number, 0xffffffff));
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) break;
        const Uid uid = static_cast<Uid>(query.integer(0) & 0xffffffff);
        if (uid > expected) gaps.push_back({expected, uid - 1});
        expected = uid + 1;
    }
    if (record.uidnext > expected) gaps.push_back({expected, record.uidnext - 1});
    return gaps;
}

// A session with write access has seen all there is: nothing is recent to the next.
Status take_recent(State& state, Record& record) {
    if (record.recent_floor >= record.uidnext) return ok();
    GK_TRY(auto transaction, WriteTransaction::begin(state));
    GK_TRY(record, get_record(state, record.number, record.uidvalidity));
    record.recent_floor = record.uidnext;
    GK_CHECK(save_record(state, record));
    return transaction.commit();
}

Result<bool> has_files_in_new(State& state, std::int64_t mailbox) {
    GK_TRY(auto query, state.index.prepare("SELECT 1 FROM messages WHERE mailbox = ? AND file >= 'new/' LIMIT 1"));
    GK_TRY(const bool row, query.bind(mailbox).step());
    if (row) query.reset();
    return row;
}

constexpr std::size_t kMovedAtOnce = 200;  // a few milliseconds

}  // namespace

Status read_rows(db::Statement& query, Rows& rows) {
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) return ok();
        rows.push_back(read_row(query));
    }
}

Result<Vanished> vanished_in(State& state, const Record& record, ModSeq modseq) {
    // A mod-sequence that was never given out here says nothing about what its bearer knows.
    if (modseq < record.history_floor || modseq > record.modseq) {
        GK_TRY(auto gaps, all_gaps(state, record));
        return Vanished{std::move(gaps), false};
    }
    GK_TRY(auto query, state.index.prepare("SELECT first, last FROM expunged WHERE mailbox = ? AND modseq > ?"));
    query.bind(record.number).bind(static_cast<std::int64_t>(modseq));
    std::vector<UidRange> ranges;
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) break;
        ranges.push_back({static_cast<Uid>(query.integer(0)), static_cast<Uid>(query.integer(1))});
    }
    return Vanished{joined(std::move(ranges)), true};
}

Result<Snapshot> Mailbox::snapshot(bool writable, std::optional<ModSeq> since) {
    State& state = account_->state();
    const Locked lock(state);
    GK_TRY(auto record, get_record(state, number_, uidvalidity_));
    GK_CHECK(refresh(state, record, false));
    Snapshot snapshot;
    snapshot.recent_floor = record.recent_floor;
    if (writable) GK_CHECK(take_recent(state, record));
    writable_ = writable;
    GK_TRY(const bool in_new, has_files_in_new(state, number_));
    new_files_ = writable && in_new;
    GK_TRY(const auto view, ReadTransaction::begin(state));
    GK_TRY(record, get_record(state, number_, uidvalidity_));
    snapshot.uidvalidity = record.uidvalidity;
    snapshot.uidnext = record.uidnext;
    snapshot.highest_modseq = record.modseq;
    snapshot.id = mailbox_id(record.guid);
    GK_TRY(snapshot.keywords, load_keywords(state, number_));
    auto outline = read_outline(state, record);
    wants_outline_ = record.messages >= kOutlinedFrom && (!outline || outline->old);
    if (outline) {
        snapshot.rows = std::move(outline->rows);
    } else {
        GK_TRY(auto query, state.index.prepare("SELECT key, modseq, flags, keywords, internal_date, saved_date, size "
                                               "FROM messages WHERE key BETWEEN ? AND ?"));
        query.bind(row_key(number_, 0)).bind(row_key(number_, 0xffffffff));
        snapshot.rows.reserve(record.messages);
        GK_CHECK(read_rows(query, snapshot.rows));
    }
    if (since) {
        GK_TRY(snapshot.vanished, vanished_in(state, record, *since));
    }
    return snapshot;
}

Result<Snapshot> Mailbox::recall(const Known& known, bool writable) {
    State& state = account_->state();
    const Locked lock(state);
    const auto lost = [&] { return fail(Errc::NotFound, fmt::format("'{}' is not what it was", name_)); };
    GK_TRY(const auto view, ReadTransaction::begin(state));
    GK_TRY(const auto record, get_record(state, number_, uidvalidity_));
    if (record.uidvalidity != known.uidvalidity || known.modseq > record.modseq || known.uidnext > record.uidnext ||
        known.uidnext == 0)
        return lost();
    Snapshot snapshot;
    snapshot.uidvalidity = known.uidvalidity;
    snapshot.uidnext = known.uidnext;
    snapshot.highest_modseq = known.modseq;
    GK_TRY(snapshot.keywords, load_keywords(state, number_));
    writable_ = writable;
    if (known.exists == 0) return snapshot;  // that needs no history
    GK_TRY(auto query, state.index.prepare("SELECT key, modseq, flags, keywords, internal_date, saved_date, size FROM "
                                           "messages WHERE key BETWEEN ? AND ?"));
    query.bind(row_key(number_, 0)).bind(row_key(number_, known.uidnext - 1));
    snapshot.rows.reserve(known.exists);
    GK_CHECK(read_rows(query, snapshot.rows));
    GK_TRY(const auto vanished, vanished_in(state, record, known.modseq));
    if (!vanished.exact) return lost();  // nothing says which of the old UIDs there were
    for (const UidRange& range : vanished.ranges)
        for (std::uint64_t uid = range.first; uid <= range.last && uid < known.uidnext; ++uid) {
            if (snapshot.rows.size() >= known.exists) return lost();
            snapshot.rows.push_back({.uid = static_cast<Uid>(uid)});
        }
    if (snapshot.rows.size() != known.exists) return lost();
    std::sort(snapshot.rows.begin(), snapshot.rows.end(), [](const Row& a, const Row& b) { return a.uid < b.uid; });
    return snapshot;
}

Result<Changes> Mailbox::changes_since(ModSeq modseq, Look look) {
    State& state = account_->state();
    const Locked lock(state);
    GK_TRY(auto record, get_record(state, number_, uidvalidity_));
    if (look != Look::Index) GK_CHECK(refresh(state, record, look == Look::Thorough));
    if (writable_ && look != Look::Index && record.recent_floor < record.uidnext) {
        GK_CHECK(take_recent(state, record));
        new_files_ = true;
    }
    Changes changes;
    GK_TRY(const auto view, ReadTransaction::begin(state));
    GK_TRY(record, get_record(state, number_, uidvalidity_));
    changes.highest_modseq = record.modseq;
    changes.uidnext = record.uidnext;
    GK_TRY(changes.keywords, load_keywords(state, number_));
    if (record.modseq <= modseq) return changes;
    GK_TRY(auto query, state.index.prepare("SELECT key, modseq, flags, keywords, internal_date, saved_date, size FROM "
                                           "messages WHERE key BETWEEN ? AND ? AND modseq > ?"));
    GK_TRY(const auto touched, touched_since(state, number_, modseq));
    for (const UidRange& range : touched) {
        query.bind(row_key(number_, range.first)).bind(row_key(number_, range.last));
        query.bind(static_cast<std::int64_t>(modseq));
        GK_CHECK(read_rows(query, changes.rows));
    }
    GK_TRY(changes.vanished, vanished_in(state, record, modseq));
    return changes;
}

Result<Vanished> Mailbox::vanished_since(ModSeq modseq) {
    State& state = account_->state();
    const Locked lock(state);
    GK_TRY(const auto view, ReadTransaction::begin(state));
    GK_TRY(const auto record, get_record(state, number_, uidvalidity_));
    return vanished_in(state, record, modseq);
}

Status Mailbox::do_chore() {
    State& state = account_->state();
    const Locked lock(state);
    if (!std::exchange(new_files_, false)) {
        wants_outline_ = false;
        return write_outline(state, number_, uidvalidity_);
    }
    GK_TRY(auto transaction, WriteTransaction::begin(state));
    GK_TRY(auto record, get_record(state, number_, uidvalidity_));
    GK_TRY(new_files_, take_new(state, record, kMovedAtOnce));
    GK_CHECK(save_record(state, record));
    return transaction.commit();
}

Result<MailboxStatus> Mailbox::status() {
    State& state = account_->state();
    const Locked lock(state);
    GK_TRY(auto record, get_record(state, number_, uidvalidity_));
    GK_CHECK(refresh(state, record, false));
    MailboxStatus status{record.messages,      0,
                         record.unseen,        record.deleted,
                         record.uidnext,       record.uidvalidity,
                         record.modseq,        record.bytes,
                         record.deleted_bytes, mailbox_id(record.guid)};
    if (record.recent_floor < record.uidnext) {
        GK_TRY(auto query, state.index.prepare("SELECT count(*) FROM messages WHERE key BETWEEN ? AND ?"));
        query.bind(row_key(number_, record.recent_floor)).bind(row_key(number_, 0xffffffff));
        GK_TRY(const bool row, query.step());
        if (row) status.recent = static_cast<std::uint32_t>(query.integer(0));
        query.reset();
    }
    return status;
}

Result<std::vector<std::string>> Mailbox::keywords() {
    State& state = account_->state();
    const Locked lock(state);
    return load_keywords(state, number_);
}

Result<std::vector<std::pair<Uid, std::string>>> Mailbox::paths(std::span<const Uid> uids) {
    State& state = account_->state();
    const Locked lock(state);
    GK_TRY(const auto record, get_record(state, number_, uidvalidity_));
    GK_TRY(const auto messages, load_messages(state, number_, uids));
    const std::string directory = state.path_of(record.name) + '/';
    std::vector<std::pair<Uid, std::string>> paths;
    paths.reserve(messages.size());
    for (const auto& message : messages) paths.emplace_back(message.row.uid, directory + message.file);
    return paths;
}

Status Mailbox::email_ids(std::span<const Uid> uids, const std::function<bool(Uid, std::string_view)>& sink) {
    if (uids.empty()) return ok();
    State& state = account_->state();
    const Locked lock(state);
    GK_TRY(const auto record, get_record(state, number_, uidvalidity_));
    // One range where it does not hold much more than is wanted.
    const bool dense = std::uint64_t{uids.back()} - uids.front() <= std::uint64_t{uids.size()} * 4;
    GK_TRY(auto query, state.index.prepare("SELECT key, file, extra FROM messages WHERE key BETWEEN ? AND ?"));
    for (std::size_t i = 0; i < uids.size(); i = dense ? uids.size() : i + 1) {
        query.bind(row_key(number_, uids[i])).bind(row_key(number_, dense ? uids.back() : uids[i]));
        auto wanted = uids.begin() + static_cast<std::ptrdiff_t>(i);
        for (;;) {
            GK_TRY(const bool row, query.step());
            if (!row) break;
            const Uid uid = static_cast<Uid>(query.integer(0) & 0xffffffff);
            while (wanted != uids.end() && *wanted < uid) ++wanted;
            if (wanted == uids.end() || *wanted != uid) continue;
            if (!sink(uid, email_id(message_guid(base_of_file(query.text(1)), query.text(2))))) {
                query.reset();
                return ok();
            }
        }
    }
    return ok();
}

}  // namespace gk::store
