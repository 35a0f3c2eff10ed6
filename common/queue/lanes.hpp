// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "common/queue/index.hpp"

namespace gk::queue {

inline std::int64_t to_us(TimePoint t) { return t.time_since_epoch().count(); }
inline TimePoint from_us(std::int64_t us) { return TimePoint(std::chrono::microseconds(us)); }

// When each domain has something due, at the earliest: a time may be too early, never too late. Part of Index.
struct Index::Lanes {
    struct Lane {
        TimePoint next{}, closed{};
        bool has_next = false;
        bool is_full = false;  // there was no room for it
        TimePoint at() const { return std::max(next, closed); }
    };
    std::unordered_map<std::string, Lane> by_domain;
    std::set<std::pair<TimePoint, std::string>> by_time;  // of those that have a next

    void add(const std::string& domain, TimePoint next) {
        auto& lane = by_domain[domain];
        if (lane.has_next && lane.next <= next) return;
        set(domain, lane, next);
    }
    void set(const std::string& domain, Lane& lane, std::optional<TimePoint> next) {
        if (lane.has_next) by_time.erase({lane.at(), domain});
        lane.has_next = next.has_value();
        if (next) lane.next = *next;
        if (next) by_time.emplace(lane.at(), domain);
    }
    void close(const std::string& domain, Lane& lane, TimePoint until) {
        if (lane.has_next) by_time.erase({lane.at(), domain});
        lane.closed = until;
        if (lane.has_next) by_time.emplace(lane.at(), domain);
    }
};

}  // namespace gk::queue
