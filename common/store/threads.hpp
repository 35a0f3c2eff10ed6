// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "common/base/result.hpp"
#include "common/store/account.hpp"
#include "common/store/types.hpp"

// Conversations over all mailboxes of an account: messages that name each other in Message-ID, References and
// In-Reply-To, never messages that only have the same subject.
//
// A message's thread never changes once it was told (RFC 8474, 5.2; RFC 8621, 3), whatever becomes of the index. So a
// message that comes late and would join two threads joins one of them, and they stay two: the thread of those that
// answer it, where they came first; else that of its nearest ancestor that is known. One that nobody knows begins a
// thread that has its number from the oldest id the message names, so that a conversation whose messages name its
// beginning is one whichever comes first. Messages with the same Message-ID are in the same thread.
namespace gk::store {

struct ThreadRow {
    Uid uid = 0;
    std::uint64_t thread = 0;  // see thread_id() in object_id.hpp
    std::int64_t sent = 0;     // the Date field in UTC, else the internal date; Unix seconds
    // Digests: of the Message-ID (0: none), of its ancestors' from the oldest on, and of the base subject (0: empty).
    std::uint64_t own = 0;
    std::span<const std::uint64_t> ancestors;  // lives as long as the call
    std::uint64_t subject = 0;
    bool is_reply = false;  // as the subject says (RFC 5256, 2.1)
};

// Finds the thread of each message that the account knows now and that has none yet, oldest first, whatever its
// mailbox; in bounded pieces, between which others may use the account. Cheap where there is nothing new. What it found
// is durable and may be told when it is done.
class Threading {
public:
    explicit Threading(std::shared_ptr<Account> account);
    ~Threading();
    Threading(Threading&&) noexcept;
    Result<bool> resume();  // true: done

private:
    struct Work;
    std::unique_ptr<Work> work_;
};

}  // namespace gk::store
