// SPDX-License-Identifier: MIT
#include <algorithm>

#include "common/store/state.hpp"

// Which message is the first unseen one, by number: most of a large mailbox was read long ago, so it is remembered up
// to where all was. What changed or went after that was noted is found by its mod-sequence.
namespace gk::store {

namespace {

constexpr std::uint32_t kWorthKeeping = 500;  // of messages passed over

Result<bool> holds(State& state, const Record& record, ModSeq modseq, Uid uid) {
    if (modseq == record.modseq) return true;
    if (modseq > record.modseq || modseq < record.history_floor) return false;
    GK_TRY(auto gone, state.index.prepare("SELECT 1 FROM expunged WHERE mailbox = ? AND modseq > ? AND first < ?"));
    gone.bind(record.number).bind(static_cast<std::int64_t>(modseq)).bind(std::int64_t{uid});
    GK_TRY(const bool any_gone, gone.step());
    gone.reset();
    if (any_gone) return false;
    GK_TRY(const auto touched, touched_since(state, record.number, modseq));
    GK_TRY(auto unread, state.index.prepare("SELECT 1 FROM messages WHERE key BETWEEN ? AND ? AND flags & ? = 0"));
    for (const UidRange& range : touched) {
        if (range.first >= uid) break;
        unread.bind(row_key(record.number, range.first)).bind(row_key(record.number, std::min(range.last, uid - 1)));
        GK_TRY(const bool any, unread.bind(std::int64_t{kSeen}).step());
        unread.reset();
        if (any) return false;
    }
    return true;
}

}  // namespace

Result<SeenBefore> seen_before(State& state, const Record& record) {
    SeenBefore seen;
    seen.mailbox = record.number;
    seen.modseq = record.modseq;
    GK_TRY(auto kept, state.index.prepare("SELECT modseq, uid, messages FROM seen_before WHERE mailbox = ?"));
    GK_TRY(const bool row, kept.bind(record.number).step());
    if (row) {
        const auto modseq = static_cast<ModSeq>(kept.integer(0));
        const auto uid = static_cast<Uid>(kept.integer(1));
        const auto messages = static_cast<std::uint32_t>(kept.integer(2));
        kept.reset();
        GK_TRY(const bool good, holds(state, record, modseq, uid));
        if (good) seen.uid = uid, seen.messages = messages;
    }
    const std::uint32_t known = seen.messages;
    GK_TRY(auto query, state.index.prepare("SELECT key, flags FROM messages WHERE key BETWEEN ? AND ?"));
    query.bind(row_key(record.number, seen.uid)).bind(row_key(record.number, 0xffffffff));
    for (;;) {
        GK_TRY(const bool there, query.step());
        if (!there) break;
        seen.uid = static_cast<Uid>(query.integer(0) & 0xffffffff);
        if ((query.integer(1) & kSeen) == 0) {
            query.reset();
            break;
        }
        ++seen.uid;
        ++seen.messages;
    }
    seen.worth_keeping = seen.messages >= known + kWorthKeeping;
    return seen;
}

void keep_seen_before(State& state, const SeenBefore& seen) {
    without_waiting(state, [&]() -> Status {
        GK_TRY(auto insert, state.index.prepare("INSERT OR REPLACE INTO seen_before(mailbox, modseq, uid, messages) "
                                                "SELECT ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM mailboxes WHERE number "
                                                "= ? AND modseq = ?)"));
        insert.bind(seen.mailbox).bind(static_cast<std::int64_t>(seen.modseq)).bind(std::int64_t{seen.uid});
        insert.bind(std::int64_t{seen.messages}).bind(seen.mailbox).bind(static_cast<std::int64_t>(seen.modseq));
        return insert.run();
    });
}

}  // namespace gk::store
