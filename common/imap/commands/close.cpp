// SPDX-License-Identifier: MIT
#include "common/imap/session.hpp"

namespace gk::imap {

// close = "CLOSE": RFC 9051, 6.4.1: expunges without telling, unless read-only, then deselects.
// HIGHESTMODSEQ in the answer: RFC 7162, 3.2.9, and only where nothing else happened that the client does not know.
void Session::on(const CloseMailbox&) {
    if (!need_selected()) return;
    store::ModSeq modseq = 0;
    if (!view_->read_only()) {
        const auto expunged = view_->mailbox().expunge();
        if (!expunged && expunged.error().code != Errc::NotFound) return refuse(expunged.error());
        if (condstore_ && expunged && !expunged->uids.empty() && expunged->modseq == view_->told_modseq() + 1)
            modseq = expunged->modseq;
    }
    deselect();
    if (modseq != 0) reply_with_modseq("OK Closed", modseq);
    else reply("OK Closed");
}

// unselect = "UNSELECT": RFC 9051, 6.4.2; RFC 3691
void Session::on(const Unselect&) {
    if (!need_selected()) return;
    deselect();
    reply("OK Unselected");
}

}  // namespace gk::imap
