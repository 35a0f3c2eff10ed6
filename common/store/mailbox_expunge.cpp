// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>

#include "common/os/file.hpp"
#include "common/store/mailbox.hpp"
#include "common/store/state.hpp"

namespace gk::store {

namespace {

Result<std::vector<Uid>> deleted_uids(State& state, std::int64_t mailbox) {
    GK_TRY(auto query, state.index.prepare("SELECT key FROM messages WHERE key BETWEEN ? AND ? AND flags & ?"));
    query.bind(row_key(mailbox, 0)).bind(row_key(mailbox, 0xffffffff)).bind(std::int64_t{kDeleted});
    std::vector<Uid> uids;
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) return uids;
        uids.push_back(static_cast<Uid>(query.integer(0) & 0xffffffff));
    }
}

// Removes the file under whatever name it has now. A file that is gone already is what was wanted.
Status unlink_message(const Directory& directory, const std::string& file) {
    const auto at = directory.at(file);
    if (::unlinkat(at.fd, at.name, 0) == 0) return ok();
    if (errno != ENOENT) return fail_errno(fmt::format("cannot remove '{}/{}'", directory.path, file));
    const std::string now = find_file(directory.path, base_of_file(file));
    return now.empty() ? ok() : os::unlink(directory.path + '/' + now);
}

// Files first, rows second: a crash between leaves rows without files, which the next look expunges. The other way
// round would bring messages back.
Result<Mailbox::Expunged> expunge_messages(State& state, std::int64_t number, std::uint32_t uidvalidity,
                                           const std::span<const Uid>* uids, bool only_deleted) {
    Mailbox::Expunged result;
    std::string path;
    bool in_new = false;
    {
        const Locked lock(state);
        GK_TRY(auto transaction, WriteTransaction::begin(state));
        GK_TRY(auto record, get_record(state, number, uidvalidity));
        path = state.path_of(record.name);
        std::vector<Uid> all;
        if (uids == nullptr) {
            GK_TRY(all, deleted_uids(state, number));
        }
        GK_TRY(auto messages, load_messages(state, number, uids != nullptr ? *uids : std::span<const Uid>(all)));
        if (only_deleted)
            std::erase_if(messages, [](const StoredRow& message) { return (message.row.flags & kDeleted) == 0; });
        if (messages.empty()) return result;
        GK_CHECK(reserve(state, record, 0));
        const OwnChange own(state, record);
        Status failed = ok();
        const Directory directory(path);
        std::vector<Row> gone;
        gone.reserve(messages.size());
        for (const auto& message : messages) {
            failed = unlink_message(directory, message.file);
            if (!failed) break;
            in_new |= message.file.starts_with("new/");
            gone.push_back(message.row);
            result.uids.push_back(message.row.uid);
        }
        if (result.uids.empty()) return fail(failed.error());
        GK_CHECK(delete_messages(state, record, gone));
        result.modseq = ++record.modseq;
        GK_CHECK(record_expunged(state, record, result.uids, record.modseq));
        own.done(state, record);
        note_change(state, record);
        GK_CHECK(save_record(state, record));
        GK_CHECK(transaction.commit());
        GK_CHECK(failed);  // those before it are gone and recorded
    }
    if (state.options.durable_flags) {
        GK_TRY(const auto directory, state.writer->syncer().open(path));
        GK_CHECK(state.writer->syncer().sync_directory(*directory, "cur"));
        if (in_new) GK_CHECK(state.writer->syncer().sync_directory(*directory, "new"));
    }
    return result;
}

}  // namespace

Result<Mailbox::Expunged> Mailbox::expunge(const std::span<const Uid>* uids) {
    return expunge_messages(account_->state(), number_, uidvalidity_, uids, true);
}

Result<Mailbox::Expunged> Mailbox::remove(std::span<const Uid> uids) {
    return expunge_messages(account_->state(), number_, uidvalidity_, &uids, false);
}

}  // namespace gk::store
