// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <poll.h>
#include <cerrno>
#include <climits>

#include "common/tls/internal.hpp"

namespace gk::tls {
namespace {

// After a WANT on a blocking socket: its timeout is over, or a signal came.
Status waited(const net::SocketStream& socket, int error_number) {
    if (error_number != EINTR) return fail(Errc::Timeout, "the peer was silent too long");
    if (socket.cancelled()) return fail(Errc::Closed, "stopping");
    return ok();
}

// While it blocks, OpenSSL reads until a flight is complete, and each byte gets the socket's whole timeout. So the
// socket does not block here, and TIMEOUT holds for all of the handshake.
Status handshake(net::SocketStream& socket, Connection& connection, milliseconds timeout) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    const int flags = ::fcntl(socket.fd(), F_GETFL);
    if (flags < 0 || ::fcntl(socket.fd(), F_SETFL, flags | O_NONBLOCK) != 0)
        return fail_errno("cannot set up a socket");
    for (;;) {
        GK_TRY(const auto want, connection.handshake());
        if (want == Want::None) break;
        const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now()).count();
        pollfd ready{socket.fd(), static_cast<short>(want == Want::Write ? POLLOUT : POLLIN), 0};
        const int count = left > 0 ? ::poll(&ready, 1, static_cast<int>(std::min<std::int64_t>(left, INT_MAX))) : 0;
        if (count == 0) return fail(Errc::Timeout, "the TLS handshake took too long");
        if (count < 0 && errno != EINTR) return fail_errno("cannot wait for the peer");
        if (count < 0 && socket.cancelled()) return fail(Errc::Closed, "stopping");
    }
    if (::fcntl(socket.fd(), F_SETFL, flags) != 0) return fail_errno("cannot set up a socket");
    return ok();
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
    GK_CHECK(socket_->set_read_timeout(timeout));
    for (;;) {
        GK_TRY(const auto io, connection_.read(buffer));
        if (io.count > 0) return io.count;
        if (io.want == Want::Closed) return std::size_t{0};
        GK_CHECK(waited(*socket_, errno));
    }
}

Status Stream::write_all(std::string_view bytes, milliseconds timeout) {
    GK_CHECK(socket_->set_write_timeout(timeout));
    while (!bytes.empty()) {
        GK_TRY(const auto io, connection_.write(bytes));
        bytes.remove_prefix(io.count);
        if (io.count > 0) continue;
        if (io.want == Want::Closed) return fail(Errc::Closed, "the peer ended the connection");
        if (errno != EINTR) return fail(Errc::Timeout, "the peer does not read");
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
