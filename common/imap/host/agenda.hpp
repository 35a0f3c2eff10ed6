// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

namespace gk::imap {

// What is to be done when: each thing once, and the one that is due longest comes first, whatever its name.
class Agenda {
public:
    using Time = std::chrono::steady_clock::time_point;

    // The earlier of the two, where it stands there already.
    void no_later(const std::string& what, Time when) {
        if (const auto at = when_.find(what); at == when_.end() || when < at->second) put(what, when);
    }
    void put(const std::string& what, Time when) {
        erase(what);
        when_.emplace(what, when);
        in_order_.emplace(when, what);
    }
    void erase(const std::string& what) {
        const auto at = when_.find(what);
        if (at == when_.end()) return;
        in_order_.erase({at->second, what});
        when_.erase(at);
    }
    // Time::max(): there is nothing.
    Time next() const { return in_order_.empty() ? Time::max() : in_order_.begin()->first; }
    // Takes off what is due.
    std::optional<std::string> take(Time now) {
        if (next() > now || in_order_.empty()) return std::nullopt;
        std::string what = in_order_.begin()->second;
        erase(what);
        return what;
    }

private:
    std::unordered_map<std::string, Time> when_;
    std::set<std::pair<Time, std::string>> in_order_;
};

}  // namespace gk::imap
