// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace gk::mailauth {

// The name as DNS knows it: A-labels, lower case, no final dot. Empty where it is no domain name with two labels or
// more, each of 1 to 63 octets, 253 in all; underscores are permitted.
std::string dns_domain(std::string_view domain);
// Labels of 1 to 63 octets, 253 in all; what the octets are does not matter.
bool fits_dns(std::string_view name) noexcept;
// True where NAME is PARENT or lies below it; ASCII case and a final dot are ignored.
bool is_at_or_below(std::string_view name, std::string_view parent) noexcept;

}  // namespace gk::mailauth
