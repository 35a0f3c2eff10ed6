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
        SaveDate,
        Preview,
        EmailId,
        ThreadId,
    };
    Kind kind = Kind::Flags;
    bool peek = false;
    bool lazy = false;     // of Preview
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
        SavedBefore,
        SavedOn,
        SavedSince,
        SaveDateSupported,
        EmailId,
        ThreadId,
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

enum class StatusItem {
    Messages,
    Recent,
    UidNext,
    UidValidity,
    Unseen,
    Deleted,
    DeletedStorage,
    Size,
    HighestModSeq,
    AppendLimit,
    MailboxId
};

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
struct Compress {
    std::string algorithm;
};
struct Unauthenticate {};
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
struct Thread {
    enum class Algorithm { OrderedSubject, References };
    bool uid = false;
    Algorithm algorithm = Algorithm::References;
    std::string charset;  // upper case
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
    enum class Kind { Arrival, Cc, Date, From, Size, Subject, To, DisplayFrom, DisplayTo, Relevancy };
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
// One group of NOTIFY SET (RFC 5465, 6): mailboxes, and what of them is to be told.
struct NotifyGroup {
    enum class Filter { Selected, SelectedDelayed, Inboxes, Personal, Subscribed, Subtree, Mailboxes };
    Filter filter = Filter::Selected;
    std::vector<std::string> mailboxes;  // of Subtree and Mailboxes
    // Of messages: all that was named; MessageNew and MessageExpunge come together.
    bool messages = false, flags = false;
    bool names = false, subscriptions = false;       // MailboxName, SubscriptionChange
    bool metadata = false, server_metadata = false;  // MailboxMetadataChange, ServerMetadataChange
    std::vector<FetchItem> fetch;                    // of MessageNew
};
struct Notify {
    bool status = false;                 // STATUS of each mailbox at once
    std::optional<std::string> unknown;  // an event that is not known
    std::vector<NotifyGroup> groups;     // empty: NONE
};
struct Copy {
    bool uid = false;
    bool move = false;
    SequenceSet set;
    std::string mailbox;
};

// Where in APPEND a stretch of its text begins: at its first message, behind a message's literal, inside "UTF8 (",
// behind a part of "CATENATE (", or inside its "UTF8 (".
enum class AppendPlace : unsigned char { First, Next, Utf8, Parts, PartUtf8 };

// A stretch of APPEND's text, from its beginning or from behind a message's literal to the next such literal or to the
// end of the command. The literals themselves stream past the parser (reader.hpp).
struct AppendStep {
    struct Begin {  // of a message
        std::vector<std::string> flags;
        std::optional<std::int64_t> date_unix_s;
        bool parts = false;  // CATENATE
    };
    struct Url {
        std::string url;
    };  // a part of CATENATE
    struct Literal {
        std::uint64_t size = 0;
        bool sync = true;     // the client waits for "+" before it sends the bytes
        bool binary = false;  // literal8, and not to be read as text
        bool utf8 = false;    // UTF8 (~{…}
    };
    std::vector<std::variant<Begin, Url>> items;
    std::optional<Literal> literal;  // of a message or a part of one; else the command ends here
    AppendPlace next = AppendPlace::First;
};

// APPEND and REPLACE up to the first literal.
struct Append {
    struct Replaced {
        bool uid = false;
        std::uint32_t number = 0;  // kLargest: "*"
    };
    std::string mailbox;
    std::optional<Replaced> replaced = {};  // of REPLACE, which takes one message
    AppendStep step = {};
};

using CommandBody = std::variant<Capability, Noop, Logout, Check, CloseMailbox, Unselect, Idle, Namespace, NotNow, Id,
                                 Enable, Select, Create, Delete, Rename, Subscribe, List, StatusOf, Expunge, Search,
                                 Fetch, Store, Copy, Append, GetQuota, GetQuotaRoot, SetQuota, GetMetadata, SetMetadata,
                                 Thread, Compress, Unauthenticate, Notify, Sort, MultiSearch, CancelUpdate>;

struct Command {
    std::string tag;
    CommandBody body;
};

}  // namespace gk::imap
