// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/imap/mailbox_name.hpp"
#include "common/imap/session.hpp"

namespace gk::imap {

// select = "SELECT" SP mailbox, examine = "EXAMINE" SP mailbox: RFC 9051, 6.3.2 and 6.3.3; RFC 3501, 6.3.1 and 6.3.2.
// A failure leaves nothing selected.
void Session::on(const Select& select) {
    const bool had_selected = view_.has_value();
    deselect();
    if (had_selected && rev2_) untagged("OK [CLOSED] The previous mailbox is closed");  // RFC 9051, 7.1
    const auto name = mailbox_named(select.mailbox);
    if (!name) return;
    auto mailbox = account_->mailbox(*name);
    if (!mailbox) return refuse(mailbox.error());
    auto snapshot = mailbox->snapshot(!select.read_only);
    if (!snapshot) return refuse(snapshot.error());
    view_.emplace(std::move(*mailbox), std::move(*snapshot), select.read_only);

    tell_flags_known();
    untagged(fmt::format("{} EXISTS", view_->exists()));
    if (!rev2_) {
        untagged(fmt::format("{} RECENT", view_->recent()));
        const auto& rows = view_->rows();
        const auto unseen =
            std::find_if(rows.begin(), rows.end(), [](const store::Row& row) { return !(row.flags & store::kSeen); });
        if (unseen != rows.end())
            untagged(fmt::format("OK [UNSEEN {}] The first unseen message", unseen - rows.begin() + 1));
    }
    untagged(fmt::format("OK [UIDVALIDITY {}] UIDs are valid", view_->uidvalidity()));
    untagged(fmt::format("OK [UIDNEXT {}] The next UID", view_->uidnext()));
    if (rev2_) {
        std::string& out = out_.text();
        out += "* LIST () \"/\" ";
        append_mailbox(out, *name, true);
        out += "\r\n";
    }
    reply(select.read_only ? "OK [READ-ONLY] Opened for reading" : "OK [READ-WRITE] Selected");
}

}  // namespace gk::imap
