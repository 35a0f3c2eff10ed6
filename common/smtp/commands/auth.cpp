// SPDX-License-Identifier: MIT
#include "common/base/text.hpp"
#include "common/smtp/session.hpp"

namespace gk::smtp {

// RFC 4954, 4.
void Session::on(const Auth& auth) {
    if (!is_submission()) return refuse(502, "5.5.1", "authentication is not offered here");
    if (helo_.empty() || !extended_) return refuse(503, "5.5.1", "EHLO first");
    if (in_mail_) return refuse(503, "5.5.1", "not within a transaction");
    if (!account_.empty()) return refuse(503, "5.5.1", "authenticated already");
    if (!tls_ && settings_.tls_available && settings_.mechanisms_clear.empty())
        return refuse(530, "5.7.0", "STARTTLS first");
    const auto& offered = mechanisms();
    if (std::find(offered.begin(), offered.end(), auth.mechanism) == offered.end()) {
        const bool needs_tls = !tls_ && std::find(settings_.mechanisms.begin(), settings_.mechanisms.end(),
                                                  auth.mechanism) != settings_.mechanisms.end();
        if (needs_tls) return refuse(538, "5.7.11", "that mechanism needs STARTTLS");
        return refuse(504, "5.5.4", "that mechanism is not offered");
    }
    BeginAuthentication begin{auth.mechanism, std::nullopt};
    if (auth.initial) {
        begin.response = *auth.initial == "=" ? std::string() : text::from_base64(*auth.initial);
        if (!begin.response) return refuse(501, "5.5.2", "that is no base64");
    }
    auth_final_sent_ = false;
    waiting_ = Waiting::Authentication;
    effect_ = std::move(begin);
}

void Session::on_auth_line(std::string_view line) {
    input_mode_ = Input::Line;
    if (line == "*") {
        if (!auth_final_sent_) effect_ = CancelAuthentication{};
        return refuse(501, "5.7.0", "authentication cancelled");
    }
    auto response = text::from_base64(line);
    if (!response) {
        if (!auth_final_sent_) effect_ = CancelAuthentication{};
        return refuse(501, "5.5.2", "that is no base64");
    }
    if (auth_final_sent_) {
        // The client has checked the server's signature; it answers with nothing (RFC 5802, 5).
        auth_final_sent_ = false;
        return auth_succeeded(std::exchange(auth_account_, {}), std::nullopt);
    }
    waiting_ = Waiting::Authentication;
    effect_ = ContinueAuthentication{std::move(*response)};
}

void Session::auth_challenge(std::string_view bytes) {
    waiting_ = Waiting::No;
    input_mode_ = Input::Authentication;
    say(334, "", text::to_base64(bytes));
}

void Session::auth_succeeded(std::string account, const std::optional<std::string>& server_final) {
    waiting_ = Waiting::No;
    if (server_final) {
        auth_final_sent_ = true;
        auth_account_ = std::move(account);
        input_mode_ = Input::Authentication;
        return say(334, "", text::to_base64(*server_final));
    }
    account_ = std::move(account);
    say(235, "2.7.0", "authenticated");
}

void Session::auth_failed(const Reply& reply) {
    waiting_ = Waiting::No;
    refuse(reply.code, reply.enhanced, reply.text);
    if (++auth_failures_ >= settings_.limits.max_auth_failures)
        hang_up(421, "4.7.0", settings_.hostname + " too many failed logins");
}

}  // namespace gk::smtp
