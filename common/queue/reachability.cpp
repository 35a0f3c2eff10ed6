// SPDX-License-Identifier: MIT
#include "common/queue/reachability.hpp"

#include <algorithm>
#include <cerrno>

namespace gk::queue {

bool Reachability::is_dead(const std::string& ip, Clock::time_point now) const {
    const auto& family = ip.find(':') == std::string::npos ? v4_ : v6_;
    const auto found = dead_.find(ip);
    return now < family.until || (found != dead_.end() && now < found->second);
}

std::vector<std::string> Reachability::order(std::vector<std::string> ips, Clock::time_point now) const {
    const std::lock_guard guard(mutex_);
    std::stable_partition(ips.begin(), ips.end(), [&](const auto& ip) { return !is_dead(ip, now); });
    return ips;
}

void Reachability::answered(const std::string& ip) {
    const std::lock_guard guard(mutex_);
    dead_.erase(ip);
    family_of(ip) = {};
}

void Reachability::failed(const std::string& ip, const Error& why, Clock::time_point now) {
    const std::lock_guard guard(mutex_);
    if (why.os_errno == ECONNREFUSED) {
        family_of(ip) = {};
    } else if (!is_dead(ip, now)) {
        auto& family = family_of(ip);
        if (++family.silent >= kFamily) family.until = now + kRemembered;
    }
    if (dead_.size() >= kMost) std::erase_if(dead_, [now](const auto& entry) { return entry.second <= now; });
    if (dead_.size() < kMost) dead_[ip] = now + kRemembered;
}

}  // namespace gk::queue
