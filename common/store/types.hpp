// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/store/rows.hpp"

// The words of the store, as IMAP means them (RFC 9051, 2.3; RFC 7162). Nothing here says how it is kept.
namespace gk::store {

struct UidRange {
    Uid first = 0, last = 0;  // both included
    bool operator==(const UidRange&) const = default;
};

// What was expunged after a mod-sequence; sorted, disjoint.
struct Vanished {
    std::vector<UidRange> ranges;
    bool exact = true;  // false: expunges are not remembered that far back, and these are all UIDs that are not there
};

// A mailbox as one session first sees it. Rows are sorted by UID.
struct Snapshot {
    std::uint32_t uidvalidity = 0;
    Uid uidnext = 1;
    ModSeq highest_modseq = 1;
    // RW select: messages from here on are recent to this session and to no other; EXAMINE: to the next as well.
    Uid recent_floor = 1;
    std::vector<std::string> keywords;  // name of bit i; empty: the bit is unused
    Rows rows;
    Vanished vanished;  // where it was asked for
    std::string id;     // as MailboxStatus::id
};

// What happened after a mod-sequence.
struct Changes {
    ModSeq highest_modseq = 1;
    Uid uidnext = 1;
    Rows rows;  // new or changed, sorted by UID: those past the UIDs known before are new
    Vanished vanished;
    std::vector<std::string> keywords;  // as in Snapshot
    bool empty() const noexcept { return rows.empty() && vanished.ranges.empty(); }
};

struct MailboxStatus {
    std::uint32_t messages = 0, recent = 0, unseen = 0, deleted = 0;
    Uid uidnext = 1;
    std::uint32_t uidvalidity = 0;
    ModSeq highest_modseq = 1;
    std::uint64_t size = 0, deleted_size = 0;
    std::string id;  // of the mailbox, whatever its name; see object_id.hpp
};

// How far a mailbox is, as the index says without a look at its files.
struct MailboxMark {
    std::string name;
    std::uint32_t uidvalidity = 0;  // 0: never looked into yet
    Uid uidnext = 1;
    ModSeq modseq = 1;
    std::uint32_t messages = 0;
};

// One name of the tree. Names are UTF-8 in NFC as the client gave them, levels separated by '/'; INBOX is "INBOX".
struct MailboxEntry {
    std::string name;
    bool exists = true;  // false: only a superior of others, cannot be selected (\NonExistent)
    bool has_children = false;
    bool subscribed = false;
    std::string special_use;  // "\\Sent" …, or empty
};

enum class FlagAction { Replace, Add, Remove };

struct FlagUpdate {
    FlagAction action = FlagAction::Add;
    Flags flags = 0;
    std::vector<std::string> keywords;
    std::optional<ModSeq> unchanged_since;  // RFC 7162, 3.1.3
};

struct FlagsStored {
    std::vector<Row> rows;      // as they are now: every message named that exists and was not refused
    std::vector<Uid> modified;  // refused by UNCHANGEDSINCE (MODIFIED response code)
    std::vector<std::string> keywords;
    ModSeq modseq = 0;  // 0: nothing changed
};

struct Copied {
    std::uint32_t uidvalidity = 0;          // of the target
    std::vector<std::pair<Uid, Uid>> uids;  // source, target
};

struct Appended {
    std::uint32_t uidvalidity = 0;
    // One for each message, in order. 0: stored and durable, but it will get its UID later, since the index was
    // not to be had; then do not name UIDs to the client.
    std::vector<Uid> uids;
    std::vector<std::string> names;  // of their files, without flags: by which they are found in the Maildir
};

struct Totals {
    std::uint64_t messages = 0, bytes = 0;
};

// How much an account may keep; 0: as much as it likes. Octets are counted as sizes are: with CRLF line ends.
struct Quota {
    std::uint64_t bytes = 0, messages = 0;
    bool limited() const noexcept { return bytes != 0 || messages != 0; }
    bool operator==(const Quota&) const = default;
};

// Annotations (RFC 5464): entry names in lower case, and values of any bytes.
using Annotations = std::map<std::string, std::string, std::less<>>;
using AnnotationChange = std::pair<std::string, std::optional<std::string>>;  // nothing: removes it
// What clients keep for themselves about a mailbox: comments, colours, settings. Bounded, since it is read as a whole.
inline constexpr std::size_t kMaxAnnotations = 100, kMaxAnnotationName = 512;
inline constexpr std::size_t kMaxAnnotationValue = 64 * 1024, kMaxAnnotationBytes = 256 * 1024;

// A change that others may want to hear of, after it was committed: of messages, of a mailbox's name, or of its
// subscription or annotations (modseq 0; of the account's own, with an empty name). Account as given to open().
struct Change {
    std::string_view account;
    std::string_view mailbox;
    ModSeq modseq = 0;
};

// Called with no lock held, from any thread that writes. Must not block.
class ChangeSink {
public:
    virtual ~ChangeSink() = default;
    virtual void changed(const Change& change) noexcept = 0;
};

}  // namespace gk::store
