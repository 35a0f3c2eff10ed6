// SPDX-License-Identifier: MIT
#include "common/auth/tickets.hpp"

#include "common/auth/scram.hpp"
#include "common/base/ids.hpp"
#include "common/base/text.hpp"

namespace gk::auth {

std::string Tickets::issue(std::string_view user, std::string_view service, std::int64_t now_s) {
    const std::string ticket = text::to_hex(random_bytes(24));
    const std::lock_guard lock(mutex_);
    if (open_.size() >= most_) {
        std::erase_if(open_, [&](const auto& item) { return item.second.until_s < now_s; });
        if (open_.size() >= most_) return {};
    }
    open_.emplace(sha256(ticket), Open{std::string(user), std::string(service), now_s + life_s_});
    return ticket;
}

std::optional<std::string> Tickets::redeem(std::string_view ticket, std::string_view service, std::int64_t now_s) {
    const std::lock_guard lock(mutex_);
    const auto found = open_.find(sha256(ticket));
    if (found == open_.end()) return std::nullopt;
    const Open open = std::move(found->second);
    open_.erase(found);  // also when it does not fit: who shows it elsewhere stole it
    if (open.service != service || open.until_s < now_s) return std::nullopt;
    return open.user;
}

}  // namespace gk::auth
