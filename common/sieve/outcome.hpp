// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// What a script decided about a message: values to act on, all checked.
namespace gk::sieve {

// keep and fileinto (RFC 5228, 4.1 and 4.2).
struct Store {
    std::string mailbox;             // UTF-8, as the script names it; the default mailbox for keep
    std::vector<std::string> flags;  // RFC 5232; "\\Seen", keywords
    bool has_flags = false;          // the script had a say in the flags, maybe that there be none
    bool keep = false;               // of keep, explicit or implicit
    bool implicit = false;
    bool create = false;      // make the mailbox where it is missing (RFC 5490, 3.2)
    std::string special_use;  // prefer the mailbox that has this (RFC 8579, 5)
};

struct Redirect {
    std::string address;  // a mailbox that parse_address took, or, where LIST, the name of a list (RFC 6134)
    bool list = false;
    std::string dsn_notify;            // RFC 6009, 4: "NEVER", "FAILURE,DELAY"; empty: not said
    std::string dsn_return;            // "FULL", "HDRS"
    std::optional<std::int64_t> by_s;  // DELIVERBY (RFC 2852): seconds from now
    bool by_return = false, by_trace = false;
};

// Asks for nothing by itself: it took the implicit keep away. Beside a Store or Redirect it means nothing.
struct Discard {};

// RFC 5429. EREJECT prefers a refusal in the SMTP session to a message.
struct Reject {
    std::string reason;  // UTF-8
    bool ereject = false;
};

// Where a copy of what is sent goes (RFC 8580).
struct Fcc {
    std::string mailbox;
    std::vector<std::string> flags;
    bool create = false;
    std::string special_use;
};

// A response that may be sent: RFC 5230's conditions on the message hold. What is left to ask is whether this
// sender had one within the last SECONDS for HANDLE; then remember it.
struct Vacation {
    std::string to;       // the reverse-path
    std::string from;     // a mailbox, perhaps with a display name
    std::string subject;  // UTF-8
    std::string reason;   // UTF-8 text, or where MIME a MIME entity: fields, empty line, content
    bool mime = false;
    std::string handle;  // what tells responses apart: given, or a digest of what would be sent
    std::int64_t seconds = 0;
    std::string in_reply_to, references;  // fields' bodies for the response; may be empty
    std::optional<Fcc> fcc;
};

// notify with a mailto: method (RFC 5435, 5436): one message.
struct Notify {
    std::string method;  // the URI as the script has it
    std::string from;    // empty: the account's own
    std::vector<std::string> to, cc, bcc;
    std::string subject, body;                                // UTF-8
    std::vector<std::pair<std::string, std::string>> fields;  // others that the URI asks for and RFC 5436 permits
    int importance = 2;                                       // 1 high, 2 normal, 3 low
    std::string auto_submitted;                               // "auto-notified; owner-email=\"ann@example.org\""
    std::vector<std::string> options;
    std::optional<Fcc> fcc;
};

struct Action {
    std::variant<Store, Redirect, Discard, Reject, Vacation, Notify> what;
    std::uint32_t line = 0, column = 0;  // 0: implicit
    int edition = -1;                    // index into Outcome::editions; -1: the message as it came
};

// The message as editheader, replace or enclose left it at some point: HEADER (with its empty line), then BODY or,
// where that is nothing, the original's body. Line ends are those of the original.
struct Edition {
    std::string header;
    std::optional<std::string> body;
    std::string apply(std::string_view message) const;
};

// For Host::seen: to be remembered once every action is done (RFC 7352, 3).
struct Remember {
    std::string id;
    std::int64_t seconds = 0;
};

struct Outcome {
    std::vector<Action> actions;    // in the order of the script; the implicit keep is last, as a Store
    std::vector<Edition> editions;  // for Action::edition
    std::vector<Remember> remember;
    std::vector<std::string> remarks;  // for people: why a response was not sent, and the like
    std::string error;                 // "line 3, column 7: …", of several scripts parted by "; "; empty: none
    std::uint64_t steps = 0;           // used
    bool implicit_keep = false;        // still in force at the end

    bool keeps_nothing() const noexcept;  // no Store: the message is gone for the account, unless redirected
};

// One line an action, for people: "fileinto \"Lists\" :flags \"\\Seen\"".
std::string describe(const Action& action);
// "keep", "fileinto", "redirect", "discard", "reject", "ereject", "vacation", "notify".
std::string_view name_of(const Action& action) noexcept;

}  // namespace gk::sieve
