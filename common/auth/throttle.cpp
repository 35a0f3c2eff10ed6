// SPDX-License-Identifier: MIT
#include "common/auth/throttle.hpp"

namespace gk::auth {

Throttle::Entry* Throttle::Table::find(std::string_view key) {
    const auto found = by_key.find(key);
    return found == by_key.end() ? nullptr : &*found->second;
}

Throttle::Entry& Throttle::Table::touch(std::string_view key, std::size_t most) {
    if (const auto found = by_key.find(key); found != by_key.end()) {
        order.splice(order.begin(), order, found->second);
        return order.front();
    }
    if (order.size() >= most) {
        by_key.erase(order.back().key);
        order.pop_back();
    }
    order.push_front(Entry{std::string(key), {}, 0, 0});
    by_key.emplace(order.front().key, order.begin());
    return order.front();
}

void Throttle::Table::erase(std::string_view key) {
    const auto found = by_key.find(key);
    if (found == by_key.end()) return;
    const auto entry = found->second;
    by_key.erase(found);
    order.erase(entry);
}

// One IPv6 customer has a /64 at least, so single addresses would tell nothing.
std::string Throttle::address_key(std::string_view ip) const {
    const auto parsed = net::parse_ip(ip);
    if (!parsed || settings_.trusted.contains(ip)) return {};
    const auto& bytes = *parsed;
    const bool is_v4 =
        std::all_of(bytes.begin(), bytes.begin() + 10, [](unsigned char b) { return b == 0; }) && bytes[10] == 0xFF;
    return std::string(reinterpret_cast<const char*>(bytes.data()), is_v4 ? 16 : 8);
}

bool Throttle::over(Table& table, std::string_view key, std::int64_t limit, std::int64_t now_s) {
    if (limit == 0 || key.empty()) return false;
    const Entry* entry = table.find(key);
    return entry && entry->failures >= limit && now_s - entry->last_s < settings_.lockout_s;
}

void Throttle::set_settings(Settings settings) {
    const std::lock_guard lock(mutex_);
    settings_ = std::move(settings);
}

bool Throttle::locked(std::string_view account, std::string_view ip, std::int64_t now_s) {
    const std::lock_guard lock(mutex_);
    return over(accounts_, account, settings_.account_failures, now_s) ||
           over(addresses_, address_key(ip), settings_.address_failures, now_s);
}

std::chrono::milliseconds Throttle::failed(std::string_view account, std::string_view ip, std::string_view fingerprint,
                                           std::int64_t now_s) {
    const std::lock_guard lock(mutex_);
    std::int64_t most = 1;
    const auto count = [&](Table& table, std::string_view key) {
        if (key.empty()) return;
        Entry& entry = table.touch(key, settings_.remembered);
        if (now_s - entry.last_s >= settings_.lockout_s) entry.failures = 0, entry.fingerprint.clear();
        if (fingerprint.empty() || entry.fingerprint != fingerprint) {
            ++entry.failures;
            entry.last_s = now_s;
            entry.fingerprint = fingerprint;
        }
        most = std::max(most, entry.failures);
    };
    count(accounts_, account);
    count(addresses_, address_key(ip));
    auto delay = settings_.backoff;
    for (std::int64_t i = 1; i < most && delay < settings_.backoff_most; ++i) delay *= 2;
    return std::min(delay, settings_.backoff_most);
}

// The address keeps its count: one who owns an account could otherwise guess at others for ever.
void Throttle::succeeded(std::string_view account) {
    const std::lock_guard lock(mutex_);
    accounts_.erase(account);
}

}  // namespace gk::auth
