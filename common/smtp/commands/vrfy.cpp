// SPDX-License-Identifier: MIT
#include "common/smtp/session.hpp"

namespace gk::smtp {

// RFC 5321, 3.5.3: who is here is said to those who bring mail, at RCPT.
void Session::on(const Vrfy& vrfy) {
    if (vrfy.argument.empty()) return refuse(501, "5.5.4", "whom? VRFY bob@b.example");
    count_error();
    if (!closed_) say(252, "2.1.5", "cannot verify; send and see");
}

void Session::on(const Expn&) { refuse(502, "5.5.1", "lists are not expanded here"); }

}  // namespace gk::smtp
