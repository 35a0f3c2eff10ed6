// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/auth/login_dialogue.hpp"
#include "common/managesieve/command.hpp"
#include "common/managesieve/session.hpp"

// A ManageSieve connection before it is anybody's: RFC 5804, and SASL as it has it (2.1). A value: bytes and answers
// in, bytes and effects out.
namespace gk::managesieve {

struct PreLoginOptions {
    Offered offered;                      // STARTTLS and mechanisms are ours to say
    bool tls = false;                     // the connection is encrypted already
    bool starttls = false;                // offer STARTTLS while it is not
    std::vector<std::string> mechanisms;  // to offer; LOGIN is not: it is no standard one, and adds nothing to PLAIN
    std::size_t max_line = 8192;          // a SASL response among them
    int max_failures = 5;                 // failed logins, then BYE
    int max_commands = 100;               // of any kind, then BYE: nobody needs so many to log in
};

class PreLogin final : public auth::LoginDialogue {
public:
    explicit PreLogin(PreLoginOptions options);

    std::string greeting() const override;
    Step feed(std::string_view bytes) override;
    Step tls_started(std::vector<std::string> mechanisms) override;
    Step authenticated(const auth::Reply& reply) override;
    Step session_refused(auth::FailCode code, std::string_view text) override;
    std::string bye(std::string_view text) const override;
    bool suspended() const noexcept override { return state_ == State::Suspended; }
    bool closed() const noexcept override { return state_ == State::Closed; }
    std::size_t discarded() const noexcept override { return discarded_; }
    std::string take_leftover() override { return reader_.take_rest(); }

private:
    enum class State { Ready, Response, Suspended, Closed };

    void run(Step& step);
    void on_command(const Line& line, Step& step);
    void on_authenticate(const Authenticate& command, Step& step);
    void on_response(const Line& line, Step& step);
    void on_sasl_bytes(std::string bytes, Step& step);
    void ask(std::string_view challenge, Step& step);
    void suspend(auth::LoginEffect effect, Step& step);
    void refuse(std::string_view code, std::string_view text, Step& step);
    void refuse(const auth::Reply& reply, Step& step);
    void end(std::string_view text, Step& step);
    std::string capabilities() const;
    bool offers(std::string_view mechanism) const;

    PreLoginOptions options_;
    LineReader reader_;
    State state_ = State::Ready;
    std::string mechanism_;
    bool exchange_open_ = false;  // gk-authd waits for more
    std::size_t discarded_ = 0;
    int failures_ = 0, commands_ = 0;
};

}  // namespace gk::managesieve
