// SPDX-License-Identifier: MIT
#include "common/net/proxy.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "common/net/network.hpp"

namespace gk::net {
namespace {

constexpr std::string_view kSignature{"\r\n\r\n\0\r\nQUIT\n", 12};

unsigned byte(std::string_view bytes, std::size_t at) { return static_cast<unsigned char>(bytes[at]); }
unsigned word(std::string_view bytes, std::size_t at) { return byte(bytes, at) << 8 | byte(bytes, at + 1); }

Endpoint endpoint(std::string_view ip, unsigned port) {
    char text[64];
    AddressBytes address{};
    if (ip.size() == 4) {
        std::snprintf(text, sizeof text, "%u.%u.%u.%u", byte(ip, 0), byte(ip, 1), byte(ip, 2), byte(ip, 3));
        return {text, static_cast<std::uint16_t>(port), {}};
    }
    std::memcpy(address.data(), ip.data(), address.size());
    return {format_ip(address), static_cast<std::uint16_t>(port), {}};
}

}  // namespace

Result<std::optional<ProxyHeader>> parse_proxy_v2(std::string_view bytes) {
    const auto head = std::min(bytes.size(), kSignature.size());
    if (bytes.substr(0, head) != kSignature.substr(0, head)) return fail(Errc::BadInput, "no PROXY protocol header");
    if (bytes.size() < kProxyFixedSize) return std::nullopt;

    const unsigned version = byte(bytes, 12) >> 4, command = byte(bytes, 12) & 15;
    const unsigned family = byte(bytes, 13) >> 4, transport = byte(bytes, 13) & 15;
    const std::size_t length = word(bytes, 14);
    if (version != 2) return fail(Errc::BadInput, "PROXY protocol version " + std::to_string(version) + ", not 2");
    if (command > 1) return fail(Errc::BadInput, "PROXY protocol command " + std::to_string(command));
    if (kProxyFixedSize + length > kProxyMaxSize) return fail(Errc::BadInput, "PROXY protocol header too long");
    if (bytes.size() < kProxyFixedSize + length) return std::nullopt;

    ProxyHeader header;
    header.size = kProxyFixedSize + length;
    header.local = command == 0;
    if (header.local) return header;  // the addresses must be ignored
    const auto addresses = bytes.substr(kProxyFixedSize, length);
    const std::size_t ip_size = family == 1 ? 4 : family == 2 ? 16 : 0;
    if (ip_size == 0 || transport != 1) {
        // AF_UNSPEC and AF_UNIX: a proxied connection whose client cannot be told. Believing the proxy's own
        // address instead would lend the client the proxy's rights.
        return fail(Errc::BadInput, "PROXY protocol header without a TCP address");
    }
    if (length < 2 * ip_size + 4) return fail(Errc::BadInput, "PROXY protocol header too short");
    header.source = endpoint(addresses.substr(0, ip_size), word(addresses, 2 * ip_size));
    header.destination = endpoint(addresses.substr(ip_size, ip_size), word(addresses, 2 * ip_size + 2));
    return header;
}

Result<ProxyHeader> read_proxy_v2(SocketStream& stream, milliseconds timeout) {
    std::array<char, kProxyMaxSize> buffer;
    std::size_t have = 0, want = kProxyFixedSize;
    for (;;) {
        while (have < want) {
            GK_TRY(const auto count, stream.read_some(std::span(buffer).subspan(have, want - have), timeout));
            if (count == 0) return fail(Errc::Closed, "the peer ended the connection");
            have += count;
        }
        GK_TRY(const auto header, parse_proxy_v2({buffer.data(), have}));
        if (header) return *header;
        want = kProxyFixedSize + word({buffer.data(), have}, 14);
    }
}

}  // namespace gk::net
