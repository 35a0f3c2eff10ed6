// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace gk::store {

class Account;
struct Arrival;

// Gives rows and UIDs to messages that are durable already, a little later and many at once, on a thread of its own: a
// delivery need not wait for what is no part of its promise. What a kill takes away is found by the next look at the
// directory. Thread-safe; one for a program. The thread begins with the first message, so that it is closed in as the
// program is.
class Indexer {
public:
    // GATHER: how long the first of a crowd waits for others. MOST: so many at a time wait; one more is indexed at
    // once.
    explicit Indexer(std::chrono::microseconds gather = std::chrono::milliseconds(25), std::size_t most = 4096);
    ~Indexer();  // when all that was added is indexed
    Indexer(const Indexer&) = delete;

    void add(std::shared_ptr<Account> account, Arrival arrival);
    // Returns when all that was added for ACCOUNT before is indexed.
    void settle(const Account& account);

private:
    using Crowd = std::map<std::shared_ptr<Account>, std::vector<std::unique_ptr<Arrival>>>;
    bool start();
    void run();
    void index(std::unique_lock<std::mutex>& lock, Crowd::iterator crowd);

    const std::chrono::microseconds gather_;
    const std::size_t most_;
    std::mutex mutex_;
    std::condition_variable arrived_, indexed_;
    Crowd waiting_;
    std::size_t count_ = 0;  // in WAITING_
    std::multiset<const Account*> under_way_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace gk::store
