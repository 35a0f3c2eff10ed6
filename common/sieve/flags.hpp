// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

// IMAP's flags as lists (RFC 5232, 2).
namespace gk::sieve {

constexpr std::size_t kMostFlags = 1000;

// Adds the flags in FLAGS, which are parted by spaces, that are not there yet in any case; passes over what is no flag
// that a client may set: \Recent, other words with a backslash, characters that no keyword holds.
void add_flags(std::vector<std::string>& to, std::string_view flags);
bool has_flag(const std::vector<std::string>& flags, std::string_view flag) noexcept;

}  // namespace gk::sieve
