// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.hpp"
#include "common/base/time.hpp"

namespace gk::submit {

struct When {
    TimePoint at{};
    std::string note;  // what was decided where the clock shows a time twice; empty otherwise
};

// A moment as a person writes it, after NOW:
//   +2h, +1d, +1h30m                                from now
//   2027-01-31T09:00:00+01:00                       RFC 3339
//   2027-01-31 09:00 Europe/Berlin                  a zone of the tz database, UTC, Z or an offset; none: the local
//   zone tomorrow 09:00, today 18:00, 09:00              with or without a zone; a time alone is the next such moment
// A time that clocks leave out when they go forward is BadInput; one that they show twice is the earlier, and told.
// Sets TZ for a moment: for programs of one thread.
Result<When> parse_when(std::string_view text, TimePoint now);

}  // namespace gk::submit
