// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/auth/wire.hpp"

// What gk-frontd asks of a protocol until somebody is logged in.
namespace gk::auth {

// What the host does next. Everything but CancelExchange and EndConnection suspends the dialogue until the host has
// answered.
struct StartTls {};  // send the output, then handshake, then call tls_started()
// Begin                 ask gk-authd (the host fills in address, tls and channel bindings), then call authenticated()
// Continue              the next step of the same exchange, then call authenticated()
struct CancelExchange {};  // drop the exchange with gk-authd; no answer
struct HandOver {          // give the connection to a session; on failure call session_refused()
    std::string tag, user, ticket;
};
struct EndConnection {};  // send the output, then close
using LoginEffect = std::variant<StartTls, Begin, Continue, CancelExchange, HandOver, EndConnection>;

struct LoginStep {
    std::string output;                // to the client, before the effects
    std::vector<LoginEffect> effects;  // in order; at most one that suspends, and that one last
};

class LoginDialogue {
public:
    using Step = LoginStep;
    virtual ~LoginDialogue() = default;

    virtual std::string greeting() const = 0;
    virtual Step feed(std::string_view bytes) = 0;  // any split gives the same answers; kept while suspended
    // The TLS handshake is over. What the client had sent before it was thrown away at STARTTLS.
    virtual Step tls_started(std::vector<std::string> mechanisms) = 0;
    virtual Step authenticated(const Reply& reply) = 0;
    virtual Step session_refused(FailCode code, std::string_view text) = 0;
    // A last word where the host ends the connection. Empty where one was sent already.
    virtual std::string bye(std::string_view text) const = 0;

    virtual bool suspended() const noexcept = 0;
    virtual bool closed() const noexcept = 0;
    virtual std::size_t discarded() const noexcept = 0;  // bytes injected before TLS
    virtual std::string take_leftover() = 0;             // after HandOver: the session's first bytes
};

}  // namespace gk::auth
