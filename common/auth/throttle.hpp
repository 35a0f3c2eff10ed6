// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/net/network.hpp"

namespace gk::auth {

// Counts failed logins by account and by address, delays answers and locks out. Names that do not exist count
// like names that do. Nothing survives a restart. Thread-safe.
class Throttle {
public:
    struct Settings {
        std::int64_t account_failures = 10;  // 0: never locks
        std::int64_t address_failures = 20;
        std::int64_t lockout_s = 900;
        std::chrono::milliseconds backoff{1000}, backoff_most{8000};
        std::size_t remembered = 10'000;
        net::Networks trusted = {};  // addresses that are not counted
    };
    explicit Throttle(Settings settings) : settings_(std::move(settings)) {}

    void set_settings(Settings settings);  // the counts stay

    // NOW_S is a clock that only goes forward.
    bool locked(std::string_view account, std::string_view ip, std::int64_t now_s);
    // How late to answer. FINGERPRINT: of the wrong password where it is known; the same one again (a device that
    // was not told of the new password) counts once.
    std::chrono::milliseconds failed(std::string_view account, std::string_view ip, std::string_view fingerprint,
                                     std::int64_t now_s);
    void succeeded(std::string_view account);

private:
    struct Entry {
        std::string key, fingerprint;
        std::int64_t failures = 0, last_s = 0;
    };
    // The most recent first; the map points into the list.
    struct Table {
        std::list<Entry> order;
        std::unordered_map<std::string_view, std::list<Entry>::iterator> by_key;
        Entry* find(std::string_view key);
        Entry& touch(std::string_view key, std::size_t most);
        void erase(std::string_view key);
    };
    std::string address_key(std::string_view ip) const;  // empty: not counted
    bool over(Table& table, std::string_view key, std::int64_t limit, std::int64_t now_s);

    std::mutex mutex_;
    Settings settings_;
    Table accounts_, addresses_;
};

}  // namespace gk::auth
