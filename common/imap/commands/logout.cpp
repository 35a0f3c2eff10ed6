// SPDX-License-Identifier: MIT
#include "common/imap/session.hpp"

namespace gk::imap {

// logout = "LOGOUT": RFC 9051, 6.1.3: BYE comes before the tagged answer.
void Session::on(const Logout&) {
    bye("Until next time");
    reply("OK Logged out");
}

}  // namespace gk::imap
