// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gk::mailauth {

// An IPv4 or IPv6 address as its octets. An IPv4-mapped IPv6 address is not the IPv4 one here: see without_mapping.
struct Ip {
    bool v6 = false;
    std::array<std::uint8_t, 16> octets{};  // an IPv4 address fills the first four

    static std::optional<Ip> parse(std::string_view text);
    std::string text() const;
    unsigned bits() const noexcept { return v6 ? 128 : 32; }
    // ::ffff:192.0.2.1 is 192.0.2.1 (RFC 7208, 5); anything else is itself.
    Ip without_mapping() const noexcept;
    // The same family, and the first PREFIX bits are equal.
    bool in(const Ip& network, unsigned prefix) const noexcept;
    bool operator==(const Ip&) const = default;
};

}  // namespace gk::mailauth
