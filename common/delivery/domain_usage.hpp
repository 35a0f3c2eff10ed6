// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/store/types.hpp"

namespace gk::delivery {

// What the accounts of a domain keep together: the sum of their indexes' counters, taken anew every ten minutes, and
// what this program delivered since. Mail that came otherwise (APPEND), or was removed, shows with the next sum: a
// domain's quota is held to within that. Thread-safe. Only domains that are asked for are counted.
class DomainUsage {
public:
    explicit DomainUsage(std::chrono::steady_clock::duration age = std::chrono::minutes(10)) : age_(age) {}

    // HOMES is asked for when the sum is taken. One caller takes it; others meanwhile get the sum before, or, where
    // there is none yet, wait.
    using Homes = std::function<Result<std::vector<std::string>>()>;
    Result<store::Totals> of(const std::string& domain, const Homes& homes);
    void add(std::string_view domain, std::uint64_t bytes);

private:
    struct Domain {
        std::mutex mutex;  // guards what follows
        store::Totals totals;
        bool counted = false;
        std::chrono::steady_clock::time_point when;
        std::mutex counting;  // held by whoever takes the sum; locked before MUTEX
    };
    const std::chrono::steady_clock::duration age_;
    std::mutex mutex_;
    std::map<std::string, std::shared_ptr<Domain>, std::less<>> domains_;
};

}  // namespace gk::delivery
