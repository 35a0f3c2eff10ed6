// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/time.hpp"

namespace gk::message {

// date-time of RFC 5322, 3.3, with the obsolete forms of 4.3 and common mistakes: comments, missing day name, two- and
// three-digit years, named zones, no seconds, no zone (taken as UTC), ISO 8601 and asctime.
struct Date {
    int year = 1970, month = 1, day = 1;  // as written, in the sender's zone: what SENTON compares
    int hour = 0, minute = 0, second = 0;
    int offset_min = 0;  // east of UTC

    TimePoint utc() const noexcept;
    // Days since 1970-01-01 of the date as written.
    int day_number() const noexcept;
};

std::optional<Date> parse_date(std::string_view value);
// Days since 1970-01-01 of a civil date (proleptic Gregorian).
int day_number(int year, int month, int day) noexcept;

}  // namespace gk::message
