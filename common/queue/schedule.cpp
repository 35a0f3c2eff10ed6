// SPDX-License-Identifier: MIT
#include "common/queue/schedule.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <array>

#include "common/base/text.hpp"

namespace gk::queue {
namespace {

constexpr std::array<std::pair<std::string_view, RetryClass>, 5> kClasses = {{{"greylisted", RetryClass::Greylisted},
                                                                              {"full", RetryClass::Full},
                                                                              {"unreachable", RetryClass::Unreachable},
                                                                              {"throttled", RetryClass::Throttled},
                                                                              {"local", RetryClass::Local}}};
constexpr std::int64_t kLongest = 7 * 86400;

// The domain itself, then ".parent" of each domain above it.
template <class Value>
const Value* find_for(const std::map<std::string, Value, std::less<>>& table, std::string_view domain) {
    if (const auto own = table.find(domain); own != table.end()) return &own->second;
    for (auto dot = domain.find('.'); dot != std::string_view::npos; dot = domain.find('.', dot + 1))
        if (const auto parent = table.find(domain.substr(dot)); parent != table.end()) return &parent->second;
    return nullptr;
}

bool contains_word(std::string_view text, std::initializer_list<std::string_view> words) {
    const std::string lower = text::lower(text);
    for (const auto word : words)
        if (lower.find(word) != std::string::npos) return true;
    return false;
}

std::vector<std::string_view> words_of(std::string_view s) {
    std::vector<std::string_view> words;
    for (const auto word : text::split(s, ' '))
        if (!word.empty()) words.push_back(word);
    return words;
}

}  // namespace

RetryClass retry_class(std::string_view text, std::string_view status, bool from_peer) noexcept {
    if (!from_peer) return RetryClass::Unreachable;
    // RFC 3463, 3.3: X.2.2 mailbox full; 452 without a code says the same (RFC 5321, 4.2.3) at RCPT.
    if (status.ends_with(".2.2")) return RetryClass::Full;
    if (speaks_for_destination(text, status)) return RetryClass::Throttled;
    if ((text.starts_with("450") || text.starts_with("451")) &&
        (status.find(".7.") != std::string_view::npos || contains_word(text, {"greylist", "graylist"})))
        return RetryClass::Greylisted;
    return RetryClass::Any;
}

bool speaks_for_destination(std::string_view text, std::string_view status) noexcept {
    // RFC 5321, 3.8: 421 announces the end of the channel, whatever the command was.
    if (text.starts_with("421")) return true;
    // RFC 3463, 3.5 and 3.8: X.4.5 congestion, X.7.x policy; the words say which policy.
    if (status == "4.4.5") return true;
    return text.starts_with("45") &&
           contains_word(text, {"rate limit", "too many connections", "too many messages", "too fast", "throttl"});
}

Pace Schedule::pace(RetryClass kind, std::string_view domain) const noexcept {
    Pace own{first, most};
    // What grey lists and full mailboxes need, measured by the usual pace.
    if (kind == RetryClass::Greylisted) own = {first, std::max(first, most / 4)};
    if (kind == RetryClass::Full) own = {std::min(first * 15, most), most};
    if (kind == RetryClass::Throttled) own = {std::max(seconds(1), first / 2), std::max(first, most / 4)};
    if (kind == RetryClass::Local) own = {std::min(first, seconds(5)), std::min(most, std::max(first, seconds(60)))};
    if (const auto said = classes.find(kind); said != classes.end()) own = said->second;
    if (const auto* said = domain.empty() ? nullptr : find_for(domains, domain)) own = *said;
    return own;
}

seconds Schedule::wait(unsigned attempts, std::uint64_t random, RetryClass kind,
                       std::string_view domain) const noexcept {
    const Pace own = pace(kind, domain);
    std::int64_t s = std::max<std::int64_t>(1, own.first.count());
    for (unsigned i = 1; i < attempts && s < own.most.count(); ++i) s *= 2;
    s = std::min(s, std::max<std::int64_t>(1, own.most.count()));
    const std::int64_t spread = s / 2;  // from 3/4 to 5/4
    if (spread > 0) s += static_cast<std::int64_t>(random % static_cast<std::uint64_t>(spread + 1)) - spread / 2;
    return seconds(s);
}

seconds Schedule::longest() const noexcept {
    seconds longest = most;
    for (const auto& [kind, own] : classes) longest = std::max(longest, own.most);
    for (const auto& [domain, own] : domains) longest = std::max(longest, own.most);
    return longest * 2;
}

Status Schedule::read(const std::map<std::string, std::string>& table) {
    for (const auto& [key, value] : table) {
        const auto words = words_of(value);
        const auto from = text::to_duration_s(words.empty() ? "" : words[0]);
        const auto to = words.size() > 1 ? text::to_duration_s(words[1]) : from;
        if (words.size() > 2 || !from || !to || *from < 1 || *to < *from || *to > kLongest)
            return fail(Errc::Config,
                        fmt::format("queue.retry: '{}': '{}' is not \"FIRST MOST\", two durations from 1s "
                                    "to 7d",
                                    text::printable(key, 80), text::printable(value, 80)));
        const Pace own{seconds(*from), seconds(*to)};
        const auto* known =
            std::find_if(kClasses.begin(), kClasses.end(), [&key = key](const auto& c) { return c.first == key; });
        if (known != kClasses.end()) classes[known->second] = own;
        else if (key.find('.') != std::string::npos) domains[text::lower(key)] = own;
        else
            return fail(
                Errc::Config,
                fmt::format("queue.retry: '{}' is neither a domain nor greylisted, full, unreachable, throttled "
                            "or local",
                            text::printable(key, 80)));
    }
    return ok();
}

Status Limits::read(const std::map<std::string, std::string>& table) {
    for (const auto& [domain, value] : table) {
        DestinationLimits own = usual;
        bool good = true;
        for (const auto word : words_of(value)) {
            const auto equals = word.find('=');
            const auto number = text::to_uint(equals == std::string_view::npos ? "" : word.substr(equals + 1));
            const auto name = word.substr(0, equals);
            if (name == "connections" && number && *number >= 1 && *number <= 1000)
                own.connections = static_cast<unsigned>(*number);
            else if (name == "rate" && number && *number <= 1'000'000)
                own.messages_a_minute = static_cast<unsigned>(*number);
            else good = false;
        }
        if (!good)
            return fail(
                Errc::Config,
                fmt::format("queue.limits: '{}': '{}' is not \"connections=N rate=N\" with 1 to 1000 connections "
                            "and at most 1000000 messages a minute",
                            text::printable(domain, 80), text::printable(value, 80)));
        domains[text::lower(domain)] = own;
    }
    return ok();
}

DestinationLimits Limits::of(std::string_view domain) const {
    const auto* own = find_for(domains, domain);
    return own ? *own : usual;
}

}  // namespace gk::queue
