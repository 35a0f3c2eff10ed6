// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/store/types.hpp"

// Messages on their way into a mailbox (delivery, APPEND). Many threads may each have their own Incoming for one
// account: what they commit at the same time shares its flushes and one transaction.
//
//   GK_TRY(auto incoming, account->incoming("INBOX"));
//   GK_CHECK(incoming.begin());             // once for each message
//   GK_CHECK(incoming.write(bytes));        // as often as needed
//   GK_TRY(auto appended, incoming.commit());
namespace gk::store {

class Account;
class Indexer;
class Mailbox;

struct IncomingMessage {
    Flags flags = 0;
    std::vector<std::string> keywords;
    std::optional<std::int64_t> internal_date;  // Unix seconds; now where absent
    // Bytes are in wire form: CRLF ends a line, and is stored as LF, unless the message holds a bare CR or LF or BINARY
    // is set: then it is kept byte for byte.
    bool binary = false;
};

class Incoming {
public:
    Incoming(Incoming&&) noexcept;
    Incoming& operator=(Incoming&&) noexcept;
    ~Incoming();  // what was not committed leaves nothing behind

    Status begin(const IncomingMessage& message = {});
    Status write(std::string_view bytes);
    // Octets written to the current message so far, as the client counts them.
    std::uint64_t size() const noexcept;
    // The messages begun and not sealed yet are whole: nothing is written to them any more, and they hold no memory to
    // speak of. After an error drop() them; those sealed before are as good as ever.
    Status seal();
    // Forgets the last COUNT messages.
    void drop(std::size_t count) noexcept;
    // Whether the account's quota allows all messages begun.
    Status room();
    // What the commit will make superfluous, and so costs nothing (REPLACE).
    void credit(std::uint64_t messages, std::uint64_t bytes) noexcept;
    // All messages begun become durable and visible, or none. An error is Temporary (NotFound: the mailbox went away;
    // with os_errno EDQUOT: the account's quota does not allow it).
    // With LATER, returns when the files are durable; they get their rows and UIDs soon, and the answer names no UIDs.
    Result<Appended> commit(Indexer* later = nullptr);
    // The first COUNT of them, which are sealed; the others stay.
    Result<Appended> commit_first(std::size_t count);
    // All of them or none, even where a kill or a power cut comes between: what such a one leaves is completed or taken
    // back by the next look at the mailbox. No other session sees a part of them. With REPLACED, a message of SOURCE is
    // removed in the same step; NotFound where it is gone.
    struct Replaced {
        const Mailbox* source;
        Uid uid;
    };
    Result<Appended> commit_together(const std::optional<Replaced>& replaced = std::nullopt);
    void abandon() noexcept;

    struct State;

private:
    friend class Account;
    explicit Incoming(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace gk::store
