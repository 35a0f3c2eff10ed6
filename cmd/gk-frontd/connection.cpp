// SPDX-License-Identifier: MIT
#include "cmd/gk-frontd/connection.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cerrno>

#include "cmd/gk-frontd/login.hpp"
#include "common/base/ids.hpp"
#include "common/base/log.hpp"

namespace gk::front {

namespace {
constexpr Milliseconds kLinger = 2000;  // for the peer to read our last words before the socket goes
}

Connection::Connection(Front& front, std::uint32_t slot, os::Fd client, net::Endpoint peer, Protocol protocol,
                       bool tls_first)
    : front_(front),
      slot_(slot),
      protocol_(protocol),
      client_(std::move(client)),
      login_(std::make_unique<Login>()),
      began_(monotonic_ms()),
      id_(new_id()),
      peer_(std::move(peer)) {
    if (tls_first) state_ = State::Handshake;
}

Connection::~Connection() {
    end_exchange();
    if (!token_.empty()) front_.tell_imapd({.verb = imap::Control::Verb::Gone, .token = token_});
    log_end_of_session();
}

std::string Connection::event(std::string_view what) const {
    return (protocol_ == Protocol::Imap ? "imap." : "sieve.") + std::string(what);
}

void Connection::log_end_of_session() {
    if (std::exchange(carried_, false)) {
        front_.session_ended();
        log::Event(event("session_closed"))
            .field("session", id_)
            .field("actor", account_)
            .field("peer", peer_.ip)
            .field("bytes_in", bytes_in_)
            .field("bytes_out", bytes_out_)
            .field("seconds", (monotonic_ms() - began_) / 1000);
    }
}

void Connection::start() {
    front_.set_deadline(slot_, began_ + front_.limits().login);
    if (state_ == State::Handshake) return begin_tls();
    login_->open(front_, protocol_, false, false);
    if (write_client(login_->dialogue->greeting())) watch_client();
}

void Connection::on_event(Side side, std::uint32_t events) {
    if (side == Side::Auth) return on_auth(events);
    if (side == Side::Session) {
        if (!session_) return;  // closed earlier in the same batch
        if (state_ == State::Waking) return on_waking(events);
        return state_ == State::Opening ? on_opening(events) : on_carry_session(events);
    }
    if (state_ == State::Carry) return on_carry_client(events);
    if (state_ == State::Asleep) return on_asleep_client(events);
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) return finish("the client went away");
    switch (state_) {
        case State::Handshake: return handshake();
        case State::Talk:
            if (flush_client()) talk();
            return;
        case State::Authenticating:
        case State::Opening:
        case State::Waking:
            if (flush_client()) watch_client();
            return;
        case State::Closing: return linger();
        case State::Carry:
        case State::Asleep: return;
    }
}

void Connection::on_deadline() {
    switch (state_) {
        case State::Handshake: return finish("the handshake took too long");
        case State::Closing: return finish("");
        case State::Carry: return finish("the client takes nothing");
        case State::Asleep:
            if (!to_client_.empty()) return finish("the client takes nothing");
            return end_asleep("Silent for too long");
        case State::Waking: return end_asleep("[UNAVAILABLE] the session cannot go on just now");
        default: break;
    }
    if (!write_client(login_->dialogue->bye("too slow"))) return;
    close_gently();
}

void Connection::drain() {
    switch (state_) {
        case State::Handshake: return finish("the server stops");
        case State::Closing: return;
        case State::Asleep:
        case State::Waking: return end_asleep("the server is going down");
        case State::Carry:
            // The session ends what it does and says goodbye to us; then we do to the client.
            if (!session_ended_) ::shutdown(session_.get(), SHUT_WR);
            to_session_ = {};
            client_ended_ = true;
            return watch_client();
        default:
            if (write_client(login_->dialogue->bye("the server is going down"))) close_gently();
    }
}

void Connection::finish(std::string_view why) {
    if (!why.empty() && state_ != State::Carry)
        log::Event(event("connection_closed"), log::Level::Debug)
            .field("session", id_)
            .field("peer", peer_.ip)
            .field("reason", why);
    over_ = true;
    front_.finished(slot_);
}

