// SPDX-License-Identifier: MIT
#include "common/managesieve/prelogin.hpp"

#include <algorithm>

#include "common/base/text.hpp"

namespace gk::managesieve {

namespace {

constexpr std::uint64_t kMaxLiteral = 64 * 1024;  // a SASL response in base64

}  // namespace

PreLogin::PreLogin(PreLoginOptions options)
    : options_(std::move(options)),
      reader_({.line = options_.max_line, .literal = kMaxLiteral, .skipped = kMaxLiteral}) {
    std::erase(options_.mechanisms, "LOGIN");
}

bool PreLogin::offers(std::string_view mechanism) const {
    return std::find(options_.mechanisms.begin(), options_.mechanisms.end(), mechanism) != options_.mechanisms.end();
}

std::string PreLogin::capabilities() const {
    Offered offered = options_.offered;
    offered.mechanisms = text::join(options_.mechanisms, " ");
    offered.starttls = options_.starttls && !options_.tls;
    offered.owner.clear();
    return offered.format();
}

std::string PreLogin::greeting() const { return capabilities() + format_reply("OK", "", "ready"); }

std::string PreLogin::bye(std::string_view text) const { return closed() ? "" : format_reply("BYE", "", text); }

void PreLogin::end(std::string_view text, Step& step) {
    step.output += format_reply("BYE", "", text);
    if (exchange_open_) step.effects.emplace_back(auth::CancelExchange{});
    step.effects.emplace_back(auth::EndConnection{});
    state_ = State::Closed;
}

PreLogin::Step PreLogin::feed(std::string_view bytes) {
    Step step;
    if (state_ == State::Closed) return step;
    reader_.feed(bytes);
    run(step);
    return step;
}

void PreLogin::run(Step& step) {
    while (state_ == State::Ready || state_ == State::Response) {
        const auto line = reader_.next();
        if (!line) break;
        if (state_ == State::Response) on_response(*line, step);
        else on_command(*line, step);
    }
    if (reader_.gave_up() && state_ != State::Closed && state_ != State::Suspended)
        end("that is too long to be a command", step);
}

void PreLogin::on_command(const Line& line, Step& step) {
    if (++commands_ > options_.max_commands) return end("too many commands", step);
    const auto command = parse_command(line);
    if (!command) {
        // Its text may quote a piece of a password.
        step.output += format_reply("NO", "", line.error.empty() ? command.error().text : "that makes no sense");
        return;
    }
    if (const auto* authenticate = std::get_if<Authenticate>(&*command)) return on_authenticate(*authenticate, step);
    if (std::holds_alternative<Capability>(*command)) {
        step.output += capabilities() + format_reply("OK", "", "");
    } else if (const auto* noop = std::get_if<Noop>(&*command)) {
        step.output += format_reply("OK", noop->tag ? "TAG " + format_string(*noop->tag) : "", "done");
    } else if (std::holds_alternative<Logout>(*command)) {
        step.output += format_reply("OK", "", "goodbye");
        step.effects.emplace_back(auth::EndConnection{});
        state_ = State::Closed;
    } else if (!std::holds_alternative<StartTls>(*command)) {
        step.output += format_reply("NO", "", "log in first");
    } else if (options_.tls) {
        step.output += format_reply("NO", "", "TLS is active already");
    } else if (!options_.starttls) {
        step.output += format_reply("NO", "", "STARTTLS is not offered");
    } else {
        // What follows in the clear may be an attacker's (CVE-2011-0411 and its kin).
        discarded_ += reader_.take_rest().size();
        step.output += format_reply("OK", "", "begin TLS now");
        suspend(auth::StartTls{}, step);
    }
}

// RFC 5804, 2.2: the capabilities are said anew, without being asked.
PreLogin::Step PreLogin::tls_started(std::vector<std::string> mechanisms) {
    Step step;
    options_.tls = true;
    options_.mechanisms = std::move(mechanisms);
    std::erase(options_.mechanisms, "LOGIN");
    discarded_ += reader_.take_rest().size();
    state_ = State::Ready;
    step.output = capabilities() + format_reply("OK", "", "TLS is active");
    return step;
}

void PreLogin::suspend(auth::LoginEffect effect, Step& step) {
    step.effects.push_back(std::move(effect));
    state_ = State::Suspended;
}

void PreLogin::on_authenticate(const Authenticate& command, Step& step) {
    if (!offers(command.mechanism)) {
        const bool needs_tls = !options_.tls && command.mechanism == "PLAIN";
        step.output += needs_tls ? format_reply("NO", "ENCRYPT-NEEDED", "this mechanism needs TLS first")
                                 : format_reply("NO", "", "no such mechanism");
        return;
    }
    mechanism_ = command.mechanism;
    if (!command.initial) return ask("", step);
    auto bytes = text::from_base64(*command.initial);
    if (!bytes) return refuse("", "the initial response is not base64", step);
    on_sasl_bytes(std::move(*bytes), step);
}

void PreLogin::ask(std::string_view challenge, Step& step) {
    step.output += format_string(text::to_base64(challenge)) + "\r\n";
    state_ = State::Response;
}

void PreLogin::refuse(std::string_view code, std::string_view text, Step& step) {
    if (exchange_open_) step.effects.emplace_back(auth::CancelExchange{});
    exchange_open_ = false;
    step.output += format_reply("NO", code, text);
    state_ = State::Ready;
    // Guessing is not the only way to wear a server out.
    if (++failures_ >= options_.max_failures) end("too many failed logins", step);
}

void PreLogin::on_response(const Line& line, Step& step) {
    const auto response = parse_response(line);
    if (!response) return refuse("", "a response is one string", step);
    if (*response == "*") return refuse("", "authentication cancelled", step);
    auto bytes = text::from_base64(*response);
    if (!bytes) return refuse("", "the response is not base64", step);
    on_sasl_bytes(std::move(*bytes), step);
}

void PreLogin::on_sasl_bytes(std::string bytes, Step& step) {
    if (exchange_open_) return suspend(auth::Continue{std::move(bytes)}, step);
    auth::Begin begin;
    begin.service = "managesieve";
    begin.mechanism = mechanism_;
    begin.tls = options_.tls;
    begin.initial_response = std::move(bytes);
    exchange_open_ = true;
    suspend(std::move(begin), step);
}

// What tells an attacker about an account stays "authentication failed".
void PreLogin::refuse(const auth::Reply& reply, Step& step) {
    const bool fit = !reply.text.empty() && reply.text.size() <= 200 && text::is_ascii(reply.text);
    const auto say = [&](std::string_view code, std::string_view otherwise) {
        step.output += format_reply("NO", code, fit ? std::string_view(reply.text) : otherwise);
    };
    switch (reply.code) {
        case auth::FailCode::Temp: return say("TRYLATER", "try again later");
        case auth::FailCode::Disabled: return say("", "this account may not log in");
        case auth::FailCode::Expired: return say("", "the password has expired");
        case auth::FailCode::Denied: return say("", "not allowed");
        case auth::FailCode::Malformed: return say("", "the authentication exchange is malformed");
        case auth::FailCode::Auth:
        case auth::FailCode::Locked:
        case auth::FailCode::Limit: break;
    }
    say("", "authentication failed");
}

PreLogin::Step PreLogin::authenticated(const auth::Reply& reply) {
    Step step;
    if (state_ != State::Suspended) return step;
    switch (reply.kind) {
        case auth::Reply::Kind::Continue: ask(reply.bytes.value_or(""), step); break;
        case auth::Reply::Kind::Ok:
            exchange_open_ = false;
            // What the mechanism says with success travels in the OK (RFC 5804, 2.1), which is the session's to give.
            suspend(auth::HandOver{reply.bytes ? text::to_base64(*reply.bytes) : "-", reply.user, reply.ticket}, step);
            break;
        case auth::Reply::Kind::Fail:
            exchange_open_ = false;
            refuse(reply, step);
            state_ = State::Ready;
            if (reply.code != auth::FailCode::Temp && ++failures_ >= options_.max_failures)
                end("too many failed logins", step);
            break;
    }
    run(step);
    return step;
}

PreLogin::Step PreLogin::session_refused(auth::FailCode code, std::string_view text) {
    Step step;
    auth::Reply reply;
    reply.code = code;
    reply.text = text;
    refuse(reply, step);
    state_ = State::Ready;
    run(step);
    return step;
}

}  // namespace gk::managesieve
