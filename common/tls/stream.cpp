// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <poll.h>
#include <cerrno>
#include <climits>

#include "common/tls/internal.hpp"

namespace gk::tls {
namespace {

using Clock = std::chrono::steady_clock;

Status wait_for(const net::SocketStream& socket, Want want, Clock::time_point deadline, const char* too_slow) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now()).count();
    pollfd ready{socket.fd(), static_cast<short>(want == Want::Write ? POLLOUT : POLLIN), 0};
    const int count = left > 0 ? ::poll(&ready, 1, static_cast<int>(std::min<std::int64_t>(left, INT_MAX))) : 0;
    if (count == 0) return fail(Errc::Timeout, too_slow);
    if (count < 0 && errno != EINTR) return fail_errno("cannot wait for the peer");
    if (count < 0 && socket.cancelled()) return fail(Errc::Closed, "stopping");
    return ok();
}

// On a socket that blocks, OpenSSL reads until a record is whole, and each byte of it gets the socket's whole timeout.
// So the socket does not block from here on, and a timeout holds for all of a handshake, a read or a write.
Status handshake(net::SocketStream& socket, Connection& connection, milliseconds timeout) {
    const auto deadline = Clock::now() + timeout;
    const int flags = ::fcntl(socket.fd(), F_GETFL);
    if (flags < 0 || ::fcntl(socket.fd(), F_SETFL, flags | O_NONBLOCK) != 0)
        return fail_errno("cannot set up a socket");
    for (;;) {
        GK_TRY(const auto want, connection.handshake());
        if (want == Want::None) return ok();
        GK_CHECK(wait_for(socket, want, deadline, "the TLS handshake took too long"));
    }
}

Result<std::unique_ptr<Stream>> finish(std::unique_ptr<net::SocketStream> socket, Connection connection,
                                       milliseconds timeout) {
    GK_CHECK(handshake(*socket, connection, timeout));
    return std::make_unique<Stream>(std::move(socket), std::move(connection));
}

}  // namespace

Stream::Stream(std::unique_ptr<net::SocketStream> socket, Connection connection)
    : socket_(std::move(socket)), connection_(std::move(connection)), info_(connection_.info()) {}

Stream::~Stream() = default;

Result<std::size_t> Stream::read_some(std::span<char> buffer, milliseconds timeout) {
    const auto deadline = Clock::now() + timeout;
    for (;;) {
        GK_TRY(const auto io, connection_.read(buffer));
        if (io.count > 0) return io.count;
        if (io.want == Want::Closed) return std::size_t{0};
        GK_CHECK(wait_for(*socket_, io.want, deadline, "the peer was silent too long"));
    }
}

Status Stream::write_all(std::string_view bytes, milliseconds timeout) {
    // For each record, as a plain socket has it for each write.
    auto deadline = Clock::now() + timeout;
    while (!bytes.empty()) {
        GK_TRY(const auto io, connection_.write(bytes));
        bytes.remove_prefix(io.count);
        if (io.count > 0) deadline = Clock::now() + timeout;
        else if (io.want == Want::Closed) return fail(Errc::Closed, "the peer ended the connection");
        else GK_CHECK(wait_for(*socket_, io.want, deadline, "the peer does not read"));
    }
    return ok();
}

void Stream::stop_reading() noexcept { socket_->stop_reading(); }

void Stream::close() noexcept {
    connection_.shutdown();
    socket_->close();
}

Result<std::unique_ptr<Stream>> accept(std::unique_ptr<net::SocketStream> socket, const ServerContext& context,
                                       milliseconds timeout) {
    GK_TRY(auto connection, Connection::accept(context, socket->fd()));
    return finish(std::move(socket), std::move(connection), timeout);
}

Result<std::unique_ptr<Stream>> connect(std::unique_ptr<net::SocketStream> socket, ClientContext& context,
                                        const Peer& peer, milliseconds timeout) {
    GK_TRY(auto connection, Connection::connect(context, socket->fd(), peer));
    return finish(std::move(socket), std::move(connection), timeout);
}

}  // namespace gk::tls
