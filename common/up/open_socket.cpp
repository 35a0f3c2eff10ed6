// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cerrno>

#include "common/up/plan.hpp"

namespace gk::up {

namespace {

struct Address {
    sockaddr_storage storage{};
    socklen_t length = 0;
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Result<Address> address(const SocketPlan& socket) {
    Address out;
    if (!socket.path.empty()) {
        auto* un = reinterpret_cast<sockaddr_un*>(&out.storage);
        // unix(7): 108 bytes with the ending NUL, for everybody who wants to connect as well.
        if (socket.path.size() >= sizeof un->sun_path)
            return fail(
                Errc::BadInput,
                fmt::format("the socket's path '{}' has {} bytes, and the system takes {}: choose a shorter --root",
                            socket.path, socket.path.size(), sizeof un->sun_path - 1));
        un->sun_family = AF_UNIX;
        socket.path.copy(un->sun_path, socket.path.size());
        out.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket.path.size() + 1);
        return out;
    }
    auto* v4 = reinterpret_cast<sockaddr_in*>(&out.storage);
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&out.storage);
    const std::string ip = socket.ip.empty() ? "::" : socket.ip;
    if (::inet_pton(AF_INET, ip.c_str(), &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(socket.port);
        out.length = sizeof *v4;
    } else if (::inet_pton(AF_INET6, ip.c_str(), &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(socket.port);
        out.length = sizeof *v6;
    } else {
        return fail(Errc::BadInput, fmt::format("'{}' is no IP address", ip));
    }
    return out;
}

// Removes what a gk-up that was killed left behind; a socket that somebody answers on stays.
Status clear_the_way(const SocketPlan& socket, const Address& at) {
    struct stat status {};
    if (::lstat(socket.path.c_str(), &status) != 0) return ok();
    if (!S_ISSOCK(status.st_mode))
        return fail(Errc::Exists, fmt::format("'{}' is there and is no socket", socket.path));
    const os::Fd probe(
        ::socket(AF_UNIX, (socket.datagram ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!probe) return fail_errno("cannot make a socket");
    if (::connect(probe.get(), at.get(), at.length) == 0 || errno == EAGAIN)
        return fail(Errc::Temporary, fmt::format("somebody listens on '{}' already", socket.path));
    if (::unlink(socket.path.c_str()) != 0) return fail_errno(fmt::format("cannot remove '{}'", socket.path));
    return ok();
}

}  // namespace

Result<os::Fd> open_socket(const SocketPlan& socket) {
    GK_TRY(const Address at, address(socket));
    const int family = at.get()->sa_family;
    if (family == AF_UNIX) GK_CHECK(clear_the_way(socket, at));

    // Blocking, as systemd hands them over (systemd.exec(5), NonBlocking=).
    os::Fd fd(::socket(family, (socket.datagram ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0));
    if (!fd) return fail_errno(fmt::format("cannot make a socket for {}", address_of(socket)));
    const int on = 1, off = 0;
    if (family != AF_UNIX) {
        ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (family == AF_INET6 && socket.ip.empty())
            ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
        if (socket.no_delay) ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    if (::bind(fd.get(), at.get(), at.length) != 0)
        return fail_errno(fmt::format("cannot listen on {}", address_of(socket)));
    if (family == AF_UNIX && ::chmod(socket.path.c_str(), socket.mode) != 0)
        return fail_errno(fmt::format("cannot set the mode of '{}'", socket.path));
    if (!socket.datagram && ::listen(fd.get(), socket.backlog) != 0)
        return fail_errno(fmt::format("cannot listen on {}", address_of(socket)));
    return fd;
}

std::string address_of(const SocketPlan& socket) {
    if (!socket.path.empty()) return "unix:" + socket.path;
    const std::string ip = socket.ip.empty() ? "::" : socket.ip;
    return ip.find(':') == std::string::npos ? fmt::format("{}:{}", ip, socket.port)
                                             : fmt::format("[{}]:{}", ip, socket.port);
}

}  // namespace gk::up
