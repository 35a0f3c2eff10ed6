// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/imap/grammar/scanner.hpp"
#include "common/imap/prelogin.hpp"

namespace gk::imap {

// authenticate = "AUTHENTICATE" SP auth-type [SP initial-resp] *(CRLF base64) (RFC 3501, 9; RFC 4959, 3).
// The first bytes of every mechanism are collected here, so that a client that thinks keeps nobody at gk-authd waiting.
void PreLogin::on_authenticate(const std::string& tag, std::string_view arguments, Step& step) {
    tag_ = tag;
    Scanner in(arguments);
    in.space();
    const std::string mechanism = in.word();
    if (in.failed()) {
        step.output += fmt::format("{} BAD {}\r\n", tag, in.error());
        return;
    }
    if (!offers(mechanism)) {
        const bool needs_tls = !options_.tls && (mechanism == "PLAIN" || mechanism == "LOGIN");
        step.output +=
            fmt::format("{} NO {}\r\n", tag,
                        needs_tls ? "[PRIVACYREQUIRED] this mechanism needs TLS first" : "[CANNOT] no such mechanism");
        return;
    }
    mechanism_ = mechanism;
    std::string_view rest = arguments.substr(in.position());
    const auto first = mechanism == "LOGIN" ? Waiting::UserName : Waiting::InitialResponse;
    if (rest.empty()) return ask(mechanism == "LOGIN" ? "Username:" : "", first, step);
    rest.remove_prefix(1);
    waiting_ = first;
    if (rest == "=") return on_sasl_bytes("", step);  // present and empty
    auto bytes = text::from_base64(rest);
    if (!bytes || rest.empty() || arguments[in.position()] != ' ')
        return refuse("BAD the initial response is not base64", step);
    on_sasl_bytes(std::move(*bytes), step);
}

void PreLogin::ask(std::string_view challenge, Waiting for_what, Step& step) {
    step.output += fmt::format("+ {}\r\n", text::to_base64(challenge));
    waiting_ = for_what;
    state_ = State::Response;
}

void PreLogin::refuse(std::string_view reply, Step& step) {
    if (exchange_open_) step.effects.emplace_back(CancelExchange{});
    exchange_open_ = false;
    step.output += fmt::format("{} {}\r\n", tag_, reply);
    state_ = State::Command;
    // Guessing is not the only way to wear a server out.
    if (++failures_ >= options_.max_failures) end("too many failed logins", step);
}

void PreLogin::on_response(std::string_view line, Step& step) {
    if (line == "*") return refuse("BAD authentication cancelled", step);  // RFC 3501, 6.2.2
    auto bytes = text::from_base64(line);
    if (!bytes) return refuse("BAD the response is not base64", step);
    on_sasl_bytes(std::move(*bytes), step);
}

void PreLogin::on_sasl_bytes(std::string bytes, Step& step) {
    switch (waiting_) {
        case Waiting::InitialResponse: return begin(mechanism_, std::move(bytes), step);
        case Waiting::UserName: login_user_ = std::move(bytes); return ask("Password:", Waiting::Password, step);
        case Waiting::Password:
            // LOGIN is PLAIN in two pieces; a NUL would shift them.
            if (login_user_.find('\0') != std::string::npos || bytes.find('\0') != std::string::npos)
                return refuse("BAD a NUL in the response", step);
            return begin("PLAIN", std::string(1, '\0') + std::exchange(login_user_, {}) + std::string(1, '\0') + bytes,
                         step);
        case Waiting::Response: return suspend(auth::Continue{std::move(bytes)}, step);
        case Waiting::FinalAck:
            if (!bytes.empty()) return refuse("BAD the last response must be empty", step);
            return hand_over(step);
    }
}

}  // namespace gk::imap
