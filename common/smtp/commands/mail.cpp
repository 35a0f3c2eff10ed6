// SPDX-License-Identifier: MIT
#include "common/smtp/session.hpp"

namespace gk::smtp {

// RFC 5321, 4.1.1.2; RFC 6409, 4 for submission.
void Session::on(const Mail& mail) {
    if (helo_.empty()) return refuse(503, "5.5.1", "EHLO first");
    if (in_mail_) return refuse(503, "5.5.1", "a transaction is open already");
    if (is_submission() && !tls_ && settings_.tls_available && settings_.mechanisms_clear.empty())
        return refuse(530, "5.7.0", "STARTTLS first");
    if (is_submission() && account_.empty()) return refuse(530, "5.7.0", "authentication required");
    if (mail.path.domain.empty() && !mail.path.is_null())
        return refuse(501, "5.1.7", "the reverse-path needs a domain");
    // RFC 6531, 3.5
    if (!mail.smtputf8 && !mail.path.is_ascii()) return refuse(553, "5.6.7", "the address needs SMTPUTF8");
    // RFC 8689, 2: the extension is there under TLS only.
    if (mail.require_tls && !tls_) return refuse(530, "5.7.10", "REQUIRETLS needs TLS here too: STARTTLS first");
    if (mail.size.value_or(0) > settings_.limits.max_size)
        return refuse(552, "5.3.4", "message is larger than " + std::to_string(settings_.limits.max_size) + " bytes");
    if (messages_ >= settings_.limits.max_messages)
        return hang_up(421, "4.7.0", settings_.hostname + " enough messages for one connection");
    asked_mail_ = mail;
    if (const auto refusal = refuse_hold(asked_mail_)) return refuse(refusal->code, refusal->enhanced, refusal->text);
    waiting_ = Waiting::Sender;
    effect_ = CheckSender{};
}

// RFC 4865, 3 and 4: one moment comes of it, which may not lie past the most that EHLO promised. One that is past asks
// for nothing.
std::optional<Reply> Session::refuse_hold(Mail& mail) const {
    if (!mail.hold_for && !mail.hold_until) return std::nullopt;
    if (!may_hold()) return Reply{555, "5.5.4", "FUTURERELEASE is not offered"};
    const TimePoint now = settings_.clock();
    const TimePoint until = mail.hold_until ? *mail.hold_until : now + std::chrono::seconds(*mail.hold_for);
    if (until > now + settings_.most_hold)
        return Reply{501, "5.5.4",
                     "messages are held for " + std::to_string(settings_.most_hold.count()) + " seconds at most"};
    mail.hold_until = until > now ? std::optional(until) : std::nullopt;
    return std::nullopt;
}

}  // namespace gk::smtp
