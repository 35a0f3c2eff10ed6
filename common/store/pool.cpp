// SPDX-License-Identifier: MIT
#include "common/store/pool.hpp"

namespace gk::store {

Result<std::shared_ptr<Account>> AccountPool::get(const std::string& home, const std::string& name, bool create) {
    {
        const std::lock_guard lock(mutex_);
        if (const auto found = by_home_.find(home); found != by_home_.end()) {
            recent_.splice(recent_.begin(), recent_, found->second);
            return recent_.front().second;
        }
    }
    // Opened without the lock, since it may read a whole Maildir. Two threads may open the same account: one is kept.
    AccountOptions options;
    options.name = name;
    options.create = create;
    options.sink = sink_;
    options.writer = writer_;
    GK_TRY(auto account, Account::open(home, options));
    std::vector<std::shared_ptr<Account>> closing;  // after the lock is released
    const std::lock_guard lock(mutex_);
    if (const auto found = by_home_.find(home); found != by_home_.end()) {
        closing.push_back(std::move(account));
        recent_.splice(recent_.begin(), recent_, found->second);
        return recent_.front().second;
    }
    recent_.emplace_front(home, account);
    by_home_[home] = recent_.begin();
    for (auto it = std::prev(recent_.end()); recent_.size() > capacity_ && it != recent_.begin();) {
        const auto before = std::prev(it);
        if (it->second.use_count() == 1) {
            closing.push_back(std::move(it->second));
            by_home_.erase(it->first);
            recent_.erase(it);
        }
        it = before;
    }
    return account;
}

std::size_t AccountPool::size() const {
    const std::lock_guard lock(mutex_);
    return recent_.size();
}

}  // namespace gk::store
