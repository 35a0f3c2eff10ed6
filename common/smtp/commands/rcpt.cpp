// SPDX-License-Identifier: MIT
#include "common/smtp/session.hpp"

namespace gk::smtp {

// RFC 5321, 4.1.1.3.
void Session::on(const Rcpt& rcpt) {
    if (!in_mail_) return refuse(503, "5.5.1", "MAIL first");
    if (content_begun_) return refuse(503, "5.5.1", "the message has begun");
    if (!mail_.smtputf8 && !rcpt.path.is_ascii()) return refuse(553, "5.6.7", "the address needs SMTPUTF8");
    // RFC 5321, 4.5.3.1.10: 452, and no error of the client's.
    if (recipients_ >= settings_.limits.max_recipients) return say(452, "4.5.3", "too many recipients");
    waiting_ = Waiting::Recipient;
    effect_ = CheckRecipient{rcpt};
}

}  // namespace gk::smtp
