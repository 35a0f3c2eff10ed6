// SPDX-License-Identifier: MIT
#include "cmd/gk-frontd/login.hpp"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <cerrno>

#include "common/auth/mechanisms.hpp"
#include "common/base/log.hpp"
#include "common/imap/handover.hpp"
#include "common/imap/prelogin.hpp"
#include "common/managesieve/host/settings.hpp"
#include "common/managesieve/prelogin.hpp"

namespace gk::front {

void Connection::Login::open(const Front& front, Protocol protocol, bool tls, bool has_bindings) {
    auto mechanisms = auth::mechanisms(front.config(), tls, has_bindings);
    if (protocol == Protocol::ManageSieve) {
        managesieve::PreLoginOptions options;
        options.offered = managesieve::offered(front.config());
        options.tls = tls;
        options.starttls = true;
        options.mechanisms = std::move(mechanisms);
        options.max_failures = front.limits().login_failures;
        dialogue = std::make_unique<managesieve::PreLogin>(std::move(options));
        return;
    }
    imap::PreLoginOptions options;
    options.hostname = front.hostname();
    options.tls = tls;
    options.starttls = true;
    options.mechanisms = std::move(mechanisms);
    options.max_message = front.config().size("imap.max_message");
    options.max_failures = front.limits().login_failures;
    dialogue = std::make_unique<imap::PreLogin>(std::move(options));
}

void Connection::begin_tls() {
    state_ = State::Handshake;
    front_.set_deadline(slot_, std::min(monotonic_ms() + front_.limits().handshake, began_ + front_.limits().login));
    auto connection = tls::Connection::accept(front_.tls(), client_.get());
    if (!connection) return finish(connection.error().text);
    tls_.emplace(std::move(*connection));
    handshake();
}

void Connection::handshake() {
    const auto want = tls_->handshake();
    if (!want) {
        log::Event("tls.handshake_failed")
            .field("session", id_)
            .field("peer", peer_.ip)
            .field("error", want.error().text);
        return finish("");
    }
    switch (*want) {
        case tls::Want::Closed: return finish("the client went away in the handshake");
        case tls::Want::Read: return front_.watch(slot_, Side::Client, client_.get(), EPOLLIN, client_watched_);
        case tls::Want::Write: return front_.watch(slot_, Side::Client, client_.get(), EPOLLOUT, client_watched_);
        case tls::Want::None: return after_handshake();
    }
}

void Connection::after_handshake() {
    state_ = State::Talk;
    front_.set_deadline(slot_, began_ + front_.limits().login);
    const auto bindings = tls_->bindings();
    const bool has_bindings = !bindings.tls_exporter.empty() || !bindings.tls_server_end_point.empty();
    if (!login_->dialogue) {
        login_->open(front_, protocol_, true, has_bindings);
        if (!write_client(login_->dialogue->greeting())) return;
    } else {
        perform(login_->dialogue->tls_started(auth::mechanisms(front_.config(), true, has_bindings)));
    }
    if (state_ == State::Talk) talk();  // the client may have sent more with its last handshake bytes
}

void Connection::talk() {
    while (state_ == State::Talk && to_client_.empty() && !login_->dialogue->suspended()) {
        const auto io = read_client();
        if (!io || io->want == tls::Want::Closed) return finish("the client went away");
        if (io->count == 0) break;
        perform(login_->dialogue->feed({front_.scratch(), io->count}));
    }
    if (state_ == State::Talk) watch_client();
}

// Any step may end the connection (finish) or its login phase; nothing is touched after that.
void Connection::perform(auth::LoginStep step) {
    if (!write_client(step.output)) return;
    for (auto& effect : step.effects) {
        if (std::holds_alternative<auth::CancelExchange>(effect)) {
            end_exchange();
        } else if (std::holds_alternative<auth::EndConnection>(effect)) {
            return close_gently();
        } else if (std::holds_alternative<auth::StartTls>(effect)) {
            if (login_->dialogue->discarded() > 0)
                log::Event(event("injection"), log::Level::Warning)
                    .field("session", id_)
                    .field("peer", peer_.ip)
                    .field("bytes", login_->dialogue->discarded());
            // The OK must be out before the first TLS byte; a client that does not read its one line is none.
            if (!to_client_.empty()) return finish("the client does not read");
            return begin_tls();
        } else if (auto* begin = std::get_if<auth::Begin>(&effect)) {
            state_ = State::Authenticating;
            begin->ip = peer_.ip;
            if (tls_) {
                auto bindings = tls_->bindings();
                begin->cb_tls_exporter = std::move(bindings.tls_exporter);
                begin->cb_tls_server_end_point = std::move(bindings.tls_server_end_point);
            }
            login_->begin = std::move(*begin);
            watch_client();
            login_->waiting = true;
            if (front_.take_exchange(slot_)) return start_exchange();
            return;
        } else if (auto* next = std::get_if<auth::Continue>(&effect)) {
            state_ = State::Authenticating;
            front_.client_answered(slot_);
            watch_client();
            if (!login_->auth || !send_auth(std::move(*next))) return auth_failed("gk-authd went away");
            return;
        } else if (auto* over = std::get_if<auth::HandOver>(&effect)) {
            return open_session(*over);
        }
    }
}

void Connection::start_exchange() {
    login_->waiting = false;
    login_->has_place = true;
    login_->auth = connect_now(front_.config().paths().run + "/auth.sock");
    login_->auth_watched = 0;
    if (!login_->auth) return auth_failed("cannot reach gk-authd");
    auth::Begin begin = std::move(*login_->begin);
    login_->begin.reset();
    if (!send_auth(std::move(begin))) return auth_failed("cannot reach gk-authd");
}

bool Connection::send_auth(const auth::Request& request) {
    if (!send_line(login_->auth.get(), auth::format_request(request))) return false;
    front_.watch(slot_, Side::Auth, login_->auth.get(), EPOLLIN, login_->auth_watched);
    return true;
}

void Connection::end_exchange() {
    if (!login_) return;
    login_->auth.reset();
    login_->auth_watched = 0;
    login_->auth_in = {};
    login_->begin.reset();
    if (login_->waiting || login_->has_place) front_.leave_exchange(slot_, std::exchange(login_->has_place, false));
    login_->waiting = false;
}

void Connection::on_auth(std::uint32_t) {
    if (!login_ || !login_->auth) return;
    const ssize_t n = ::recv(login_->auth.get(), front_.scratch(), front_.scratch_size(), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
        if (state_ == State::Authenticating) return auth_failed("gk-authd went away");
        return end_exchange();  // the client thinks; its next step will hear of it
    }
    login_->auth_in.append(front_.scratch(), static_cast<std::size_t>(n));
    if (login_->auth_in.size() > auth::kMaxLine) return auth_failed("gk-authd says too much");
    const std::size_t end = login_->auth_in.find('\n');
    if (end == std::string::npos) return;
    if (state_ != State::Authenticating || end + 1 != login_->auth_in.size())
        return auth_failed("gk-authd speaks out of turn");
    login_->auth_in.pop_back();
    const std::string line = std::exchange(login_->auth_in, {});
    auth_line(line);
}

void Connection::auth_line(std::string_view line) {
    const auto reply = auth::parse_reply(line);
    if (!reply) return auth_failed(reply.error().text);
    if (reply->kind != auth::Reply::Kind::Continue) end_exchange();
    if (reply->kind == auth::Reply::Kind::Ok) account_ = reply->user;
    else if (reply->kind == auth::Reply::Kind::Continue) front_.client_thinks(slot_);
    state_ = State::Talk;
    perform(login_->dialogue->authenticated(*reply));
    if (state_ == State::Talk) talk();
}

void Connection::auth_failed(std::string_view why) {
    log::Event(event("auth_unavailable"), log::Level::Error)
        .field("session", id_)
        .field("peer", peer_.ip)
        .field("error", why);
    end_exchange();
    if (state_ != State::Authenticating) return;
    auth::Reply reply;
    reply.code = auth::FailCode::Temp;
    state_ = State::Talk;
    perform(login_->dialogue->authenticated(reply));
    if (state_ == State::Talk) talk();
}

void Connection::open_session(const auth::HandOver& over) {
    state_ = State::Opening;
    login_->over = over;
    watch_client();
    session_ = connect_now(front_.config().paths().run + (protocol_ == Protocol::Imap ? "/imap.sock" : "/sieve.sock"));
    session_watched_ = 0;
    const std::string line = imap::format_handover({.ticket = over.ticket,
                                                    .ip = peer_.ip,
                                                    .port = peer_.port,
                                                    .tls = tls_.has_value(),
                                                    .session_id = id_,
                                                    .tag = over.tag,
                                                    .with_capabilities = true,
                                                    .front = protocol_ == Protocol::Imap ? front_.name() : "",
                                                    .at = front_.at(slot_)});
    if (!session_ || !send_line(session_.get(), line))
        return refuse_session(auth::FailCode::Temp, "cannot reach the sessions' daemon");
    front_.watch(slot_, Side::Session, session_.get(), EPOLLIN, session_watched_);
}

void Connection::on_opening(std::uint32_t) {
    const ssize_t n = ::recv(session_.get(), front_.scratch(), front_.scratch_size(), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) return refuse_session(auth::FailCode::Temp, "the sessions' daemon went away");
    auto& in = login_->session_in;
    in.append(front_.scratch(), static_cast<std::size_t>(n));
    const std::size_t end = in.find('\n');
    if (end == std::string::npos) {
        if (in.size() > imap::kMaxHandoverLine)
            refuse_session(auth::FailCode::Temp, "the sessions' daemon says too much");
        return;
    }
    const std::string line = in.substr(0, end), rest = in.substr(end + 1);
    const auto answer = imap::parse_handover_answer(line);
    if (!answer) return refuse_session(auth::FailCode::Temp, "the sessions' daemon speaks out of turn");
    if (answer->accepted) return begin_carry(rest);
    refuse_session(answer->code == "auth" ? auth::FailCode::Auth : auth::FailCode::Temp, answer->text);
}

// The session gave up its account: before login again, with TLS as it is.
void Connection::log_in_again(std::string_view first_bytes) {
    session_.reset();
    session_watched_ = 0;
    session_ended_ = false;
    log_end_of_session();
    account_.clear();
    began_ = monotonic_ms();
    state_ = State::Talk;
    front_.set_deadline(slot_, began_ + front_.limits().login);
    login_ = std::make_unique<Login>();
    const auto bindings = tls_ ? tls_->bindings() : tls::ChannelBindings{};
    login_->open(front_, protocol_, tls_.has_value(),
                 !bindings.tls_exporter.empty() || !bindings.tls_server_end_point.empty());
    perform(login_->dialogue->feed(first_bytes));
    if (state_ == State::Talk && !over_) talk();
}

void Connection::refuse_session(auth::FailCode code, std::string_view why) {
    log::Event(event("session_refused"), log::Level::Error)
        .field("session", id_)
        .field("actor", account_)
        .field("peer", peer_.ip)
        .field("error", why);
    session_.reset();
    session_watched_ = 0;
    login_->session_in.clear();
    login_->over.reset();
    state_ = State::Talk;
    perform(login_->dialogue->session_refused(code, "no session can be had now"));
    if (state_ == State::Talk) talk();
}

}  // namespace gk::front
