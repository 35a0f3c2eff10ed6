// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"

// What an account's owner moved to Junk or out of it, until `gk-spam learn --pending` learns it: a session has better
// to do. A text file in the account's home, one line for each move, in the order in which they were done.
namespace gk::spam {

struct Pending {
    bool spam = false;
    std::string mailbox;  // where they are now
    std::uint32_t uidvalidity = 0;
    std::vector<std::uint32_t> uids;
};

// Of a mailbox in the store's spelling. Not synced: what a crash costs can be moved again. Past a size that only a
// timer which never runs lets it reach, nothing more is noted.
void note_pending(const std::string& home, const Pending& pending) noexcept;

bool has_pending(const std::string& home) noexcept;

// Hands all of them to ACTION, in order, and removes them when it has returned ok for each. What a process that was
// ended had begun comes first, once more.
Status take_pending(const std::string& home, const std::function<Status(const Pending&)>& action);

}  // namespace gk::spam
