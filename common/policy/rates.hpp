// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>

namespace gk::policy {

// So many an hour for each key, all at once or spread. In memory alone: a restart forgives an hour. Thread-safe.
class Rates {
public:
    explicit Rates(std::size_t most_keys = 100'000) : most_keys_(most_keys) {}
    // One more; the seconds until there is room where there is none now, else 0.
    std::int64_t take(const std::string& key, std::int64_t an_hour, std::int64_t now_s);

private:
    struct Bucket {
        double left = 0;
        std::int64_t at_s = 0;
        double full_at_s = 0;
    };
    void forget_fullest();

    std::size_t most_keys_;
    std::mutex mutex_;
    std::unordered_map<std::string, Bucket> buckets_;
};

}  // namespace gk::policy
