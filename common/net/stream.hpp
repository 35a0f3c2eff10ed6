// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "common/base/result.hpp"
#include "common/os/fd.hpp"

namespace gk::net {

using std::chrono::milliseconds;

// A blocking byte stream with deadlines: a socket, TLS over one, or a test's script. One reader and one
// writer thread at most. Errors: Timeout, Closed (the peer went away), Temporary.
class Stream {
public:
    virtual ~Stream() = default;
    // At least one byte, or 0 at the end of the stream.
    virtual Result<std::size_t> read_some(std::span<char> buffer, milliseconds timeout) = 0;
    virtual Status write_all(std::string_view bytes, milliseconds timeout) = 0;
    // The same for several pieces in a row; a socket gathers them into one system call.
    virtual Status write_pieces(std::span<const std::string_view> pieces, milliseconds timeout);
    // Makes a blocked or later read_some return 0; callable from any thread.
    virtual void stop_reading() noexcept = 0;
    virtual void close() noexcept = 0;
};

// An IP address and port, or a UNIX socket's path.
struct Endpoint {
    std::string ip;  // "192.0.2.1", "2001:db8::1"; empty for a UNIX socket
    std::uint16_t port = 0;
    std::string path;  // of a UNIX socket
    bool is_loopback() const noexcept;
    std::string to_string() const;  // "192.0.2.1:25", "[2001:db8::1]:25", "unix:/run/gk/lmtp.sock"
};
Endpoint peer_of(int fd);
Endpoint local_of(int fd);

// A connected socket. Timeouts are SO_RCVTIMEO and SO_SNDTIMEO, set only when they change: one system
// call a read, one a write.
class SocketStream final : public Stream {
public:
    // TIMEOUT is what the socket has for both directions already (accepted sockets inherit the listener's); 0 for none.
    explicit SocketStream(os::Fd fd, milliseconds timeout = milliseconds(0));
    Result<std::size_t> read_some(std::span<char> buffer, milliseconds timeout) override;
    Status write_all(std::string_view bytes, milliseconds timeout) override;
    Status write_pieces(std::span<const std::string_view> pieces, milliseconds timeout) override;
    void stop_reading() noexcept override;
    void close() noexcept override;
    int fd() const noexcept { return fd_.get(); }

    // While *CANCEL is true, a read that a signal interrupts fails with Errc::Closed, "stopping"; null for never.
    // It must outlive the stream or be taken back. See Server::stop.
    void set_cancel(const std::atomic<bool>* cancel) noexcept { cancel_ = cancel; }
    bool cancelled() const noexcept { return cancel_ != nullptr && cancel_->load(std::memory_order_relaxed); }
    // Says that nothing more comes from us, then reads and drops what the peer still sends, until it ends, TIME is over
    // or BYTES have come: a close with unread bytes would reset the connection and lose our last words.
    void linger(milliseconds time, std::uint64_t bytes) noexcept;
    // For whoever reads the descriptor itself (TLS): the same bookkeeping as the calls above.
    Status set_read_timeout(milliseconds timeout);
    Status set_write_timeout(milliseconds timeout);

private:
    os::Fd fd_;
    milliseconds read_timeout_, write_timeout_;
    const std::atomic<bool>* cancel_ = nullptr;
};

// Connects; LOCAL_IP binds the source address where not empty. IP is literal: names are dns/'s business.
Result<std::unique_ptr<SocketStream>> connect_tcp(const std::string& ip, std::uint16_t port, milliseconds timeout,
                                                  const std::string& local_ip = "");
Result<std::unique_ptr<SocketStream>> connect_unix(const std::string& path, milliseconds timeout);
// For gk-up and tests. BACKLOG is capped by the kernel (somaxconn).
Result<os::Fd> listen_tcp(const std::string& ip, std::uint16_t port, int backlog = 1024);
Result<os::Fd> listen_unix(const std::string& path, unsigned mode = 0660, int backlog = 1024);

// Lines from a stream: up to LF; the CR stays for the caller to judge. Bytes past a line stay buffered.
class LineReader {
public:
    LineReader(Stream& stream, std::size_t max_line) : stream_(stream), max_line_(max_line) {}
    // Without its line end (LF or CRLF); Closed at the end of the stream; BadInput when too long.
    Result<std::string> read_line(milliseconds timeout);
    Result<std::string> read_exactly(std::size_t count, milliseconds timeout);
    std::string take_buffered();  // what was read past the last line

private:
    Status fill(milliseconds timeout);
    Stream& stream_;
    std::size_t max_line_;
    std::string buffer_;
};

}  // namespace gk::net
