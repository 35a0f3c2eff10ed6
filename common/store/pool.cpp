// SPDX-License-Identifier: MIT
#include "common/store/pool.hpp"

namespace gk::store {

Result<std::shared_ptr<Account>> AccountPool::get(const std::string& home, const std::string& name, bool create) {
    std::unique_lock lock(mutex_);
    for (;;) {
        if (const auto found = by_home_.find(home); found != by_home_.end()) {
            recent_.splice(recent_.begin(), recent_, found->second);
            return recent_.front().second;
        }
        if (opening_.insert(home).second) break;
        opened_.wait(lock);
    }
    // Opened without the lock, since it may read a whole Maildir; who wants the same account meanwhile waits for it.
    lock.unlock();
    AccountOptions options;
    options.name = name;
    options.create = create;
    options.sink = sink_;
    options.writer = writer_;
    options.message_limits = limits_;
    auto opened = Account::open(home, options);
    std::vector<std::shared_ptr<Account>> closing;  // destroyed after the lock was released
    lock.lock();
    opening_.erase(home);
    opened_.notify_all();
    if (!opened) {
        lock.unlock();
        return fail(opened.error());
    }
    std::shared_ptr<Account> account = std::move(*opened);
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
    lock.unlock();
    return account;
}

std::size_t AccountPool::size() const {
    const std::lock_guard lock(mutex_);
    return recent_.size();
}

}  // namespace gk::store
