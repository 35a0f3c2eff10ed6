// SPDX-License-Identifier: MIT
#include "common/store/indexer.hpp"

#include <algorithm>
#include <system_error>

#include "common/store/state.hpp"

namespace gk::store {

namespace {

void index_all(Account& account, const std::vector<std::unique_ptr<Arrival>>& arrivals) {
    std::vector<Arrival*> all;
    all.reserve(arrivals.size());
    for (const auto& arrival : arrivals) all.push_back(arrival.get());
    index_arrivals(account.state(), all);
}

}  // namespace

Indexer::Indexer(std::chrono::microseconds gather, std::size_t most) : gather_(gather), most_(most) {}

Indexer::~Indexer() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    arrived_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void Indexer::add(std::shared_ptr<Account> account, Arrival arrival) {
    bool first = false;
    {
        const std::lock_guard lock(mutex_);
        if (count_ < most_ && start()) {
            first = count_++ == 0;
            waiting_[std::move(account)].push_back(std::make_unique<Arrival>(std::move(arrival)));
        }
    }
    if (account) index_arrival(account->state(), arrival);  // no room: the disk is slower than the mail
    else if (first) arrived_.notify_one();
}

// With the lock held. False where no thread is to be had.
bool Indexer::start() {
    if (thread_.joinable()) return true;
    try {
        thread_ = std::thread([this] { run(); });
    } catch (const std::system_error&) {
        return false;
    }
    return true;
}

// With the lock held, which is released while the crowd of ACCOUNT is indexed.
void Indexer::index(std::unique_lock<std::mutex>& lock, Crowd::iterator crowd) {
    const auto taken = waiting_.extract(crowd);
    count_ -= taken.mapped().size();
    const auto under_way = under_way_.insert(taken.key().get());
    lock.unlock();
    index_all(*taken.key(), taken.mapped());
    lock.lock();
    under_way_.erase(under_way);
    indexed_.notify_all();
}

void Indexer::settle(const Account& account) {
    std::unique_lock lock(mutex_);
    const auto mine =
        std::find_if(waiting_.begin(), waiting_.end(), [&](const auto& one) { return one.first.get() == &account; });
    if (mine != waiting_.end()) index(lock, mine);
    indexed_.wait(lock, [&] { return !under_way_.contains(&account); });
}

void Indexer::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        arrived_.wait(lock, [this] { return stopping_ || count_ != 0; });
        if (count_ == 0) return;
        if (!stopping_) arrived_.wait_for(lock, gather_, [this] { return stopping_; });
        while (!waiting_.empty()) index(lock, waiting_.begin());
    }
}

}  // namespace gk::store
