// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/config/config.hpp"
#include "common/delivery/actions.hpp"
#include "common/delivery/domain_usage.hpp"
#include "common/delivery/forwarding.hpp"
#include "common/delivery/quota_warnings.hpp"
#include "common/delivery/spam_filter.hpp"
#include "common/directory/directory.hpp"
#include "common/maildir/writer.hpp"
#include "common/queue/envelope.hpp"
#include "common/store/change_socket.hpp"
#include "common/store/indexer.hpp"
#include "common/store/pool.hpp"

// From a recipient and a message to durable files: the directory says which accounts a recipient stands for, quota
// and sub-address say where in them, and the store makes it durable. What leads out of our domains goes to the spool.
namespace gk::delivery {

struct Options {
    std::string delimiter = "+";
    enum class Subaddress { Never, Existing, Create } subaddress = Subaddress::Existing;
    std::size_t parallel = 8;  // accounts that one message is written to at the same time
    std::size_t open_accounts = 256;
    bool known_reports_only = false;    // refuse a DSN about what its account never sent
    std::size_t max_delivered_to = 50;  // Delivered-To fields before a message is called a loop
    QuotaWarnings warnings;
    directory::Limits lists;  // how deep lists may lead, and to how many
    maildir::SyncOptions sync;
    message::Limits message;  // how far messages are looked into
    static Options from(const config::Config& config);
};

// The answer for one recipient, as the protocol says it.
struct Answer {
    int code = 250;
    std::string enhanced = "2.1.5", text = "ok";
    bool positive() const noexcept { return code < 400; }
};

// One recipient that check() has looked up.
struct Recipient {
    std::string address;  // as in RCPT TO, without <>
    std::string orcpt;    // xtext, as sent; for the spool
    unsigned notify = queue::kNotifyUnset;
    directory::Resolution resolution;
    std::optional<store::Quota> quota;  // of the one account it stands for, once looked up
};

struct Envelope {
    std::string reverse_path;  // without <>; empty is the null reverse-path
    std::string trace_id;      // names the message in events
    queue::Body body = queue::Body::SevenBit;
    bool smtputf8 = false;
    bool require_tls = false;  // for copies that leave
    queue::Ret ret = queue::Ret::Unset;
    std::string envid;
    std::string front;     // fields that a list puts in front of the message
    bool from_gk = false;  // it came through gk-smtpd: what that says in front of the message is true
};

struct Outcome {
    Answer answer;
    std::vector<Filed> filed;      // copies made for this recipient; empty where another recipient's copy serves
    std::string spool_id;          // of the copy that leaves, where one does
    std::string error;             // for the log: why a part of it failed
    std::vector<Deed> deeds = {};  // what Sieve did
};

// Thread-safe; one for a program.
class Deliverer {
public:
    // INDEX: whether deliver() returns when a message has its UID, or when it is durable, which is sooner.
    enum class Index { AtOnce, Soon };
    static Result<std::unique_ptr<Deliverer>> open(const config::Config& config, Index index = Index::AtOnce);

    // Whether mail for this address is taken, before there is a message: 250, 550 5.1.1 (no such user), 551 5.7.1 (not
    // our domain), 452 4.2.2 (over quota, counting SIZE where known), 550 5.7.1 (a list that SENDER, where known, may
    // not write to; a rewritten reverse-path that is not ours, or that SENDER, not null, writes to), 451 (trouble).
    // Fills RECIPIENT.resolution.
    Answer check(Recipient& recipient, std::uint64_t size, const std::optional<std::string>& sender = {});

    // One outcome for each recipient, in order; a positive one means durable. MESSAGE has CRLF line ends (BINARYMIME:
    // any bytes). MAILBOX, where not empty, takes the place of INBOX and of the sub-address.
    std::vector<Outcome> deliver(const Envelope& envelope, const std::vector<Recipient>& recipients,
                                 std::string_view message, std::string_view mailbox = {});

    // What deliver() would do, in words, one line for each copy: "ann@a.test INBOX", "spool bob@elsewhere.test". With
    // MESSAGE, which came in by ENVELOPE, also what the scripts of an account do: SIEVE says it then, or why not.
    struct Planned {
        std::string account, mailbox, external, sieve = {};
    };
    Result<std::vector<Planned>> plan(const Recipient& recipient, std::string_view mailbox = {},
                                      const Envelope* envelope = nullptr, std::string_view message = {});
    // Whether RECIPIENT's mail is run through scripts, so that plan() wants the message.
    Result<bool> is_filtered(const Recipient& recipient) const;

    maildir::Syncer::Counts flushes() const noexcept { return writer_.syncer().counts(); }

    const Forwarding& forwarding() const noexcept { return *forwarding_; }

private:
    struct Copy;
    struct Lists;  // what the lists of one message have done so far
    std::vector<Outcome> deliver(const Envelope& envelope, const std::vector<Recipient>& recipients,
                                 std::string_view message, std::string_view mailbox, Lists& lists);
    Outcome deliver_to_list(const std::string& address, const Envelope& envelope, std::string_view message,
                            Lists& lists);
    Answer check_lists(const std::vector<std::string>& lists, const std::string& sender);
    Deliverer(const config::Config& config, Options options);
    Result<std::string> choose_mailbox(store::Account& account, const std::string& detail, std::string_view wanted);
    static Result<std::string> junk_of(store::Account& account);
    Result<store::Quota> quota_of(const std::string& account);
    Answer over_quota(const std::string& account, const store::Quota& quota, std::uint64_t size);
    Answer over_quota_of_domain(const std::string& account, std::uint64_t size);
    Result<store::Totals> usage_of_domain(const std::string& domain);
    // After a delivery of SIZE octets: tells who has come to a share of his quota.
    void warn_of_quotas(store::Account& account, const std::string& address, const store::Quota& quota,
                        std::uint64_t size);
    Result<std::shared_ptr<store::Account>> account(const std::string& address);
    void write(Copy& copy, const Envelope& envelope, const Recipient& recipient, std::string_view message,
               std::string_view mailbox);
    Result<Filed> file(store::Account& account, const std::string& mailbox, const store::IncomingMessage& kind,
                       std::string_view front, std::string_view message);
    // filtering.cpp
    Result<FilterInput> filter_input(const std::string& account, const Envelope& envelope, const Recipient& recipient,
                                     std::string_view message, const std::string& mailbox) const;
    Result<std::vector<Planned>> plan_filter(const std::string& account, const Envelope& envelope,
                                             const Recipient& recipient, std::string_view message,
                                             const std::string& mailbox);
    void filter(Copy& copy, const Envelope& envelope, const Recipient& recipient, store::Account& account,
                const std::vector<Filter::Chosen>& scripts, const std::string& mailbox, std::string_view front,
                std::string_view message);
    bool is_unknown_report(const std::vector<Copy>& copies, const Envelope& envelope, std::string_view message) const;
    Result<std::string> spool(const Envelope& envelope, std::vector<queue::Recipient> recipients,
                              std::string_view front, std::string_view message);

    config::Paths paths_;
    Options options_;
    std::shared_ptr<directory::Directory> directory_;
    std::optional<Forwarding> forwarding_;
    store::ChangeSocket changes_;
    maildir::Writer writer_;
    store::AccountPool accounts_;
    DomainUsage usage_;
    std::mutex warning_mutex_;  // one warning for what several messages came to at once
    SpamFilter spam_;
    Filter filter_;
    Index index_ = Index::AtOnce;
    store::Indexer indexer_;  // the last, since it uses what is above
};

store::Quota to_quota(std::int64_t bytes, std::int64_t messages);  // of the directory

}  // namespace gk::delivery
