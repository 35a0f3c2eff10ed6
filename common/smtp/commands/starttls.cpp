// SPDX-License-Identifier: MIT
#include "common/smtp/session.hpp"

namespace gk::smtp {

// RFC 3207, 4.
void Session::on(const StartTls&) {
    if (tls_) return refuse(503, "5.5.1", "TLS is in use already");
    if (!settings_.tls_available) return refuse(454, "4.7.0", "TLS is not available");
    if (helo_.empty()) return refuse(503, "5.5.1", "EHLO first");
    if (in_mail_) return refuse(503, "5.5.1", "not within a transaction");
    say(220, "2.0.0", "go ahead");
    // What came in clear behind the command must not be taken for something said under TLS.
    input_ = {};
    waiting_ = Waiting::Handshake;
    effect_ = StartHandshake{};
}

// RFC 3207, 4.2: all that was learned before is forgotten.
void Session::tls_started(TlsFacts facts) {
    waiting_ = Waiting::No;
    tls_ = std::move(facts);
    helo_.clear();
    account_.clear();
    extended_ = false;
    line_.clear();
    input_ = {};
}

}  // namespace gk::smtp
