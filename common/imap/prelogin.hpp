// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/auth/login_dialogue.hpp"

// An IMAP connection before it is anybody's: RFC 3501 and RFC 9051, the commands of the not-authenticated state, and
// SASL (RFC 4422, RFC 4959). A value: bytes and answers in, bytes and effects out.
namespace gk::imap {

struct PreLoginOptions {
    std::string hostname;                    // in the greeting
    bool tls = false;                        // the connection is encrypted already
    bool starttls = false;                   // offer STARTTLS while it is not
    std::vector<std::string> mechanisms;     // to offer; LOGIN is allowed where PLAIN is
    std::uint64_t max_message = 100u << 20;  // of an APPEND once logged in: a capability says it
    std::size_t max_line = 8192;             // RFC 7162, 4; also a SASL response
    std::size_t max_literal = 1024;          // user name or password
    std::size_t max_command = 16 * 1024;     // a line with its literals
    int max_failures = 5;                    // failed logins, then BYE
    int max_commands = 100;                  // of any kind, then BYE: nobody needs so many to log in
};

using auth::CancelExchange;
using auth::EndConnection;
using auth::HandOver;
using auth::StartTls;

class PreLogin final : public auth::LoginDialogue {
public:
    explicit PreLogin(PreLoginOptions options);

    std::string greeting() const override;
    Step feed(std::string_view bytes) override;
    // STARTTLS is RFC 3501, 6.2.1.
    Step tls_started(std::vector<std::string> mechanisms) override;
    Step authenticated(const auth::Reply& reply) override;
    Step session_refused(auth::FailCode code, std::string_view text) override;
    std::string bye(std::string_view text) const override;  // "* BYE [CODE] text"

    bool suspended() const noexcept override { return state_ == State::Suspended; }
    bool closed() const noexcept override { return state_ == State::Closed; }
    std::size_t discarded() const noexcept override { return discarded_; }
    std::string take_leftover() override { return std::exchange(buffer_, {}); }
    std::string capabilities() const;

private:
    enum class State { Command, Response, Suspended, Closed };
    enum class Waiting { InitialResponse, UserName, Password, Response, FinalAck };

    void run(Step& step);
    void on_command(std::string_view text, Step& step);
    void on_login(const std::string& tag, std::string_view arguments, Step& step);
    void on_authenticate(const std::string& tag, std::string_view arguments, Step& step);
    void on_response(std::string_view line, Step& step);
    void on_sasl_bytes(std::string bytes, Step& step);
    void begin(std::string mechanism, std::string initial_response, Step& step);
    void suspend(auth::LoginEffect effect, Step& step);
    void ask(std::string_view challenge, Waiting for_what, Step& step);
    void refuse(std::string_view reply, Step& step);
    void end(std::string_view text, Step& step);
    void hand_over(Step& step);
    bool take_line(std::string& line, Step& step);
    bool offers(std::string_view mechanism) const;

    PreLoginOptions options_;
    State state_ = State::Command;
    Waiting waiting_ = Waiting::Response;
    std::string buffer_;
    std::size_t scanned_ = 0;        // of buffer_: no line end before this
    std::size_t literal_until_ = 0;  // of buffer_: a literal reaches up to here
    std::string tag_, mechanism_, login_user_, user_, ticket_;
    bool exchange_open_ = false;  // gk-authd waits for more
    std::size_t discarded_ = 0;
    int failures_ = 0, commands_ = 0;
};

}  // namespace gk::imap
