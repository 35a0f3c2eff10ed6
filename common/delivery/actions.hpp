// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/delivery/filter.hpp"
#include "common/queue/envelope.hpp"
#include "common/store/incoming.hpp"

// What Sieve decided, done: each action durable before it counts as done.
namespace gk::delivery {

// Where a copy went.
struct Filed {
    std::string account, mailbox;
    std::string file;    // its name in the Maildir, without flags
    store::Uid uid = 0;  // 0: durable, its UID comes later
};

// One thing that scripts did, or what went wrong with them; for the log.
struct Deed {
    std::string account, scripts = {};
    std::string action = {};  // "redirect \"bob@b.test\"", as sieve::describe has it; empty for an error alone
    std::uint32_t line = 0;   // 0: not of a line
    std::string queue = {};   // of what was given to the queue
    std::string error = {}, note = {};  // why it was not done; why it was not to be done
};

// What delivery does for them.
struct Hands {
    // Files MESSAGE, where RECEIVED with delivery's own fields in front, and returns when it is durable; in INBOX,
    // where the mailbox has gone meanwhile.
    std::function<Result<Filed>(const std::string& mailbox, const store::IncomingMessage& kind,
                                std::string_view message, bool received)>
        file;
    // Gives FRONT and MESSAGE to the queue, durably; the queue id.
    std::function<Result<std::string>(const queue::Envelope& envelope, std::string_view front,
                                      std::string_view message)>
        spool;
    // The reverse-path of a copy that leaves because an address of DOMAIN sends it on.
    std::function<Result<std::string>(const std::string& reverse_path, std::string_view domain)> forwarding;
    // Whether the account may write as ADDRESS.
    std::function<bool(const std::string& address)> may_send_as;
};

// The transaction that brought the message.
struct Arrival {
    queue::Envelope envelope;  // its parameters, without recipients
    std::string orcpt;         // of the recipient
    unsigned notify = queue::kNotifyUnset;
    std::vector<std::string> been;      // Delivered-To of the message, canonical
    std::size_t max_delivered_to = 50;  // so many make a loop
    bool binary = false;                // BINARYMIME
    bool junk = false;                  // taken for spam: its sender is most likely nobody to answer
};

struct Performed {
    std::vector<Filed> filed;
    std::vector<Deed> deeds;
    std::string spool_id;  // of the last copy that leaves
    std::string rejected;  // the reason for the sender, in ASCII; empty: not rejected
    Status status;         // an error: the message is not taken, and nothing was done that a second try would do twice
};

// Does what FILTERED says for INPUT. An action that fails when another was done already leaves the message in INBOX as
// well: better there than lost, or done twice.
Performed perform(const Filtered& filtered, const FilterInput& input, const Arrival& arrival, Memory& memory,
                  const Hands& hands);

}  // namespace gk::delivery
