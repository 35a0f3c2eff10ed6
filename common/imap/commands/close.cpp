// SPDX-License-Identifier: MIT
#include "common/imap/session.hpp"

namespace gk::imap {

// close = "CLOSE": RFC 9051, 6.4.1: expunges without telling, unless read-only, then deselects.
void Session::on(const CloseMailbox&) {
    if (!need_selected()) return;
    if (!view_->read_only()) {
        const auto expunged = view_->mailbox().expunge();
        if (!expunged && expunged.error().code != Errc::NotFound) return refuse(expunged.error());
    }
    deselect();
    reply("OK Closed");
}

// unselect = "UNSELECT": RFC 9051, 6.4.2; RFC 3691
void Session::on(const Unselect&) {
    if (!need_selected()) return;
    deselect();
    reply("OK Unselected");
}

}  // namespace gk::imap
