// SPDX-License-Identifier: MIT
#include "common/imap/session.hpp"

namespace gk::imap {

// noop = "NOOP": RFC 9051, 6.1.2. The news come with every command's end.
void Session::on(const Noop&) { finish("OK Nothing done"); }

// check = "CHECK": RFC 3501, 6.4.1 (gone in RFC 9051). What was answered OK is durable already.
void Session::on(const Check&) {
    if (need_selected()) finish("OK Checked");
}

// STARTTLS, LOGIN and AUTHENTICATE: RFC 9051, 6.2: only before login.
void Session::on(const NotNow& command) { complain(tag_, command.name + " is not valid after login"); }

}  // namespace gk::imap
