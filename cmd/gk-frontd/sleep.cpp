// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <cerrno>

#include "cmd/gk-frontd/login.hpp"
#include "common/base/log.hpp"
#include "common/imap/handover.hpp"

// A connection whose session has no process: its client waits, mostly in IDLE. What it hears meanwhile comes over the
// control line; its first byte wakes the session.
namespace gk::front {

namespace {

using Verb = imap::Control::Verb;
constexpr Milliseconds kWakingTime = 30'000;  // gk-imapd gives up earlier

}  // namespace

void Connection::on_control(const imap::Control& control) {
    if (control.verb == Verb::Sleep) return fall_asleep(control);
    if (control.verb == Verb::Release) return release(control);
    // What is said to a client that wakes came before its session's first word.
    if (!between_sessions() || control.token != token_) return;
    if (control.verb == Verb::Rouse && state_ == State::Asleep) return wake({});
    if (control.verb != Verb::Say || !write_client(control.text)) return;
    if (control.end) {
        token_.clear();
        return close_gently();
    }
    watch_client();
}

bool Connection::nothing_on_the_way(const imap::Control& control) const {
    return state_ == State::Carry && !client_ended_ && !session_ended_ && to_session_.empty() && to_client_.empty() &&
           stream_in_ == control.read && stream_out_ == control.written && !(tls_ && tls_->has_pending()) &&
           !front_.draining();
}

// UNAUTHENTICATE (RFC 8437): before login again, with TLS as it is. What was on the way to the session comes back in
// another Release.
void Connection::release(const imap::Control& control) {
    if (state_ == State::Carry && !session_ended_ && stream_out_ < control.written) {
        released_ = std::make_unique<imap::Control>(control);  // its last words are still to be read
        return;
    }
    if (!nothing_on_the_way(control)) return;
    log_in_again(control.text);
}

// Only where nothing is on the way: then the state that gk-imapd keeps is what the client knows.
void Connection::fall_asleep(const imap::Control& control) {
    const bool quiet = nothing_on_the_way(control);
    front_.tell_imapd({.verb = quiet ? Verb::Asleep : Verb::Awake, .token = control.token});
    if (!quiet) return;
    session_.reset();
    session_watched_ = 0;
    state_ = State::Asleep;
    token_ = control.token;
    silent_until_ = monotonic_ms() + static_cast<Milliseconds>(control.left_ms);
    front_.set_deadline(slot_, silent_until_);
    to_client_ = {};
    to_session_ = {};
    front_.shrank();
    watch_client();
}

void Connection::on_asleep_client(std::uint32_t events) {
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) return finish("the client went away");
    if (!flush_client()) return;
    if (!to_client_.empty()) return watch_client();
    const auto io = read_client();
    if (!io || io->want == tls::Want::Closed) return finish("the client went away");
    if (io->count == 0) return watch_client();
    wake({front_.scratch(), io->count});
}

void Connection::wake(std::string_view first_bytes) {
    state_ = State::Waking;
    to_session_ = first_bytes;
    front_.set_deadline(slot_, monotonic_ms() + kWakingTime);
    session_ = connect_now(front_.config().paths().run + "/imap.sock");
    session_watched_ = 0;
    if (!session_ || !send_line(session_.get(), imap::format_control({.verb = Verb::Wake, .token = token_})))
        return end_asleep("[UNAVAILABLE] the session cannot go on just now");
    front_.watch(slot_, Side::Session, session_.get(), EPOLLIN, session_watched_);
    watch_client();
}

void Connection::on_waking(std::uint32_t) {
    // No more than the answer, which may be in pieces only if gk-imapd is not itself.
    const ssize_t n = ::recv(session_.get(), front_.scratch(), front_.scratch_size(), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    const std::string heard(front_.scratch(), n > 0 ? static_cast<std::size_t>(n) : 0);
    const std::size_t lf = heard.find('\n');
    const auto answer = imap::parse_handover_answer(std::string_view(heard).substr(0, lf));
    if (lf == std::string::npos || !answer || !answer->accepted) {
        log::Event("imap.session_not_woken", log::Level::Error)
            .field("session", id_)
            .field("actor", account_)
            .field("error", answer ? answer->text : "gk-imapd went away");
        return end_asleep("[UNAVAILABLE] the session cannot go on just now");
    }
    front_.read_control();  // what its client was still told without it
    if (over_ || state_ != State::Waking) return;
    token_.clear();
    state_ = State::Carry;
    front_.set_deadline(slot_, 0);
    const std::string bytes = std::exchange(to_session_, {});
    carry(heard.substr(lf + 1), bytes);
}

void Connection::lose_imapd() {
    if (between_sessions()) end_asleep("The server was restarted, connect again");
}

// A session sleeps only between two lines of its answers, so this is understood.
void Connection::end_asleep(std::string_view bye) {
    if (!write_client(fmt::format("* BYE {}\r\n", bye))) return;
    if (!token_.empty()) front_.tell_imapd({.verb = Verb::Gone, .token = std::exchange(token_, {})});
    close_gently();
}

}  // namespace gk::front
