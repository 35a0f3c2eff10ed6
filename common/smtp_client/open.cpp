// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <array>

#include "common/auth/sasl_client.hpp"
#include "common/base/text.hpp"
#include "common/smtp_client/session.hpp"

// From the connection to the first MAIL: greeting, EHLO, TLS, login.
namespace gk::smtp_client {
namespace {

Error refusal(std::string_view what, const Reply& reply) {
    return Error{reply.permanent() ? Errc::Permanent : Errc::Temporary, fmt::format("{}: {}", what, reply.text())};
}

}  // namespace

Session::~Session() = default;

net::Stream& Session::stream() noexcept {
    if (secure_) return *secure_;
    return *plain_;
}

Status Session::write(std::string_view bytes, milliseconds timeout) {
    auto done = stream().write_all(bytes, timeout);
    if (!done) broken_ = true;
    return done;
}

// TIMEOUT holds for the whole reply, so that a peer that sends a byte a minute does not keep us for ever.
Result<Reply> Session::read_reply(milliseconds timeout) {
    using Clock = std::chrono::steady_clock;
    const auto deadline = Clock::now() + timeout;
    std::array<char, 4096> buffer;
    for (;;) {
        std::string_view rest = unread_;
        auto reply = parser_.feed(rest);
        unread_ = std::string(rest);
        if (!reply) {
            broken_ = true;
            return fail(std::move(reply).error());
        }
        if (*reply) {
            // RFC 5321, 3.8: after 421 the server closes.
            if ((*reply)->code == 421) broken_ = true;
            return std::move(**reply);
        }
        const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now());
        if (left.count() <= 0) {
            broken_ = true;
            return fail(Errc::Timeout, "the peer did not finish its reply in time");
        }
        auto count = stream().read_some(buffer, left);
        if (!count || *count == 0) {
            broken_ = true;
            if (!count) return fail(std::move(count).error());
            return fail(Errc::Closed, "the peer ended the connection");
        }
        unread_.append(buffer.data(), *count);
    }
}

Result<Reply> Session::command(std::string_view line, milliseconds timeout) {
    // What is there before we ask would be taken for the answer, and each later answer for that of the command after.
    if (!unread_.empty()) {
        broken_ = true;
        return fail(Errc::BadInput, "the peer sent a reply that nothing had asked for");
    }
    GK_CHECK(write(fmt::format("{}\r\n", line), timeout));
    return read_reply(timeout);
}

Status Session::hello() {
    GK_TRY(Reply reply,
           command(fmt::format("{} {}", options_.lmtp ? "LHLO" : "EHLO", options_.helo), options_.timeouts.command));
    if (reply.positive()) {
        capabilities_ = parse_capabilities(reply);
        if (!reply.lines.empty()) trace_.helo = reply.lines[0].substr(0, reply.lines[0].find(' '));
        return ok();
    }
    capabilities_ = {};
    // RFC 5321, 3.2: servers from before extensions know HELO only.
    if (options_.lmtp || !reply.permanent()) return fail(refusal("EHLO refused", reply));
    GK_TRY(reply, command(fmt::format("HELO {}", options_.helo), options_.timeouts.command));
    if (!reply.positive()) return fail(refusal("HELO refused", reply));
    return ok();
}

Status Session::start_tls() {
    trace_.problem = TlsTrace::Problem::Refused;
    GK_TRY(Reply reply, command("STARTTLS", options_.timeouts.command));
    if (reply.code != 220) return fail(refusal("STARTTLS refused", reply));
    // RFC 3207, 4.2 and 6: what came in plain text behind the 220 may be an attacker's.
    if (!unread_.empty()) {
        broken_ = true;
        trace_.problem = TlsTrace::Problem::Handshake;
        return fail(Errc::Temporary, "the peer sent bytes in plain text after STARTTLS");
    }
    GK_CHECK(handshake());
    return hello();
}

Status Session::handshake() {
    trace_.problem = TlsTrace::Problem::Handshake;
    broken_ = true;  // until the handshake is through there is nothing to go back to
    GK_TRY(secure_, tls::connect(std::move(plain_), *options_.tls_context, options_.peer, options_.timeouts.handshake));
    trace_.info = secure_->info();
    trace_.chain = secure_->peer_chain();
    trace_.problem = TlsTrace::Problem::Certificate;
    // Not a word more to who may be an impostor.
    if (options_.tls == TlsPolicy::Verified && !trace_.info.verified)
        return fail(Errc::Temporary, "the server's certificate does not hold: " + trace_.info.verify_error);
    trace_.problem = TlsTrace::Problem::None;
    broken_ = false;
    return ok();
}