// Sends what waits, then close_notify and FIN, and gives the peer a moment to read it: closing with unread input
// would reset the connection and could take the last reply with it.
void Connection::close_gently() {
    if (state_ == State::Closing) return;
    end_exchange();
    session_.reset();
    session_watched_ = 0;
    login_.reset();
    to_session_ = {};
    state_ = State::Closing;
    front_.set_deadline(slot_, monotonic_ms() + kLinger);
    linger();
}

void Connection::linger() {
    if (!flush_client()) return;
    if (to_client_.empty() && !client_ended_) {
        client_ended_ = true;
        if (tls_) tls_->shutdown();
        ::shutdown(client_.get(), SHUT_WR);
    }
    if (client_ended_) {
        for (int i = 0; i < 4; ++i) {
            const ssize_t n = ::recv(client_.get(), front_.scratch(), front_.scratch_size(), MSG_DONTWAIT);
            if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) return finish("");
            if (n < 0) break;
        }
    }
    front_.watch(slot_, Side::Client, client_.get(), to_client_.empty() ? EPOLLIN : EPOLLOUT, client_watched_);
}

void Connection::watch_client() {
    std::uint32_t events = 0;
    if (!to_client_.empty()) events |= tls_write_wants_read_ ? EPOLLIN : EPOLLOUT;
    else if (state_ == State::Talk && !login_->dialogue->suspended()) events |= EPOLLIN;
    if (state_ == State::Carry && to_session_.empty() && !client_ended_) events |= EPOLLIN;
    if (state_ == State::Asleep && to_client_.empty()) events |= EPOLLIN;
    if (tls_wants_write_) events |= EPOLLOUT;
    front_.watch(slot_, Side::Client, client_.get(), events, client_watched_);
}

void Connection::watch_session() {
    std::uint32_t events = 0;
    if (!to_session_.empty()) events |= EPOLLOUT;
    if (to_client_.empty() && !session_ended_) events |= EPOLLIN;
    front_.watch(slot_, Side::Session, session_.get(), events, session_watched_);
}

Result<tls::Connection::Io> Connection::read_client() {
    tls_wants_write_ = false;
    if (tls_) {
        GK_TRY(const auto io, tls_->read({front_.scratch(), front_.scratch_size()}));
        tls_wants_write_ = io.count == 0 && io.want == tls::Want::Write;
        return io;
    }
    const ssize_t n = ::recv(client_.get(), front_.scratch(), front_.scratch_size(), MSG_DONTWAIT);
    if (n > 0) return tls::Connection::Io{static_cast<std::size_t>(n), tls::Want::None};
    if (n == 0) return tls::Connection::Io{0, tls::Want::Closed};
    if (errno == EAGAIN || errno == EINTR) return tls::Connection::Io{0, tls::Want::Read};
    return fail_errno("cannot read from the client");
}

bool Connection::write_client(std::string_view bytes) {
    if (bytes.empty()) return true;
    bytes_out_ += bytes.size();
    last_byte_ = bytes.back();
    if (!to_client_.empty()) {
        to_client_ += bytes;
        return true;
    }
    tls_write_wants_read_ = false;
    while (!bytes.empty()) {
        std::size_t sent = 0;
        if (tls_) {
            const auto io = tls_->write(bytes);
            if (!io || io->want == tls::Want::Closed) return finish("the client went away"), false;
            if (io->count == 0) {
                tls_write_wants_read_ = io->want == tls::Want::Read;
                break;
            }
            sent = io->count;
        } else {
            const ssize_t n = ::send(client_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
            if (n < 0 && errno == EINTR) continue;
            if (n < 0 && errno != EAGAIN) return finish("the client went away"), false;
            if (n < 0) break;
            sent = static_cast<std::size_t>(n);
        }
        bytes.remove_prefix(sent);
    }
    if (!bytes.empty()) {
        to_client_ = bytes;
        if (state_ == State::Carry || state_ == State::Asleep)
            front_.set_deadline(slot_, monotonic_ms() + front_.limits().stall);
    }
    return true;
}

bool Connection::flush_client() {
    if (to_client_.empty()) return true;
    const std::string bytes = std::exchange(to_client_, {});
    const std::uint64_t counted = bytes_out_;
    if (!write_client(bytes)) return false;
    bytes_out_ = counted;
    if (to_client_.empty() && state_ == State::Carry) front_.set_deadline(slot_, 0);
    if (to_client_.empty() && state_ == State::Asleep) front_.set_deadline(slot_, silent_until_);
    return true;
}

}  // namespace gk::front
