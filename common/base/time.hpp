// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gk {

// Wall-clock time; stored and compared as whole microseconds since the epoch.
using TimePoint = std::chrono::sys_time<std::chrono::microseconds>;

TimePoint now();
std::int64_t to_unix_s(TimePoint t) noexcept;
TimePoint from_unix_s(std::int64_t seconds) noexcept;

// "Sun, 22 Nov 2026 09:30:37 +0000" (RFC 5322, 3.3), in the local time zone.
std::string format_mail_date(TimePoint t);
// "2026-11-22T09:30:37Z" (RFC 3339); with milliseconds where asked.
std::string format_rfc3339(TimePoint t, bool milliseconds = false);
std::optional<TimePoint> parse_rfc3339(std::string_view s);

}  // namespace gk
