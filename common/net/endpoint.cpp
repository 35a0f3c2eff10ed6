// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <cstring>

#include "common/net/network.hpp"
#include "common/net/server.hpp"
#include "common/net/stream.hpp"

namespace gk::net {

Endpoint endpoint_of(const sockaddr_storage& storage, unsigned length) {
    Endpoint endpoint;
    AddressBytes bytes{};
    if (storage.ss_family == AF_INET) {
        sockaddr_in in;
        std::memcpy(&in, &storage, sizeof in);
        char text[INET_ADDRSTRLEN] = "";
        ::inet_ntop(AF_INET, &in.sin_addr, text, sizeof text);
        endpoint.ip = text;
        endpoint.port = ntohs(in.sin_port);
    } else if (storage.ss_family == AF_INET6) {
        sockaddr_in6 in;
        std::memcpy(&in, &storage, sizeof in);
        std::memcpy(bytes.data(), &in.sin6_addr, bytes.size());
        endpoint.ip = format_ip(bytes);  // ::ffff:192.0.2.1 is 192.0.2.1
        endpoint.port = ntohs(in.sin6_port);
    } else if (storage.ss_family == AF_UNIX) {
        sockaddr_un un;
        std::memcpy(&un, &storage, sizeof un);
        if (length > offsetof(sockaddr_un, sun_path))
            endpoint.path.assign(un.sun_path, ::strnlen(un.sun_path, sizeof un.sun_path));
    }
    return endpoint;
}

Endpoint peer_of(int fd) {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return {};
    return endpoint_of(storage, length);
}

Endpoint local_of(int fd) {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return {};
    return endpoint_of(storage, length);
}

bool Endpoint::is_loopback() const noexcept { return ip.starts_with("127.") || ip == "::1"; }

std::string Endpoint::to_string() const {
    if (ip.empty()) return "unix:" + path;
    if (ip.find(':') != std::string::npos) return "[" + ip + "]:" + std::to_string(port);
    return ip + ":" + std::to_string(port);
}

}  // namespace gk::net
