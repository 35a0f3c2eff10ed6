// SPDX-License-Identifier: MIT
#include "common/net/network.hpp"

#include <arpa/inet.h>
#include <cstring>

#include "common/base/text.hpp"

namespace gk::net {
namespace {

constexpr std::array<unsigned char, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};  // RFC 4291, 2.5.5.2

}  // namespace

std::optional<AddressBytes> parse_ip(std::string_view ip) noexcept {
    char copy[INET6_ADDRSTRLEN];
    if (ip.size() >= sizeof copy) return std::nullopt;
    std::memcpy(copy, ip.data(), ip.size());
    copy[ip.size()] = '\0';
    AddressBytes bytes;
    if (ip.find(':') != std::string_view::npos) {
        if (::inet_pton(AF_INET6, copy, bytes.data()) != 1) return std::nullopt;
        return bytes;
    }
    std::memcpy(bytes.data(), kMapped.data(), kMapped.size());
    if (::inet_pton(AF_INET, copy, bytes.data() + 12) != 1) return std::nullopt;
    return bytes;
}

std::string household(const std::string& ip) {
    if (ip.find(':') == std::string::npos) return ip;
    auto bytes = parse_ip(ip);
    if (!bytes) return ip;
    std::fill(bytes->begin() + 8, bytes->end(), '\0');
    return format_ip(*bytes);
}

std::string format_ip(const AddressBytes& bytes) {
    char text[INET6_ADDRSTRLEN] = "";
    if (std::memcmp(bytes.data(), kMapped.data(), kMapped.size()) == 0)
        ::inet_ntop(AF_INET, bytes.data() + 12, text, sizeof text);
    else ::inet_ntop(AF_INET6, bytes.data(), text, sizeof text);
    return text;
}

std::optional<Network> Network::parse(std::string_view text) noexcept {
    Network network;
    const auto slash = text.find('/');
    const auto ip = parse_ip(text.substr(0, slash));
    if (!ip) return std::nullopt;
    network.prefix_ = *ip;
    if (slash != std::string_view::npos) {
        const bool v4 = text.find(':') == std::string_view::npos;
        const auto bits = text::to_uint(text.substr(slash + 1));
        if (!bits || *bits > (v4 ? 32u : 128u)) return std::nullopt;
        network.bits_ = static_cast<int>(*bits) + (v4 ? 96 : 0);
    }
    return network;
}

bool Network::contains(std::string_view ip) const noexcept {
    const auto bytes = parse_ip(ip);
    if (!bytes) return false;
    const auto whole = static_cast<std::size_t>(bits_ / 8);
    if (std::memcmp(bytes->data(), prefix_.data(), whole) != 0) return false;
    const int rest = bits_ % 8;
    if (rest == 0) return true;
    return (((*bytes)[whole] ^ prefix_[whole]) >> (8 - rest)) == 0;
}

Result<Networks> Networks::parse(const std::vector<std::string>& texts) {
    Networks networks;
    for (const auto& text : texts) {
        const auto network = Network::parse(text);
        if (!network)
            return fail(Errc::Config, "'" + text + "' is not an address or network (192.0.2.0/24, 2001:db8::/32)");
        networks.networks_.push_back(*network);
    }
    return networks;
}

bool Networks::contains(std::string_view ip) const noexcept {
    for (const auto& network : networks_)
        if (network.contains(ip)) return true;
    return false;
}

}  // namespace gk::net
