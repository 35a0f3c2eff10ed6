// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.hpp"
#include "common/message/structure.hpp"
#include "common/os/file.hpp"
#include "common/store/account.hpp"
#include "common/store/types.hpp"

// One mailbox. A light value: it holds no rows, so a session keeps its own view and asks for changes. UIDs given to
// its methods are sorted and without repeats; those that do not exist are passed over.
namespace gk::store {

// A message's bytes as stored. With line_ends == Convert a LF without CR goes out as CRLF; see message::LineEnds.
struct ThreadRow;  // threads.hpp
struct OpenMessage {
    os::MappedFile file;
    message::LineEnds line_ends = message::LineEnds::Convert;
    std::uint64_t octets = 0;  // as the client counts them (Row::size)
};

struct KeptStructure;  // private to the store

enum class Look {
    Index,     // what the index says
    Gate,      // look at the directories where their mtime changed (two stat calls where it did not)
    Thorough,  // also where our own changes may have hidden a foreign one; for the idle moments of a parent
};

class Mailbox {
public:
    const std::string& name() const noexcept { return name_; }
    const std::shared_ptr<Account>& account() const noexcept { return account_; }

    // Everything, for SELECT (WRITABLE: new messages become known as seen by a client and stop being recent to others)
    // or EXAMINE. SINCE: with what vanished after it; one that this mailbox never
    // reached is as good as none (RFC 7162, 3.2.5).
    Result<Snapshot> snapshot(bool writable, std::optional<ModSeq> since = {});
    // What a session knew that now goes on: rows as they are now; of those that vanished since, only the UID.
    // NotFound where that cannot be told any more.
    struct Known {
        std::uint32_t uidvalidity = 0;
        Uid uidnext = 1;
        ModSeq modseq = 1;
        std::uint32_t exists = 0;
    };
    Result<Snapshot> recall(const Known& known, bool writable);
    // New, changed and vanished since; NotFound when the mailbox was removed, or was made anew under the same name.
    Result<Changes> changes_since(ModSeq modseq, Look look = Look::Gate);
    Result<Vanished> vanished_since(ModSeq modseq);
    // What no answer depends on, for when there is time, some milliseconds at a call. For mail programs that read the
    // Maildir: files of what a client was told of move from new/ to cur/. For the next SELECT: see outline.hpp.
    bool has_chores() const noexcept { return new_files_ || wants_outline_; }
    Status do_chore();
    Result<MailboxStatus> status();
    Result<std::vector<std::string>> keywords();

    // NotFound where it was expunged meanwhile. Found again where a foreign tool renamed it.
    Result<OpenMessage> open(Uid uid);
    // Where messages lie just now, for programs that read Maildirs. A change of flags renames a file: whoever does not
    // find it there any more asks again, or open()s it.
    Result<std::vector<std::pair<Uid, std::string>>> paths(std::span<const Uid> uids);
    // Those that open() will be asked for next: what it takes to find their files is looked up at once.
    Status expect(std::span<const Uid> uids);
    // Parsed once and kept. SINK is called in the order of UIDS, with nothing for those that vanished; returns false to
    // stop.
    Status structures(std::span<const Uid> uids, const std::function<bool(Uid, const message::Structure*)>& sink);
    Result<message::Structure> structure(Uid uid);
    // The same where the message's own envelope is enough, and of that WANTED. What SINK gets is overwritten
    // afterwards.
    Status envelopes(std::span<const Uid> uids, const std::function<bool(Uid, const message::Envelope*)>& sink,
                     message::EnvelopeFields wanted = message::kAllFields);
    // Values that MAKE works out of envelopes and that are kept, packed by COLUMN, for many messages at once: what
    // sorts and searches ask of every message costs one look at few bytes. SINK gets each of UIDS in order, with
    // nothing for those that vanished; values live as long as its call. VERSION changes with what MAKE gives.
    struct Column {
        std::uint8_t number, version;
        message::EnvelopeFields fields;
        std::function<std::string(const message::Envelope&)> make;
    };
    Status column(const Column& column, std::span<const Uid> uids,
                  const std::function<void(Uid, std::optional<std::string_view>)>& sink);
    // Structures with the files; both or none.
    using MessageSink = std::function<bool(Uid, const message::Structure*, const OpenMessage*)>;
    Status messages(std::span<const Uid> uids, const MessageSink& sink);
    // The same as IMAP shows it, kept ready: ENVELOPE and BODYSTRUCTURE for a client that takes no UTF-8.
    struct Shown {
        std::string_view envelope, body_structure;
    };
    Status shown(std::span<const Uid> uids, const std::function<bool(Uid, const Shown*)>& sink);
    // The first words of each, in the order of UIDS; made once and kept. Nothing for those that vanished, nor, where
    // ONLY_KEPT, for those that would have to be made.
    Result<std::vector<std::optional<std::string>>> previews(std::span<const Uid> uids, bool only_kept);

    // The id of each message of UIDS that is there, in their order: the same for its copies, after a move, and for as
    // long as it lives. SINK returns false to stop, and must not use the account.
    Status email_ids(std::span<const Uid> uids, const std::function<bool(Uid, std::string_view id)>& sink);

    // The place in its conversation of each message of UIDS that has one; see threads.hpp. As email_ids.
    Status threads(std::span<const Uid> uids, const std::function<bool(const ThreadRow&)>& sink);

    // All of UIDS in one transaction. BadInput: more than kMaxKeywords keywords in the mailbox, or not an atom.
    Result<FlagsStored> store(std::span<const Uid> uids, const FlagUpdate& update);

    struct Expunged {
        std::vector<Uid> uids;
        ModSeq modseq = 0;
    };
    // Those with \Deleted, of UIDS or (nullptr) of all.
    Result<Expunged> expunge(const std::span<const Uid>* uids = nullptr);
    // Whatever their flags.
    Result<Expunged> remove(std::span<const Uid> uids);

    // All or none; flags, keywords and dates go along; COPY's messages are saved now, and recent in the target.
    // The target is in the same account. Move: modseq of the source's expunge in *MODSEQ.
    Result<Copied> copy(std::span<const Uid> uids, std::string_view target);
    Result<Copied> move(std::span<const Uid> uids, std::string_view target, ModSeq* modseq = nullptr);

private:
    friend class Account;
    friend class Incoming;
    Mailbox(std::shared_ptr<Account> account, std::int64_t number, std::uint32_t uidvalidity, std::string name)
        : account_(std::move(account)), number_(number), uidvalidity_(uidvalidity), name_(std::move(name)) {}

    struct Files;
    Status scan(std::span<const Uid> uids,
                const std::function<void(Uid, message::Structure&, const KeptStructure&)>& take);

    std::shared_ptr<Account> account_;
    std::shared_ptr<Files> files_;  // see expect()
    std::int64_t number_;
    std::uint32_t uidvalidity_;
    bool writable_ = false, new_files_ = false, wants_outline_ = false;
    std::string name_;
};

}  // namespace gk::store
