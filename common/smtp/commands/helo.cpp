// SPDX-License-Identifier: MIT
#include "common/base/text.hpp"
#include "common/smtp/session.hpp"

namespace gk::smtp {

// RFC 5321, 4.1.1.1: EHLO also ends a transaction, as RSET does (4.1.4).
void Session::on(const Helo& helo) {
    end_transaction();
    if (!helo_.empty()) {
        count_error();  // once is needed, again after STARTTLS; a hundred times is not
        if (closed_) return;
    }
    helo_ = helo.domain;
    extended_ = helo.kind == Helo::Kind::Ehlo;
    if (!extended_) return say(250, "", settings_.hostname);
    say(250, "", ehlo_text());
}

std::string Session::ehlo_text() const {
    std::string text = settings_.hostname;
    text += "\nPIPELINING\nSIZE " + std::to_string(settings_.limits.max_size);
    text += "\n8BITMIME\nSMTPUTF8\nENHANCEDSTATUSCODES\nCHUNKING\nBINARYMIME\nDSN";
    // RFC 9422, 3
    text += "\nLIMITS MAILMAX=" + std::to_string(settings_.limits.max_messages) +
            " RCPTMAX=" + std::to_string(settings_.limits.max_recipients);
    if (settings_.tls_available && !tls_) text += "\nSTARTTLS";
    if (tls_) text += "\nREQUIRETLS";
    if (is_submission() && account_.empty() && !mechanisms().empty()) {
        text += "\nAUTH";
        for (const auto& mechanism : mechanisms()) text += ' ' + mechanism;
    }
    // RFC 4865, 3: for how many seconds at most, and until when.
    if (may_hold())
        text += "\nFUTURERELEASE " + std::to_string(settings_.most_hold.count()) + ' ' +
                format_rfc3339(settings_.clock() + settings_.most_hold);
    text += "\nHELP";
    return text;
}

const std::vector<std::string>& Session::mechanisms() const {
    if (!tls_) return settings_.mechanisms_clear;
    return tls_->has_channel_binding ? settings_.mechanisms_cb : settings_.mechanisms;
}

}  // namespace gk::smtp
