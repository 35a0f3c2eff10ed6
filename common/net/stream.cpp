// SPDX-License-Identifier: MIT
#include "common/net/stream.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <algorithm>
#include <array>
#include <cerrno>

namespace gk::net {
namespace {

// What is set already stays where it is longer by a sixteenth at most: a deadline that comes nearer costs a setsockopt
// now and then, and not each time.
Status set_timeout(int fd, int option, milliseconds& current, milliseconds wanted) {
    if (wanted <= current && current - wanted <= wanted / 16) return ok();
    timeval tv{};
    tv.tv_sec = wanted.count() / 1000;
    tv.tv_usec = wanted.count() % 1000 * 1000;
    if (::setsockopt(fd, SOL_SOCKET, option, &tv, sizeof tv) != 0) return fail_errno("cannot set a socket's timeout");
    current = wanted;
    return ok();
}

tl::unexpected<Error> write_failed() {
    switch (errno) {
        case EAGAIN: return fail(Errc::Timeout, "the peer does not read");
        case EPIPE:
        case ECONNRESET: return fail(Errc::Closed, "the peer ended the connection");
        default: return fail_errno("cannot write to the peer");
    }
}

}  // namespace

Status Stream::write_pieces(std::span<const std::string_view> pieces, milliseconds timeout) {
    for (const auto piece : pieces)
        if (!piece.empty()) GK_CHECK(write_all(piece, timeout));
    return ok();
}

SocketStream::SocketStream(os::Fd fd, milliseconds timeout)
    : fd_(std::move(fd)), read_timeout_(timeout), write_timeout_(timeout) {}

Status SocketStream::set_read_timeout(milliseconds timeout) {
    return set_timeout(fd_.get(), SO_RCVTIMEO, read_timeout_, timeout);
}

Status SocketStream::set_write_timeout(milliseconds timeout) {
    return set_timeout(fd_.get(), SO_SNDTIMEO, write_timeout_, timeout);
}

Result<std::size_t> SocketStream::read_some(std::span<char> buffer, milliseconds timeout) {
    GK_CHECK(set_read_timeout(timeout));
    for (;;) {
        const ssize_t count = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
        if (count >= 0) return static_cast<std::size_t>(count);
        if (errno == EINTR) {
            if (cancelled()) return fail(Errc::Closed, "stopping");
            continue;
        }
        if (errno == EAGAIN) return fail(Errc::Timeout, "the peer was silent too long");
        if (errno == ECONNRESET || errno == ENOTCONN) return fail(Errc::Closed, "the peer ended the connection");
        return fail_errno("cannot read from the peer");
    }
}

Status SocketStream::write_all(std::string_view bytes, milliseconds timeout) {
    // Nearly always the kernel takes it at once; only who must wait needs to know how long.
    int wait = MSG_DONTWAIT;
    while (!bytes.empty()) {
        const ssize_t count = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | wait);
        if (count < 0) {
            if (errno == EINTR) continue;
            if (errno != EAGAIN || wait == 0) return write_failed();
            wait = 0;
            GK_CHECK(set_write_timeout(timeout));
            continue;
        }
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return ok();
}

Status SocketStream::write_pieces(std::span<const std::string_view> pieces, milliseconds timeout) {
    GK_CHECK(set_write_timeout(timeout));
    constexpr std::size_t kMaxPieces = 64;
    std::size_t offset = 0;  // into pieces.front()
    while (!pieces.empty()) {
        std::array<iovec, kMaxPieces> parts;
        std::size_t used = 0;
        for (const auto piece : pieces.first(std::min(pieces.size(), kMaxPieces))) {
            const auto rest = piece.substr(used == 0 ? offset : 0);
            // sendmsg takes char* for reading too
            parts[used++] = {const_cast<char*>(rest.data()), rest.size()};
        }
        msghdr message{};
        message.msg_iov = parts.data();
        message.msg_iovlen = used;
        ssize_t count = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
        if (count < 0) {
            if (errno == EINTR) continue;
            return write_failed();
        }
        auto left = static_cast<std::size_t>(count);
        while (!pieces.empty() && left >= pieces.front().size() - offset) {
            left -= pieces.front().size() - offset;
            offset = 0;
            pieces = pieces.subspan(1);
        }
        offset += left;
    }
    return ok();
}

void SocketStream::linger(milliseconds time, std::uint64_t bytes) noexcept {
    ::shutdown(fd_.get(), SHUT_WR);
    if (const int flags = ::fcntl(fd_.get(), F_GETFL); flags >= 0) ::fcntl(fd_.get(), F_SETFL, flags & ~O_NONBLOCK);
    const auto deadline = std::chrono::steady_clock::now() + time;
    std::array<char, 16384> dropped;
    for (std::uint64_t seen = 0; seen < bytes;) {
        const auto left = std::chrono::duration_cast<milliseconds>(deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0) return;
        // Rounded, so that a stream of bytes costs a setsockopt now and then and not each time.
        const auto count = read_some(dropped, milliseconds((left.count() + 499) / 500 * 500));
        if (!count || *count == 0) return;
        seen += *count;
    }
}

void SocketStream::stop_reading() noexcept { ::shutdown(fd_.get(), SHUT_RD); }

void SocketStream::close() noexcept { fd_.reset(); }

}  // namespace gk::net
