// SPDX-License-Identifier: MIT
#include "common/imap/session.hpp"

namespace gk::imap {

// enable = "ENABLE" 1*(SP capability): RFC 9051, 6.3.1; RFC 5161. What is not known, or on already, is passed over.
// CONDSTORE and QRESYNC: RFC 7162, 3.1 and 3.2.3; UIDONLY: RFC 9586, 3; UTF8=ACCEPT: RFC 6855, 3
void Session::on(const Enable& enable) {
    std::string enabled;
    bool condstore = false;
    const auto turn_on = [&](bool& what, std::string_view name) {
        if (std::exchange(what, true)) return;
        enabled += ' ';
        enabled += name;
    };
    for (const std::string& name : enable.capabilities) {
        if (name == "IMAP4REV2") turn_on(rev2_, "IMAP4rev2");
        if (name == "UTF8=ACCEPT") turn_on(utf8_accept_, "UTF8=ACCEPT");
        if (name == "UIDONLY") turn_on(uid_only_, "UIDONLY");
        if (name == "CONDSTORE" && !condstore_ && !std::exchange(condstore, true)) enabled += " CONDSTORE";
        if (name == "QRESYNC") {
            turn_on(qresync_, "QRESYNC");
            condstore = true;
        }
    }
    utf8_ = rev2_ || utf8_accept_;
    untagged("ENABLED" + enabled);
    if (condstore) enable_condstore();
    finish("OK Enabled");
}

}  // namespace gk::imap
