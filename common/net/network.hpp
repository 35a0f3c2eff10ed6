// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"

namespace gk::net {

// An IP address as 16 bytes; IPv4 as ::ffff:a.b.c.d, so that both spellings of one are equal.
using AddressBytes = std::array<unsigned char, 16>;
std::optional<AddressBytes> parse_ip(std::string_view ip) noexcept;
// What limits for one client count by: an IPv4 address, or an IPv6 address's /64, which is one household (RFC 6177).
std::string household(const std::string& ip);
std::string format_ip(const AddressBytes& bytes);  // "192.0.2.1" or "2001:db8::1"

// "192.0.2.0/24", "2001:db8::/32" or one address.
class Network {
public:
    static std::optional<Network> parse(std::string_view text) noexcept;
    bool contains(std::string_view ip) const noexcept;

private:
    AddressBytes prefix_{};
    int bits_ = 128;
};

class Networks {
public:
    static Result<Networks> parse(const std::vector<std::string>& texts);
    bool contains(std::string_view ip) const noexcept;
    bool empty() const noexcept { return networks_.empty(); }

private:
    std::vector<Network> networks_;
};

}  // namespace gk::net
