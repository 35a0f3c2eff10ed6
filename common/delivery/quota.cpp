// SPDX-License-Identifier: MIT
#include <algorithm>

#include "common/delivery/copy.hpp"

// How much room an account and its domain have.
namespace gk::delivery {

store::Quota to_quota(std::int64_t bytes, std::int64_t messages) {
    const auto limit = [](std::int64_t n) { return static_cast<std::uint64_t>(std::max<std::int64_t>(n, 0)); };
    return {limit(bytes), limit(messages)};
}

Result<store::Quota> Deliverer::quota_of(const std::string& address) {
    GK_TRY(const auto known, directory_->find_account(address));
    if (!known) return store::Quota{};
    return to_quota(known->quota_bytes, known->quota_messages);
}

Answer Deliverer::over_quota(const std::string& address, const store::Quota& quota, std::uint64_t size) {
    size = std::max<std::uint64_t>(size, 1);  // not declared: still a message, and a full mailbox has no room for it
    if (quota.limited()) {
        const auto opened = account(address);
        if (!opened) return kNotNow;
        indexer_.settle(**opened);
        if (const Status room = (*opened)->room_for(quota, 1, size); !room) return answer_for(room.error());
    }
    return over_quota_of_domain(address, size);
}

Result<store::Totals> Deliverer::usage_of_domain(const std::string& domain) {
    return usage_.of(domain, [&]() -> Result<std::vector<std::string>> {
        GK_TRY(const auto all, directory_->accounts(domain));
        std::vector<std::string> homes;
        for (const auto& one : all) homes.push_back(directory::home_of(paths_, one.address));
        return homes;
    });
}

Answer Deliverer::over_quota_of_domain(const std::string& address, std::uint64_t size) {
    const std::string domain(directory::domain_of(address));
    const auto set = directory_->quota_of_domain(domain);
    if (!set) return kNotNow;
    const store::Quota quota = to_quota(set->bytes, set->messages);
    if (!quota.limited()) return {};
    const auto used = usage_of_domain(domain);
    if (!used) return kNotNow;
    const bool full = (quota.messages != 0 && used->messages + 1 > quota.messages) ||
                      (quota.bytes != 0 && used->bytes + size > quota.bytes);
    return full ? Answer{452, "4.2.2", "the domain has no room left"} : Answer{};
}

}  // namespace gk::delivery