Status Session::authenticate() {
    const auto& login = *options_.credentials;
    auth::ClientBinding binding;
    if (secure_) {
        const auto bindings = secure_->bindings();
        if (!bindings.tls_exporter.empty()) binding = {"tls-exporter", bindings.tls_exporter};
        else if (!bindings.tls_server_end_point.empty())
            binding = {"tls-server-end-point", bindings.tls_server_end_point};
    }
    const auto mechanism = auth::choose_mechanism(capabilities_.auth, secure_ != nullptr, !binding.bytes.empty());
    if (!mechanism) return fail(Errc::Temporary, "the smarthost offers no login that can be used on this connection");
    GK_TRY(auto sasl, auth::make_sasl_client(*mechanism, login.user, login.password, binding));
    GK_TRY(const auto first, sasl->initial_response());
    std::string line = fmt::format("AUTH {}", *mechanism);
    // RFC 4954, 4: an empty initial response is "=".
    if (first) line += ' ' + (first->empty() ? std::string("=") : text::to_base64(*first));
    GK_TRY(Reply reply, command(line, options_.timeouts.command));
    for (int step = 0; reply.code == 334 && step < 16; ++step) {
        const auto challenge =
            text::from_base64(reply.lines.empty() ? std::string_view() : std::string_view(reply.lines[0]));
        auto answer = challenge ? sasl->respond(*challenge)
                                : Result<std::string>(fail(Errc::BadInput, "challenge is not base64"));
        if (!answer) {
            (void)command("*", options_.timeouts.command);
            return fail(answer.error().in("login at the smarthost"));
        }
        GK_TRY(reply, command(text::to_base64(*answer), options_.timeouts.command));
    }
    if (reply.code != 235)
        return fail(reply.transient() ? Errc::Temporary : Errc::Denied, "login refused: " + reply.text());
    if (!sasl->may_succeed()) return fail(Errc::Denied, "the smarthost did not prove that it knows the password");
    return ok();
}

Status Session::start(const Connect& connect, bool allow_tls) {
    broken_ = false;
    used_ = false;
    unread_.clear();
    parser_ = {};
    secure_.reset();
    GK_TRY(plain_, connect());
    if (options_.implicit_tls) {
        if (!options_.tls_context) return fail(Errc::Config, "TLS is wanted but not set up");
        GK_CHECK(handshake());
    }
    GK_TRY(greeting_, read_reply(options_.timeouts.command));
    if (!greeting_.positive()) return fail(refusal("greeting", greeting_));
    GK_CHECK(hello());
    trace_.greeted = true;
    if (options_.implicit_tls || options_.lmtp) return ok();
    if (capabilities_.starttls && allow_tls && options_.tls_context) return start_tls();
    if (allow_tls) trace_.problem = TlsTrace::Problem::NotOffered;
    if (options_.tls == TlsPolicy::Required || options_.tls == TlsPolicy::Verified)
        return fail(Errc::Temporary, "the peer offers no TLS, which is required");
    return ok();
}

Result<std::unique_ptr<Session>> Session::open(const Connect& connect, const Options& options, TlsTrace* trace) {
    std::unique_ptr<Session> session(new Session(options));
    const auto tell = [&](const Status& status) {
        if (!status) session->trace_.text = status.error().text;
        if (trace) *trace = std::move(session->trace_);
    };
    const bool want_tls = options.tls != TlsPolicy::Never;
    auto started = session->start(connect, want_tls);
    // RFC 7435, 4.1: where TLS is offered and then fails, plain text is what the peer gets without us asking for TLS.
    if (!started && options.tls == TlsPolicy::Opportunistic && !options.implicit_tls &&
        session->capabilities_.starttls) {
        session->tls_failure_ = started.error().text;
        session->trace_.text = started.error().text;
        session->capabilities_ = {};
        started = session->start(connect, false);
    }
    tell(started);
    if (!started) {
        if (!session->broken_) session->quit();
        return fail(std::move(started).error());
    }
    if (options.credentials) {
        if (auto logged_in = session->authenticate(); !logged_in) {
            session->quit();
            return fail(std::move(logged_in).error());
        }
    }
    return session;
}

void Session::quit() noexcept {
    try {
        if (!broken_ && (plain_ || secure_)) (void)command("QUIT", options_.timeouts.quit);
    } catch (...) {  // a goodbye is not worth an error
    }
    broken_ = true;
}

std::string Session::tls_text() const {
    if (!secure_) return {};
    return fmt::format("{} {}", secure_->info().version, secure_->info().cipher);
}

}  // namespace gk::smtp_client
