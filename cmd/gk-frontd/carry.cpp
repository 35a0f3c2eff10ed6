// SPDX-License-Identifier: MIT
#include <linux/sockios.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <cerrno>

#include "cmd/gk-frontd/login.hpp"
#include "common/base/log.hpp"

namespace gk::front {

namespace {

constexpr int kReadsATurn = 16;  // of one session, before others have theirs

}  // namespace

// From here on the front knows nothing of IMAP: what one side says goes to the other, and a side is read only while
// nothing waits for the other, so that at most one read's bytes are held in each direction.
void Connection::begin_carry(std::string_view first_bytes) {
    state_ = State::Carry;
    carried_ = true;
    front_.session_began();
    const auto info = tls_ ? tls_->info() : tls::Info{};
    log::Event(event("session_opened"))
        .field("session", id_)
        .field("actor", account_)
        .field("peer", peer_.ip)
        .field("port", peer_.port)
        .field("tls", info.version)
        .field("cipher", info.cipher);
    const std::string leftover = login_->dialogue->take_leftover();
    end_exchange();
    const std::string first(first_bytes);  // lives in login_
    login_.reset();
    front_.set_deadline(slot_, 0);
    if (protocol_ == Protocol::Imap) front_.need_control();
    carry(first, leftover);
}

// From the first bytes of a session's process on.
void Connection::carry(const std::string& from_session, const std::string& from_client) {
    stream_in_ = 0;
    stream_out_ = from_session.size();
    if (!write_client(from_session) || !write_session(from_client)) return;
    // TLS may have decrypted more than was read.
    while (tls_ && to_session_.empty() && tls_->has_pending() && !client_ended_)
        if (!carry_from_client()) return;
    watch_client();
    watch_session();
}

bool Connection::write_session(std::string_view bytes) {
    bytes_in_ += bytes.size();
    while (!bytes.empty()) {
        const ssize_t n = ::send(session_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) {
            to_session_ = bytes;
            return true;
        }
        if (n > 0) stream_in_ += static_cast<std::uint64_t>(n);
        if (n < 0) return true;  // the session has ended: its last words are still to be read
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
}

bool Connection::carry_from_client() {
    const auto io = read_client();
    if (!io) return finish("the client went away"), false;
    if (io->want == tls::Want::Closed) {
        client_ended_ = true;
        ::shutdown(session_.get(), SHUT_WR);
        return true;
    }
    return io->count == 0 || write_session({front_.scratch(), io->count});
}

bool Connection::carry_from_session(bool sees_end) {
    const ssize_t n = ::recv(session_.get(), front_.scratch(), front_.scratch_size(), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (n <= 0) {
        session_ended_ = session_ended_ || sees_end;
        return true;
    }
    stream_out_ += static_cast<std::uint64_t>(n);
    return write_client({front_.scratch(), static_cast<std::size_t>(n)});
}

void Connection::on_carry_client(std::uint32_t events) {
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) return finish("the client went away");
    if (!flush_client()) return;
    if (!client_ended_ && to_session_.empty()) {
        do {
            if (!carry_from_client()) return;
        } while (tls_ && tls_->has_pending() && to_session_.empty() && !client_ended_);
    }
    check_end();
}

void Connection::on_carry_session(std::uint32_t) {
    if (!to_session_.empty()) {
        const std::string bytes = std::exchange(to_session_, {});
        bytes_in_ -= bytes.size();
        if (!write_session(bytes)) return;
        while (tls_ && to_session_.empty() && !client_ended_ && tls_->has_pending())
            if (!carry_from_client()) return;
    }
    // Several reads while the client takes it all: a large answer then costs few turns of the loop. The end is seen in
    // a turn of its own, since what comes with it by another way, that the session sleeps or gave up, is to be read
    // first.
    for (int reads = 0; reads < kReadsATurn && to_client_.empty() && !session_ended_; ++reads) {
        const auto before = stream_out_;
        if (!carry_from_session(reads == 0)) return;
        if (stream_out_ == before || (released_ && stream_out_ >= released_->written)) break;
    }
    if (released_ && stream_out_ >= released_->written) {
        const auto released = std::exchange(released_, nullptr);
        release(*released);
        if (over_ || state_ != State::Carry) return;
    }
    check_end();
}

// UNAUTHENTICATE of ManageSieve: the session has closed its side alone (gk-imapd tells by its control line). Not where
// it left something unread, which nobody would answer.
bool Connection::gave_up_account() const {
    if (protocol_ != Protocol::ManageSieve || client_ended_ || front_.draining()) return false;
    pollfd session{session_.get(), 0, 0};
    int unread = 0;
    return ::poll(&session, 1, 0) == 0 && ::ioctl(session_.get(), SIOCOUTQ, &unread) == 0 && unread == 0;
}

void Connection::check_end() {
    if (session_ended_ && to_client_.empty()) {
        if (gave_up_account()) return log_in_again(std::exchange(to_session_, {}));
        // In the middle of a line no word of ours would be understood. gk-sieved says it itself.
        if (front_.draining() && last_byte_ == '\n' && protocol_ == Protocol::Imap &&
            !write_client("* BYE the server is going down\r\n"))
            return;
        client_ended_ = false;  // our own goodbye is still to be said
        return close_gently();
    }
    watch_client();
    watch_session();
}

}  // namespace gk::front
