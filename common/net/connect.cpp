// SPDX-License-Identifier: MIT
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>

#include "common/net/network.hpp"
#include "common/net/stream.hpp"

namespace gk::net {
namespace {

struct Address {
    sockaddr_storage storage{};
    socklen_t length = 0;
    const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
};

Result<Address> tcp_address(const std::string& ip, std::uint16_t port) {
    const auto bytes = parse_ip(ip);
    if (!bytes) return fail(Errc::BadInput, "'" + ip + "' is not an IP address");
    Address address;
    if (ip.find(':') == std::string::npos) {
        sockaddr_in in{};
        in.sin_family = AF_INET;
        in.sin_port = htons(port);
        std::memcpy(&in.sin_addr, bytes->data() + 12, 4);
        std::memcpy(&address.storage, &in, sizeof in);
        address.length = sizeof in;
    } else {
        sockaddr_in6 in{};
        in.sin6_family = AF_INET6;
        in.sin6_port = htons(port);
        std::memcpy(&in.sin6_addr, bytes->data(), bytes->size());
        std::memcpy(&address.storage, &in, sizeof in);
        address.length = sizeof in;
    }
    return address;
}

Result<Address> unix_address(const std::string& path) {
    sockaddr_un un{};
    un.sun_family = AF_UNIX;
    if (path.size() >= sizeof un.sun_path)
        return fail(Errc::BadInput, "the path of socket '" + path + "' is longer than " +
                                        std::to_string(sizeof un.sun_path - 1) + " bytes");
    std::memcpy(un.sun_path, path.data(), path.size());
    Address address;
    std::memcpy(&address.storage, &un, sizeof un);
    address.length = sizeof un;
    return address;
}

Result<os::Fd> open_socket(int family) {
    os::Fd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd) return fail_errno("cannot create a socket");
    return fd;
}

// connect(2) honours SO_SNDTIMEO, which also saves a poll.
Result<std::unique_ptr<SocketStream>> connect_to(const Address& address, os::Fd fd, const std::string& name,
                                                 milliseconds timeout) {
    auto stream = std::make_unique<SocketStream>(std::move(fd));
    GK_CHECK(stream->set_write_timeout(timeout));
    for (;;) {
        if (::connect(stream->fd(), address.get(), address.length) == 0) return stream;
        if (errno == EISCONN) return stream;
        if (errno == EINTR || errno == EALREADY) continue;
        if (errno == EAGAIN || errno == EINPROGRESS)
            return fail(Errc::Timeout, "cannot connect to " + name + ": timed out");
        Error error = os_error(errno, "cannot connect to " + name);
        error.code = Errc::Temporary;
        return fail(std::move(error));
    }
}

}  // namespace

Result<std::unique_ptr<SocketStream>> connect_tcp(const std::string& ip, std::uint16_t port, milliseconds timeout,
                                                  const std::string& local_ip) {
    GK_TRY(const auto address, tcp_address(ip, port));
    GK_TRY(auto fd, open_socket(address.storage.ss_family));
    const int yes = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (!local_ip.empty()) {
        GK_TRY(const auto local, tcp_address(local_ip, 0));
        if (::bind(fd.get(), local.get(), local.length) != 0) return fail_errno("cannot bind to " + local_ip);
    }
    return connect_to(address, std::move(fd), Endpoint{ip, port, {}}.to_string(), timeout);
}

Result<std::unique_ptr<SocketStream>> connect_unix(const std::string& path, milliseconds timeout) {
    GK_TRY(const auto address, unix_address(path));
    GK_TRY(auto fd, open_socket(AF_UNIX));
    return connect_to(address, std::move(fd), "'" + path + "'", timeout);
}

Result<os::Fd> listen_tcp(const std::string& ip, std::uint16_t port, int backlog) {
    GK_TRY(const auto address, tcp_address(ip, port));
    GK_TRY(auto fd, open_socket(address.storage.ss_family));
    const int yes = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (address.storage.ss_family == AF_INET6) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
    const std::string name = Endpoint{ip, port, {}}.to_string();
    if (::bind(fd.get(), address.get(), address.length) != 0) return fail_errno("cannot bind to " + name);
    if (::listen(fd.get(), backlog) != 0) return fail_errno("cannot listen on " + name);
    return fd;
}

Result<os::Fd> listen_unix(const std::string& path, unsigned mode, int backlog) {
    GK_TRY(const auto address, unix_address(path));
    GK_TRY(auto fd, open_socket(AF_UNIX));
    ::unlink(path.c_str());  // of a process that died; two live ones are the service manager's business
    // The mode counts from the first moment: nobody connects between bind and chmod.
    ::fchmod(fd.get(), mode);
    if (::bind(fd.get(), address.get(), address.length) != 0) return fail_errno("cannot bind to '" + path + "'");
    if (::chmod(path.c_str(), mode) != 0) return fail_errno("cannot set the mode of '" + path + "'");
    if (::listen(fd.get(), backlog) != 0) return fail_errno("cannot listen on '" + path + "'");
    return fd;
}

}  // namespace gk::net
