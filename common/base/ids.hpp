// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace gk {

// COUNT bytes from the system's random source (getrandom); never fails once the system is up.
std::string random_bytes(std::size_t count);
std::uint64_t random_u64();

// Ids that sort by time and never repeat on one host: 20 characters of Crockford base 32, a
// 50-bit microsecond clock and 50 random bits. Used as queue id, session id and trace id.
std::string new_id();

// True where both are equal; takes the same time for every pair of equal length.
bool equals_constant_time(std::string_view a, std::string_view b) noexcept;

}  // namespace gk
