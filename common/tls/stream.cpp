// SPDX-License-Identifier: MIT
#include <cerrno>

#include "common/tls/internal.hpp"

namespace gk::tls {
namespace {

// After a WANT on a blocking socket: its timeout is over, or a signal came.
Status waited(const net::SocketStream& socket, int error_number) {
    if (error_number != EINTR) return fail(Errc::Timeout, "the peer was silent too long");
    if (socket.cancelled()) return fail(Errc::Closed, "stopping");
    return ok();
}

Status handshake(net::SocketStream& socket, Connection& connection, milliseconds timeout) {
    GK_CHECK(socket.set_read_timeout(timeout));
    GK_CHECK(socket.set_write_timeout(timeout));
    for (;;) {
        GK_TRY(const auto want, connection.handshake());
        if (want == Want::None) return ok();
        GK_CHECK(waited(socket, errno));
    }
}

Result<std::unique_ptr<Stream>> finish(std::unique_ptr<net::SocketStream> socket, Connection connection, milliseconds timeout) {
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
                                        const std::string& server_name, milliseconds timeout) {
    GK_TRY(auto connection, Connection::connect(context, socket->fd(), server_name));
    return finish(std::move(socket), std::move(connection), timeout);
}

}  // namespace gk::tls
