// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// Dates as the tests of RFC 5260 see them.
namespace gk::sieve {

// "+0130" in minutes; nothing for anything else.
std::optional<int> parse_zone(std::string_view zone) noexcept;
bool is_date_part(std::string_view part) noexcept;  // RFC 5260, 4.2; case is ignored
// PART of the moment UNIX_S in a zone ZONE_MIN east of UTC; empty where there is no such part.
std::string date_part(std::string_view part, std::int64_t unix_s, int zone_min);
// The machine's zone at that moment.
int local_zone_min(std::int64_t unix_s);

}  // namespace gk::sieve
