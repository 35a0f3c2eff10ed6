// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.hpp"
#include "common/net/stream.hpp"

// PROXY protocol version 2 (haproxy's proxy-protocol.txt, 2.2): a proxy in front tells the client's address.
namespace gk::net {

struct ProxyHeader {
    std::size_t size = 0;          // bytes of the header, TLVs included
    bool local = false;            // LOCAL: the proxy itself speaks (health check); keep the socket's addresses
    Endpoint source, destination;  // empty for AF_UNSPEC
};

constexpr std::size_t kProxyFixedSize = 16;       // signature, version and command, family, length
constexpr std::size_t kProxyMaxSize = 16 + 4096;  // more TLVs than that are refused

// A header at the start of BYTES: nothing while more bytes are needed, BadInput when it is none.
Result<std::optional<ProxyHeader>> parse_proxy_v2(std::string_view bytes);

// Reads exactly the header from a fresh connection, no byte more.
Result<ProxyHeader> read_proxy_v2(SocketStream& stream, milliseconds timeout);

}  // namespace gk::net
