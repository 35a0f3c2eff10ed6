// SPDX-License-Identifier: MIT
#pragma once

#include <condition_variable>
#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "common/store/account.hpp"

namespace gk::store {

// Open accounts, least recently used closed first. Thread-safe. An account stays open while anybody holds it, so the
// bound is on those that nobody uses.
class AccountPool {
public:
    // SINK and WRITER as in AccountOptions; they outlive the pool.
    explicit AccountPool(std::size_t capacity, ChangeSink* sink = nullptr, maildir::Writer* writer = nullptr,
                         const message::Limits& limits = {})
        : capacity_(capacity), sink_(sink), writer_(writer), limits_(limits) {}

    // The account at HOME; made where it is not there and CREATE.
    Result<std::shared_ptr<Account>> get(const std::string& home, const std::string& name, bool create);
    std::size_t size() const;

private:
    using Entry = std::pair<std::string, std::shared_ptr<Account>>;
    std::size_t capacity_;
    ChangeSink* sink_;
    maildir::Writer* writer_;
    message::Limits limits_;
    mutable std::mutex mutex_;
    std::list<Entry> recent_;  // most recently used first
    std::unordered_map<std::string, std::list<Entry>::iterator> by_home_;
    std::unordered_set<std::string> opening_;  // homes that a thread opens just now
    std::condition_variable opened_;
};

}  // namespace gk::store
