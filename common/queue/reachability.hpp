// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "common/base/result.hpp"

namespace gk::queue {

// Which addresses did not answer lately, and whether a whole family of them does not: what is known to be dead goes
// last, so that it costs its timeout once and not with each connection. A guess about order only: no address is ever
// left out. Any thread.
class Reachability {
public:
    using Clock = std::chrono::steady_clock;
    static constexpr std::chrono::minutes kRemembered{5};
    // So many addresses of a family without an answer, and not one with, until the family is taken for dead.
    static constexpr std::size_t kFamily = 3;
    static constexpr std::size_t kMost = 10'000;

    // IPS in their order, but those that are taken for dead behind the others.
    std::vector<std::string> order(std::vector<std::string> ips, Clock::time_point now = Clock::now()) const;
    void answered(const std::string& ip);
    // No connection came about. A refusal is an answer of the host, and says nothing against the family.
    void failed(const std::string& ip, const Error& why, Clock::time_point now = Clock::now());

private:
    struct Family {
        std::size_t silent = 0;  // addresses in a row
        Clock::time_point until{};
    };
    bool is_dead(const std::string& ip, Clock::time_point now) const;
    Family& family_of(const std::string& ip) { return ip.find(':') == std::string::npos ? v4_ : v6_; }

    mutable std::mutex mutex_;
    std::map<std::string, Clock::time_point> dead_;  // until then
    Family v4_, v6_;
};

}  // namespace gk::queue
