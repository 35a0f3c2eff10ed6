// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "common/base/result.hpp"
#include "common/base/time.hpp"

namespace gk::queue {

using std::chrono::seconds;

// Why something must be tried again, which says how soon.
enum class RetryClass {
    Any,          // what none of the others is
    Greylisted,   // a 4yz reply that time alone mends (RFC 6647)
    Full,         // the mailbox is full: a person must act
    Unreachable,  // no session came about
    Throttled,    // the destination wants less from us altogether
    Local,        // our own gk-deliver
};
// By a deferring reply, or by what happened to the connection (not FROM_PEER).
RetryClass retry_class(std::string_view text, std::string_view status, bool from_peer) noexcept;
// The reply is about us and the destination, not about this message: 421, or a limit of rate or connections.
bool speaks_for_destination(std::string_view text, std::string_view status) noexcept;

struct Pace {
    seconds first{0}, most{0};  // 0: not said
};

struct Schedule {
    seconds first{60};          // wait before the second attempt
    seconds most{3600};         // the longest wait
    seconds expire{5 * 86400};  // age at which a message is given up
    seconds expire_dsn{2 * 86400};
    seconds delay_warning{4 * 3600};  // 0: none
    std::map<RetryClass, Pace> classes = {};
    std::map<std::string, Pace, std::less<>> domains = {};  // "b.test", ".b.test" for what lies below

    // The wait after the ATTEMPTS-th failure (1 and up): first, doubled each time, at most `most`; then a quarter
    // more or less by RANDOM, so that what failed together does not come back together. A domain's own pace outweighs
    // that of the class.
    seconds wait(unsigned attempts, std::uint64_t random, RetryClass kind = RetryClass::Any,
                 std::string_view domain = {}) const noexcept;
    // The longest wait that anything has, spread included.
    seconds longest() const noexcept;
    // queue.retry: "greylisted", "full", "unreachable", "throttled", "local" or a domain = "FIRST MOST".
    Status read(const std::map<std::string, std::string>& table);

private:
    Pace pace(RetryClass kind, std::string_view domain) const noexcept;
};

// What a destination is given, at most.
struct DestinationLimits {
    unsigned connections = 20;
    unsigned messages_a_minute = 0;  // 0: no limit
};

// queue.limits: "b.test" = "connections=2 rate=60".
struct Limits {
    DestinationLimits usual;
    std::map<std::string, DestinationLimits, std::less<>> domains;
    Status read(const std::map<std::string, std::string>& table);
    DestinationLimits of(std::string_view domain) const;
};

}  // namespace gk::queue
