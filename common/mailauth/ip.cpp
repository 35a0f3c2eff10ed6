// SPDX-License-Identifier: MIT
#include "common/mailauth/ip.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace gk::mailauth {

std::optional<Ip> Ip::parse(std::string_view text) {
    if (text.empty() || text.size() > INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos)
        return std::nullopt;
    const std::string ended(text);
    Ip ip;
    ip.v6 = text.find(':') != std::string_view::npos;
    if (::inet_pton(ip.v6 ? AF_INET6 : AF_INET, ended.c_str(), ip.octets.data()) != 1) return std::nullopt;
    return ip;
}

std::string Ip::text() const {
    char buffer[INET6_ADDRSTRLEN] = "";
    (void)::inet_ntop(v6 ? AF_INET6 : AF_INET, octets.data(), buffer, sizeof buffer);
    return buffer;
}

Ip Ip::without_mapping() const noexcept {
    static constexpr std::uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (!v6 || std::memcmp(octets.data(), kMapped, sizeof kMapped) != 0) return *this;
    Ip v4;
    std::copy(octets.begin() + 12, octets.end(), v4.octets.begin());
    return v4;
}

bool Ip::in(const Ip& network, unsigned prefix) const noexcept {
    if (v6 != network.v6) return false;
    prefix = std::min(prefix, bits());
    for (unsigned i = 0; i < prefix; i += 8) {
        const unsigned left = std::min(8u, prefix - i);
        const auto mask = static_cast<std::uint8_t>(0xff00u >> left);
        if ((octets[i / 8] & mask) != (network.octets[i / 8] & mask)) return false;
    }
    return true;
}

}  // namespace gk::mailauth
