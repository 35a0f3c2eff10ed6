// SPDX-License-Identifier: MIT
#include "common/smtp/session.hpp"

namespace gk::smtp {

// RFC 5321, 4.1.1.5.
void Session::on(const Rset&) {
    end_transaction();
    count_error();  // of no use a hundred times between two messages
    if (!closed_) say(250, "2.0.0", "ok");
}

// RFC 5321, 4.1.1.9: the argument is ignored.
void Session::on(const Noop&) {
    count_error();
    if (!closed_) say(250, "2.0.0", "ok");
}

// RFC 5321, 4.1.1.8.
void Session::on(const Help&) {
    count_error();
    if (!closed_) say(214, "2.0.0", "EHLO HELO MAIL RCPT DATA BDAT RSET NOOP QUIT VRFY STARTTLS AUTH\nRFC 5321, 6409");
}

// RFC 5321, 4.1.1.10.
void Session::on(const Quit&) {
    end_transaction();
    hang_up(221, "2.0.0", settings_.hostname + " bye");
}

}  // namespace gk::smtp
