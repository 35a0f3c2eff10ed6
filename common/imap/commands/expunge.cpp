// SPDX-License-Identifier: MIT
#include "common/imap/session.hpp"

namespace gk::imap {

// expunge = "EXPUNGE": RFC 9051, 6.4.3; uid-expunge = "UID" SP "EXPUNGE" SP sequence-set: RFC 4315, 2.1
// HIGHESTMODSEQ in the answer: RFC 7162, 3.2.8
void Session::on(const Expunge& expunge) {
    if (!need_writable()) return;
    Result<store::Mailbox::Expunged> expunged;
    if (expunge.uids) {
        const auto ranges = resolve(*expunge.uids, true);
        if (!ranges) return;
        const std::vector<store::Uid> uids = view_->uids_of(*ranges);
        const std::span<const store::Uid> span(uids);
        if (!uids.empty()) expunged = view_->mailbox().expunge(&span);
    } else {
        expunged = view_->mailbox().expunge();
    }
    if (!expunged) return refuse(expunged.error());
    view_->vanish(expunged->uids);
    tell_vanished();
    if (!condstore_ || expunged->uids.empty()) return finish("OK Expunged");
    tell_news(true);
    if (!closed_) reply_with_modseq("OK Expunged", view_->told_modseq());
    shown_modseq_ = 0;
}

}  // namespace gk::imap
