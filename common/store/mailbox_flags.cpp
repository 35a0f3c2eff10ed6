// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <system_error>
#include <thread>

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

// A message whose flags change, and the name that its file gets.
struct Renamed {
    StoredRow message;
    Row before;
    std::string to;
    bool gone = false;  // expunged by a foreign tool: the next look says so
};

// Renames the files of CHANGES, in order. Of many the kernel's work is nearly all that STORE costs, so it has a thread
// of its own, while the caller brings the index up to date behind it.
class Renaming {
public:
    Renaming(const FlagUpdate& update, KeywordMask keywords, const std::string& path, std::vector<Renamed>& changes)
        : update_(update), keywords_(keywords), path_(path), changes_(changes), directory_(path), renames_(directory_) {
        if (changes_.size() < kWorthAThread || !start()) work();
    }
    ~Renaming() {
        stop_ = true;
        if (thread_.joinable()) thread_.join();
    }
    Renaming(const Renaming&) = delete;

    // Returns when the file of CHANGES[I] has its name.
    Status wait(std::size_t i) {
        for (std::size_t done = done_.load(); done <= i; done = done_.load()) done_.wait(done);
        return i < changes_.size() && i == failed_at_ ? failed_ : ok();
    }
    // After the last wait().
    void keep() noexcept { renames_.keep(); }
    bool renamed() const noexcept { return renamed_; }

private:
    static constexpr std::size_t kWorthAThread = 500, kTurn = 64;

    // False where no thread is to be had.
    bool start() {
        try {
            thread_ = std::thread([this] { work(); });
        } catch (const std::system_error&) {
            return false;
        }
        return true;
    }

    void work() {
        std::size_t i = 0;
        for (; i < changes_.size() && !stop_; ++i) {
            if (i % kTurn == 0) tell(i);
            if (auto done = rename(changes_[i]); !done) {
                failed_ = std::move(done);
                failed_at_ = i;
                break;
            }
        }
        tell(changes_.size());
    }
    void tell(std::size_t done) {
        done_.store(done);
        done_.notify_one();
    }

    Status rename(Renamed& change) {
        StoredRow& message = change.message;
        if (change.to == message.file) return ok();
        auto done = renames_.rename(message.file, change.to);
        if (!done && done.error().os_errno == ENOENT) {
            // A foreign tool renamed it; its flags then are the file's, and ours go on top.
            const std::string now = find_file(path_, base_of_file(message.file));
            change.gone = now.empty();
            if (change.gone) return ok();
            const auto parsed = maildir::parse_name(std::string_view(now).substr(4));
            const auto theirs = maildir::parse_letters(parsed ? parsed->letters : std::string_view());
            message.row.flags = theirs.flags;
            message.row.keywords = (change.before.keywords & ~kLetterKeywords) | theirs.keywords;
            apply(update_, keywords_, message.row);
            change.to = renamed_file(now, message.row.flags, message.row.keywords);
            done = now == change.to ? ok() : renames_.rename(now, change.to);
        }
        renamed_ = true;
        return done;
    }

    const FlagUpdate& update_;
    const KeywordMask keywords_;
    const std::string& path_;
    std::vector<Renamed>& changes_;  // ours up to where the caller was told
    const Directory directory_;
    Renames renames_;
    std::atomic<std::size_t> done_{0};
    std::atomic<bool> stop_{false};
    std::atomic<std::size_t> failed_at_{SIZE_MAX};  // set once failed_ is
    Status failed_ = ok();
    bool renamed_ = false;
    std::thread thread_;
};

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
        GK_TRY(auto messages, load_messages(state, number_, uids));
        std::vector<Renamed> changes;
        changes.reserve(messages.size());
        result.rows.reserve(messages.size());
        for (auto& message : messages) {
            // RFC 7162, 3.1.3: the test and the change are one.
            if (update.unchanged_since && message.row.modseq > *update.unchanged_since) {
                result.modified.push_back(message.row.uid);
                continue;
            }
            const Row before = message.row;
            apply(update, keywords, message.row);
            result.rows.push_back(message.row);
            if (message.row.flags == before.flags && message.row.keywords == before.keywords) continue;
            std::string to = renamed_file(message.file, message.row.flags, message.row.keywords);
            changes.push_back({std::move(message), before, std::move(to)});
        }
        Renaming renaming(update, keywords, path, changes);
        bool high_keywords = false;
        auto row = result.rows.begin();
        for (std::size_t i = 0; i < changes.size(); ++i) {
            GK_CHECK(renaming.wait(i));
            auto& [message, before, to, gone] = changes[i];
            while (row->uid != before.uid) ++row;
            if (gone) {
                row = result.rows.erase(row);
                continue;
            }
            high_keywords |= ((before.keywords ^ message.row.keywords) & ~kLetterKeywords) != 0;
            message.file = std::move(to);
            message.row.modseq = modseq;
            GK_CHECK(update_message(state, record, before, message));
            *row = message.row;
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
        renaming.keep();
        renamed = renaming.renamed();
        GK_TRY(result.keywords, load_keywords(state, number_));
    }
    if (renamed && state.options.durable_flags) {
        GK_TRY(const auto directory, state.writer->syncer().open(path));
        GK_CHECK(state.writer->syncer().sync_directory(*directory, "cur"));
    }
    return result;
}

}  // namespace gk::store
