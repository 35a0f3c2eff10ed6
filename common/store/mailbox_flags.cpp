// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <algorithm>
#include <cerrno>

#include "common/base/text.hpp"
#include "common/maildir/name.hpp"
#include "common/store/mailbox.hpp"
#include "common/store/state.hpp"

// STORE: flags live in file names, so a change is a rename and a row.
namespace gk::store {

namespace {

void apply(const FlagUpdate& update, KeywordMask keywords, Row& row) {
    const Flags flags = update.flags & kAllFlags;
    switch (update.action) {
        case FlagAction::Replace: row.flags = flags, row.keywords = keywords; break;
        case FlagAction::Add: row.flags |= flags, row.keywords |= keywords; break;
        case FlagAction::Remove: row.flags &= static_cast<Flags>(~flags), row.keywords &= ~keywords; break;
    }
}

// Keywords that are taken away need no bit of their own.
std::vector<std::string> known_only(const std::vector<std::string>& wanted, const std::vector<std::string>& names) {
    std::vector<std::string> known;
    for (const auto& name : wanted)
        if (std::any_of(names.begin(), names.end(), [&](const auto& n) { return text::equals_nocase(n, name); }))
            known.push_back(name);
    return known;
}

}  // namespace

Result<FlagsStored> Mailbox::store(std::span<const Uid> uids, const FlagUpdate& update) {
    State& state = account_->state();
    FlagsStored result;
    std::string path;
    bool renamed = false;
    {
        const Locked lock(state);
        GK_TRY(auto transaction, WriteTransaction::begin(state));
        GK_TRY(auto record, get_record(state, number_, uidvalidity_));
        path = state.path_of(record.name);
        GK_TRY(const auto names, load_keywords(state, number_));
        GK_TRY(const KeywordMask keywords,
               ensure_keywords(
                   state, record,
                   update.action == FlagAction::Remove ? known_only(update.keywords, names) : update.keywords));
        GK_CHECK(reserve(state, record, 0));
        const ModSeq modseq = record.modseq + 1;
        const OwnChange own(state, record);
        const Directory directory(path);
        Renames renames(directory);
        bool high_keywords = false;
        GK_TRY(auto messages, load_messages(state, number_, uids));
        result.rows.reserve(messages.size());
        for (auto& message : messages) {
            // RFC 7162, 3.1.3: the test and the change are one.
            if (update.unchanged_since && message.row.modseq > *update.unchanged_since) {
                result.modified.push_back(message.row.uid);
                continue;
            }
            const Row before = message.row;
            apply(update, keywords, message.row);
            if (message.row.flags == before.flags && message.row.keywords == before.keywords) {
                result.rows.push_back(before);
                continue;
            }
            std::string to = renamed_file(message.file, message.row.flags, message.row.keywords);
            if (to != message.file) {
                auto done = renames.rename(message.file, to);
                if (!done && done.error().os_errno == ENOENT) {
                    // A foreign tool renamed it; its flags then are the file's, and ours go on top.
                    const std::string now = find_file(path, base_of_file(message.file));
                    if (now.empty()) continue;  // expunged: the next look says so
                    message.file = now;
                    const auto parsed = maildir::parse_name(std::string_view(now).substr(4));
                    const auto theirs = maildir::parse_letters(parsed ? parsed->letters : std::string_view());
                    message.row.flags = theirs.flags;
                    message.row.keywords = (before.keywords & ~kLetterKeywords) | theirs.keywords;
                    apply(update, keywords, message.row);
                    to = renamed_file(now, message.row.flags, message.row.keywords);
                    done = now == to ? ok() : renames.rename(now, to);
                }
                GK_CHECK(done);
                renamed = true;
            }
            high_keywords |= ((before.keywords ^ message.row.keywords) & ~kLetterKeywords) != 0;
            message.file = std::move(to);
            message.row.modseq = modseq;
            GK_CHECK(update_message(state, record, before, message));
            result.rows.push_back(message.row);
            result.modseq = modseq;
        }
        if (result.modseq != 0) {
            record.modseq = modseq;
            if (high_keywords) GK_CHECK(write_state(state, record));
            own.done(state, record);
            note_change(state, record);
        }
        GK_CHECK(save_record(state, record));
        GK_CHECK(transaction.commit());
        renames.keep();
        GK_TRY(result.keywords, load_keywords(state, number_));
    }
    if (renamed && state.options.durable_flags) {
        GK_TRY(const auto directory, state.writer->syncer().open(path));
        GK_CHECK(state.writer->syncer().sync_directory(*directory, "cur"));
    }
    return result;
}

}  // namespace gk::store
