// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/imap/format/section.hpp"

// IMAP commands as values (RFC 3501 and RFC 9051, section 9). Strings are the client's bytes, unquoted; mailbox
// names are not decoded yet (their encoding depends on what the session enabled), except that INBOX, in any
// case, is "INBOX".
namespace gk::imap {

// first <= last once resolved; kLargest stands for "*".
struct SequenceRange {
    std::uint32_t first = 0, last = 0;
    bool operator==(const SequenceRange&) const = default;
};
constexpr std::uint32_t kLargest = 0;  // sequence numbers and UIDs begin at 1

struct SequenceSet {
    bool saved = false;  // "$": the result of the last SEARCH RETURN (SAVE)
    std::vector<SequenceRange> ranges;
    bool operator==(const SequenceSet&) const = default;
};

struct FetchItem {
    enum class Kind {
        Flags,
        InternalDate,
        Rfc822Size,
        Envelope,
        Body,
        BodyStructure,
        Uid,
        ModSeq,
        Rfc822,
        Rfc822Header,
        Rfc822Text,
        BodySection,
        Binary,
        BinarySize,
    };
    Kind kind = Kind::Flags;
    bool peek = false;
    Section section = {};  // of BodySection, Binary and BinarySize
    std::optional<Partial> partial = {};
};

struct SearchKey {
    enum class Kind {
        All,
        And,
        Or,
        Not,
        Fuzzy,
        Set,
        UidSet,
        Answered,
        Deleted,
        Draft,
        Flagged,
        Seen,
        Recent,
        Old,
        New,
        Unanswered,
        Undeleted,
        Undraft,
        Unflagged,
        Unseen,
        Keyword,
        Unkeyword,
        Bcc,
        Body,
        Cc,
        From,
        Header,
        Subject,
        Text,
        To,
        Before,
        On,
        Since,
        SentBefore,
        SentOn,
        SentSince,
        Larger,
        Smaller,
        ModSeq,
        Older,
        Younger,
    };
    Kind kind = Kind::All;
    std::string text = {};     // what to find; the keyword
    std::string field = {};    // of HEADER
    std::uint64_t number = 0;  // of LARGER, SMALLER and MODSEQ; seconds of OLDER and YOUNGER
    std::int64_t day = 0;      // of the date keys: days since 1970-01-01
    SequenceSet set = {};
    std::vector<SearchKey> children = {};  // of And, Or (two), Not and Fuzzy (one)
};

// Whether KEY, or a key within it, is of KIND.
bool contains(const SearchKey& key, SearchKey::Kind kind);
// Whether KEY, or a key within it, names messages by their sequence numbers ("$" does not).
bool names_sequence_numbers(const SearchKey& key);

enum class StatusItem { Messages, Recent, UidNext, UidValidity, Unseen, Deleted, DeletedStorage, Size, HighestModSeq };

struct Capability {};
struct Noop {};
struct Logout {};
struct Check {};
struct CloseMailbox {};  // CLOSE
struct Unselect {};
struct Idle {};
struct Namespace {};
struct NotNow {
    std::string name;
};  // STARTTLS, LOGIN, AUTHENTICATE: over once a session is logged in
struct Id {
    std::vector<std::pair<std::string, std::optional<std::string>>> fields;
};
struct Enable {
    std::vector<std::string> capabilities;
};  // upper case
// What a client that comes back knows of a mailbox (RFC 7162, 3.2.5). Sets have no "*".
struct Resync {
    std::uint32_t uidvalidity = 0;
    std::uint64_t modseq = 0;
    std::optional<SequenceSet> known_uids;
    // Sequence numbers and the UIDs that they had; as many of the one as of the other.
    std::optional<std::pair<SequenceSet, SequenceSet>> matches;
};
struct Select {
    std::string mailbox;
    bool read_only = false;
    bool condstore = false;
    std::optional<Resync> resync;
};
struct Create {
    std::string mailbox;
    std::vector<std::string> uses;  // of USE: "\\Sent"; RFC 6154
};
struct Delete {
    std::string mailbox;
};
struct Rename {
    std::string from, to;
};
struct Subscribe {
    std::string mailbox;
    bool on = true;
};
struct List {
    bool lsub = false;
    bool extended = false;  // any of RFC 5258's syntax was used
    std::string reference;
    std::vector<std::string> patterns;
    bool select_subscribed = false, select_recursive_match = false, select_special_use = false;
    bool return_subscribed = false, return_children = false, return_special_use = false;
    std::vector<StatusItem> return_status;
    std::vector<std::string> return_metadata;  // RFC 9590
};
struct StatusOf {
    std::string mailbox;
    std::vector<StatusItem> items;
};
// RFC 9208
struct GetQuota {
    std::string root;
};
struct GetQuotaRoot {
    std::string mailbox;
};
// RFC 5464
struct GetMetadata {
    enum class Depth { Zero, One, Infinity };
    std::optional<std::uint32_t> max_size;
    Depth depth = Depth::Zero;
    std::string mailbox;  // empty: the server
    std::vector<std::string> entries;
};
struct SetMetadata {
    std::string mailbox;
    std::vector<std::pair<std::string, std::optional<std::string>>> values;  // nothing: remove it
};
struct SetQuota {
    std::string root;
};  // what it would set is read and refused
struct Expunge {
    std::optional<SequenceSet> uids;
};
// Places in a result, both included, from 1; counted from its end where FROM_END (RFC 9394, 3.1).
struct PartialRange {
    std::uint32_t first = 0, last = 0;  // first <= last
    bool from_end = false;
    std::string text;  // as the client wrote it
};
// What RETURN asks for (RFC 4731, 3.1; RFC 5182, 2; RFC 5267, 4; RFC 9394, 3.1).
struct SearchReturn {
    bool given = false;
    bool min = false, max = false, all = false, count = false, save = false;
    bool relevancy = false;  // RFC 6203, 4
    bool update = false, context = false;
    std::optional<PartialRange> partial;
};
struct Search {
    bool uid = false;
    SearchReturn returns;
    std::string charset;  // upper case; empty when not given
    SearchKey key;
};
// The mailboxes that ESEARCH looks into (RFC 7377, 2.2).
struct SearchSource {
    enum class Kind { Selected, Inboxes, Personal, Subscribed, Subtree, SubtreeOne, Mailboxes };
    Kind kind = Kind::Selected;
    std::vector<std::string> mailboxes;  // of the last three
};
// ESEARCH (RFC 7377); without IN, the selected mailbox is searched.
struct MultiSearch {
    std::vector<SearchSource> sources;
    SearchReturn returns;
    std::string charset;  // upper case; empty when not given
    SearchKey key;
};
struct CancelUpdate {
    std::vector<std::string> tags;
};
struct SortKey {
    enum class Kind { Arrival, Cc, Date, From, Size, Subject, To, DisplayFrom, DisplayTo };
    Kind kind = Kind::Arrival;
    bool reverse = false;
};
struct Sort {
    bool uid = false;
    SearchReturn returns;
    std::vector<SortKey> keys;
    std::string charset;  // upper case
    SearchKey key;
};
struct Fetch {
    bool uid = false;
    SequenceSet set;
    std::vector<FetchItem> items;
    std::optional<std::uint64_t> changed_since;
    bool vanished = false;
    std::optional<PartialRange> partial;  // of the messages of the set (RFC 9394, 3.3)
};
struct Store {
    enum class Mode { Replace, Add, Remove };
    bool uid = false;
    SequenceSet set;
    Mode mode = Mode::Replace;
    bool silent = false;
    std::optional<std::uint64_t> unchanged_since;
    std::vector<std::string> flags;  // system flags in their usual spelling
};
struct Copy {
    bool uid = false;
    bool move = false;
    SequenceSet set;
    std::string mailbox;
};

// APPEND up to its message; the message itself streams past the parser (reader.hpp).
struct Append {
    std::string mailbox;
    std::vector<std::string> flags;
    std::optional<std::int64_t> date_unix_s;
    std::uint64_t size = 0;
    bool sync = true;     // the client waits for "+" before it sends the message
    bool binary = false;  // literal8
};

using CommandBody =
    std::variant<Capability, Noop, Logout, Check, CloseMailbox, Unselect, Idle, Namespace, NotNow, Id, Enable, Select,
                 Create, Delete, Rename, Subscribe, List, StatusOf, Expunge, Search, Fetch, Store, Copy, Append,
                 GetQuota, GetQuotaRoot, SetQuota, GetMetadata, SetMetadata, Sort, MultiSearch, CancelUpdate>;

struct Command {
    std::string tag;
    CommandBody body;
};

}  // namespace gk::imap
