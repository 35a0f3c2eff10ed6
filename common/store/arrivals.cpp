// SPDX-License-Identifier: MIT
#include <map>
#include <unordered_map>

#include "common/base/log.hpp"
#include "common/maildir/uidlist.hpp"
#include "common/store/state.hpp"

// Rows for messages that are durable already. Whoever comes first indexes for all who wait: one transaction and one
// write to the uidlist for a whole crowd of deliveries.
namespace gk::store {

namespace {

// A reconcile may have come upon a file between its rename and this: then it has a row.
Result<std::unordered_map<std::string, Uid>> adopted_names(State& state, const Record& record, Uid from) {
    std::unordered_map<std::string, Uid> names;
    if (record.adopted < from) return names;
    GK_TRY(auto query, state.index.prepare("SELECT key, file FROM messages WHERE key BETWEEN ? AND ?"));
    query.bind(row_key(record.number, from)).bind(row_key(record.number, record.adopted));
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) return names;
        names.emplace(base_of_file(query.text(1)), static_cast<Uid>(query.integer(0) & 0xffffffff));
    }
}

using ByMailbox = std::map<std::int64_t, std::vector<Arrival*>>;

Status index_batch(State& state, const ByMailbox& by_mailbox) {
    const Locked lock(state);
    GK_TRY(auto transaction, WriteTransaction::begin(state));
    for (const auto& [mailbox, arrivals] : by_mailbox) {
        GK_TRY(auto record, find_record(state, mailbox));
        if (!record) continue;  // removed with all that was in it
        GK_CHECK(index_arrivals_in(state, *record, arrivals));
    }
    return transaction.commit();
}

}  // namespace

Status index_arrivals_in(State& state, Record& record, const std::vector<Arrival*>& arrivals) {
    std::size_t count = 0;
    Uid from = record.uidnext;
    for (const Arrival* arrival : arrivals) {
        count += arrival->messages.size();
        from = std::min(from, arrival->known_uidnext);
    }
    // Somebody wrote the uidlist, or died between it and the commit: see what there is before giving out UIDs.
    if (record.uidvalidity == 0 || !uidlist_is_ours(state, record)) GK_CHECK(reconcile_mailbox(state, record, true));
    GK_CHECK(reserve(state, record, static_cast<std::uint32_t>(count)));
    GK_TRY(const auto adopted, adopted_names(state, record, from));
    const ModSeq modseq = ++record.modseq;
    const auto saved = now_s();
    std::string lines;
    std::size_t added = 0;
    bool high_keywords = false;
    for (Arrival* arrival : arrivals) {
        arrival->uidvalidity = record.uidvalidity;
        for (Arrived& message : arrival->messages) {
            const auto base = base_of_file(message.file);
            if (!adopted.empty()) {
                if (const auto known = adopted.find(std::string(base)); known != adopted.end()) {
                    message.uid = known->second;
                    continue;
                }
            }
            // Somebody looked since it was placed, and may have told a client of it, who moved or expunged it.
            if (record.adopted >= from && find_file(state.path_of(record.name), base).empty()) {
                message.uid = 0;
                continue;
            }
            message.uid = record.uidnext++;
            ++added;
            const StoredRow stored{{message.uid, message.flags, modseq, message.keywords, message.internal_date,
                                    saved_date_of(message.file, saved), message.size},
                                   message.file,
                                   {}};
            GK_CHECK(insert_message(state, record, stored));
            if (!message.structure.structure.empty())
                GK_CHECK(keep_structure(state, record.number, message.uid, message.structure));
            maildir::append_uidlist_line(lines, message.uid, "", base);
            high_keywords |= (message.keywords & ~kLetterKeywords) != 0;
        }
    }
    if (added != 0) GK_CHECK(append_uidlist(state, record, lines, added));
    if (high_keywords) GK_CHECK(write_state(state, record));
    note_change(state, record);
    return save_record(state, record);
}

void index_arrivals(State& state, const std::vector<Arrival*>& arrivals) {
    if (arrivals.empty()) return;
    ByMailbox by_mailbox;
    for (Arrival* arrival : arrivals) by_mailbox[arrival->mailbox].push_back(arrival);
    const Status all = index_batch(state, by_mailbox);
    if (all) return;
    // A mailbox that cannot be indexed keeps no other from its rows.
    for (const auto& one : by_mailbox) {
        const Status indexed = by_mailbox.size() == 1 ? all : index_batch(state, {one});
        if (indexed) continue;
        // The files are durable whatever became of the rows; the next look at the directory gives them their UIDs.
        std::size_t messages = 0;
        for (Arrival* arrival : one.second)
            for (auto& message : arrival->messages) message.uid = 0, ++messages;
        log::Event("store.index.late", log::Level::Warning)
            .field("actor", state.options.name)
            .field("messages", messages)
            .field("error", indexed.error().text);
    }
}

void index_arrival(State& state, Arrival& arrival) {
    {
        const std::lock_guard lock(state.arrivals_mutex);
        state.arrivals.push_back(&arrival);
    }
    // The batch that begins after this has the arrival, and wakes those alone whom it had.
    (void)state.arrivals_indexed.run([&state]() -> Status {
        std::vector<Arrival*> batch;
        {
            const std::lock_guard lock(state.arrivals_mutex);
            batch.swap(state.arrivals);
        }
        index_arrivals(state, batch);
        return ok();
    });
}

}  // namespace gk::store
