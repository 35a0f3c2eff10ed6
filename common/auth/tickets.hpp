// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace gk::auth {

// One-time proofs of a login, for the program that serves the account. Thread-safe.
class Tickets {
public:
    explicit Tickets(std::int64_t life_s, std::size_t most = 100'000) : life_s_(life_s), most_(most) {}
    void set_life(std::int64_t life_s) noexcept { life_s_ = life_s; }
    // Empty when too many are open: the caller answers Temp.
    std::string issue(std::string_view user, std::string_view service, std::int64_t now_s);
    // The account, once; nothing for an unknown, used or late ticket, or one for another service.
    std::optional<std::string> redeem(std::string_view ticket, std::string_view service, std::int64_t now_s);

private:
    struct Open {
        std::string user, service;
        std::int64_t until_s;
    };
    std::atomic<std::int64_t> life_s_;
    const std::size_t most_;
    std::mutex mutex_;
    std::unordered_map<std::string, Open> open_;  // by hash of the ticket, so that look-ups tell no timing
};

}  // namespace gk::auth
