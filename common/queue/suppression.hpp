// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.hpp"
#include "common/base/time.hpp"
#include "common/db/database.hpp"

namespace gk::queue {

// Addresses that do not exist, as one bulk sender of ours had to learn; nothing is sent to them for that sender.
struct Suppressed {
    std::string account, address;
    TimePoint since{};
    std::string reason;       // the reply that put it there, or a person's word
    std::uint64_t count = 1;  // how often
};

// suppressed.db in the spool. Several processes may have it open. Thread-safe.
class Suppressions {
public:
    static Result<std::unique_ptr<Suppressions>> open(const std::string& spool_dir);

    Result<std::optional<Suppressed>> find(std::string_view account, std::string_view address);
    // Durable on return. Where it is there already it counts one more. Past MOST entries the oldest go.
    Status add(const Suppressed& entry, std::uint64_t most);
    Result<bool> remove(std::string_view account, std::string_view address);  // false: was not there
    // In order of accounts and addresses; an empty ACCOUNT is all.
    Status list(std::string_view account, const std::function<void(const Suppressed&)>& each);

private:
    std::mutex mutex_;
    db::Database db_;
};

// True for a status that says that the address is none (RFC 3463, 3.2), not that its mailbox is full, that the sender
// is disliked, or that it is away.
bool means_no_such_address(std::string_view status) noexcept;

}  // namespace gk::queue
