// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/base/result.hpp"
#include "common/os/fd.hpp"

namespace gk::reports {

// Reads the messages of one Maildir for a process that has no right to it and parses what strangers wrote: a child,
// with the rights of the mailbox's owner, closed in to that directory, hands over bytes and looks at none of them.
// Changes nothing in the mailbox. One thread; the child ends with this.
class MailboxReader {
public:
    // MAILBOX holds new/ and cur/. Start it before the caller gives up its own rights.
    static Result<MailboxReader> start(const std::string& mailbox, std::uint64_t most_octets);
    MailboxReader(MailboxReader&& other) noexcept;
    MailboxReader& operator=(MailboxReader&&) = delete;
    ~MailboxReader();

    // For each message: WANTED by its name without flags; EACH gets the bytes of those, empty for one that is too
    // large.
    Status read(const std::function<bool(const std::string& name)>& wanted,
                const std::function<Status(const std::string& name, const std::string& bytes)>& each);

private:
    MailboxReader(os::Fd fd, int pid) : fd_(std::move(fd)), pid_(pid) {}
    os::Fd fd_;
    int pid_ = -1;
};

}  // namespace gk::reports
