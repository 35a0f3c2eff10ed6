// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/message/structure.hpp"
#include "common/store/types.hpp"

namespace gk::maildir {
class Writer;
}

// The mail of one account: a tree of mailboxes, each a set of immutable messages with flags. Files are the truth and
// the index a cache of them; both stay behind this interface. Thread-safe: one Account may serve many threads, and
// many processes may have the same account open. A method returns success only when its effect is durable.
// Errors: NotFound (mailbox, message), Exists, BadInput (name, limits), Temporary (disk full, index locked).
namespace gk::store {

class Mailbox;
class Incoming;

struct AccountOptions {
    std::string name;                     // "ann@a.test", for changes; may be empty
    bool create = false;                  // make it, with the default mailboxes, where it is not there
    ChangeSink* sink = nullptr;           // outlives the account
    maildir::Writer* writer = nullptr;    // shared by the program; outlives the account; else the account has its own
    message::Limits message_limits = {};  // what is read of a message's structure, where no cache has it
    Quota quota = {};                     // what a session may fill; deliveries bring the quota along (room_for)
    // Flag changes are acknowledged when durable, as all else. Off: they may be lost with the power (never by a crash
    // of a program), as other servers do it.
    bool durable_flags = true;
};

// Mailboxes that a new account has, subscribed: name and special use (RFC 6154).
struct DefaultMailbox {
    std::string_view name, special_use;
};
std::span<const DefaultMailbox> default_mailboxes() noexcept;

// Reads what a confined process could not read later (boot id, host name). Call once before closing in; cheap.
void warm_up();

class Account : public std::enable_shared_from_this<Account> {
public:
    // HOME holds Maildir/ and index.db. NotFound where it is not there and not to be created. A damaged index is set
    // aside (index.db.damaged) and rebuilt from the files.
    static Result<std::shared_ptr<Account>> open(const std::string& home, const AccountOptions& options = {});
    ~Account();

    const std::string& home() const noexcept;
    const std::string& name() const noexcept;
    std::string maildir() const;                               // home/Maildir
    std::string mailbox_path(std::string_view mailbox) const;  // the directory of a mailbox name; not checked
    // The mailbox of a directory name below maildir() (".Sent", "." for INBOX), empty for none: for inotify.
    static std::string mailbox_of_directory(std::string_view directory);

    // The tree sorted by name, INBOX first; superiors that do not exist themselves included. Only names that begin with
    // PREFIX.
    Result<std::vector<MailboxEntry>> list(std::string_view prefix = "");
    Result<MailboxEntry> find(std::string_view mailbox);
    // The name of the mailbox that has this special use, or is called that in any case of ASCII; empty for none.
    Result<std::string> find_special_use(std::string_view special_use);
    Result<std::string> find_any_case(std::string_view mailbox);
    Result<MailboxStatus> status(std::string_view mailbox);
    // Of all mailboxes, sorted by name: one query.
    Result<std::vector<MailboxMark>> marks();
    // Of all mailboxes; kept as counters.
    Result<Totals> totals();
    // The same from the index alone, of an account that is not open; nothing where there is no index.
    static Result<Totals> kept_totals(const std::string& home);

    const Quota& quota() const noexcept;  // of the options
    // The one rule of quotas: ok() where MESSAGES of BYTES more keep within QUOTA (without one: the options' own). Else
    // Temporary with os_errno EDQUOT. What arrives at the same moment is not seen, so that a quota may be passed by
    // that much. APPEND and COPY ask in the store; MOVE costs nothing.
    Status room_for(std::uint64_t messages, std::uint64_t bytes);
    Status room_for(const Quota& quota, std::uint64_t messages, std::uint64_t bytes);

    // SPECIAL_USE: "" or "\\Sent" … . Exists: it is there already. BadInput: a name that cannot be (see check_name).
    Status create(std::string_view mailbox, std::string_view special_use = "");
    // INBOX cannot be deleted (Denied). A mailbox with children keeps its name as a superior.
    Status remove(std::string_view mailbox);
    // With all children. Renaming INBOX moves its messages into a new mailbox and leaves it (RFC 9051, 6.3.6).
    Status rename(std::string_view from, std::string_view to);
    Status set_special_use(std::string_view mailbox, std::string_view special_use);
    // Annotations of a mailbox, or, where MAILBOX is empty, of the account (RFC 5464's server annotations). Kept in
    // text files. A change is all or none; BadInput with os_errno EMSGSIZE: a value past kMaxAnnotationValue; E2BIG:
    // too many.
    Result<Annotations> annotations(std::string_view mailbox);
    // Another number after each change of them; 0 where there are none.
    std::uint64_t annotations_version(std::string_view mailbox);
    Status annotate(std::string_view mailbox, const std::vector<AnnotationChange>& changes);

    // Subscriptions are names, whether or not the mailbox exists (RFC 9051, 6.3.7).
    Status subscribe(std::string_view mailbox);
    Status unsubscribe(std::string_view mailbox);
    Result<std::vector<std::string>> subscriptions();
    Status subscribe_defaults();  // INBOX and the default mailboxes, in one write

    // A mailbox for a session or a command; looks for what foreign tools changed. See mailbox.hpp.
    Result<Mailbox> mailbox(std::string_view mailbox);

    // Takes messages in; see incoming.hpp. NotFound where there is no such mailbox.
    Result<Incoming> incoming(std::string_view mailbox);

    // Looks at every mailbox for what foreign tools changed; THOROUGH reads directories whatever their mtime says.
    Status reconcile(bool thorough = false);

    struct State;  // private to the store
    State& state() noexcept { return *state_; }

private:
    explicit Account(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

// Why a mailbox cannot have this name, or ok(): empty levels, '.', control characters, "~", "..", more than 255 bytes
// as a file name, malformed UTF-8. "inbox" in any case is INBOX. Wildcards % and * are refused.
Status check_name(std::string_view mailbox);
// "INBOX" for any spelling of it (also as the first level); else NAME without a trailing separator.
std::string canonical_name(std::string_view mailbox);

}  // namespace gk::store
