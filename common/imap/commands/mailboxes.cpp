// SPDX-License-Identifier: MIT
#include "common/imap/session.hpp"

namespace gk::imap {

// create = "CREATE" SP mailbox: RFC 9051, 6.3.4. A separator at the end only announces children.
void Session::on(const Create& create) {
    const auto name = mailbox_named(create.mailbox);
    if (!name) return;
    if (const Status created = account_->create(*name); !created) return refuse(created.error());
    finish("OK Created");
}

// delete = "DELETE" SP mailbox: RFC 9051, 6.3.5. A mailbox that is selected here is deselected first.
void Session::on(const Delete& command) {
    const auto name = mailbox_named(command.mailbox);
    if (!name) return;
    const bool was_selected = selected() == *name;
    if (const Status removed = account_->remove(*name); !removed) return refuse(removed.error());
    if (was_selected) {
        deselect();
        if (rev2_) untagged("OK [CLOSED] The mailbox was selected here");
    }
    finish("OK Deleted");
}

// rename = "RENAME" SP mailbox SP mailbox: RFC 9051, 6.3.6. INBOX stays, and its messages go to the new mailbox.
void Session::on(const Rename& rename) {
    const auto from = mailbox_named(rename.from);
    if (!from) return;
    const auto to = mailbox_named(rename.to);
    if (!to) return;
    if (const Status renamed = account_->rename(*from, *to); !renamed) return refuse(renamed.error());
    const std::string now(selected());
    if (*from != "INBOX" && (now == *from || now.starts_with(*from + "/"))) {
        deselect();
        if (rev2_) untagged("OK [CLOSED] The mailbox has another name now");
    }
    finish("OK Renamed");
}

// subscribe = "SUBSCRIBE" SP mailbox, unsubscribe = "UNSUBSCRIBE" SP mailbox: RFC 9051, 6.3.7 and 6.3.8
void Session::on(const Subscribe& command) {
    const auto name = mailbox_named(command.mailbox);
    if (!name) return;
    const Status done = command.on ? account_->subscribe(*name) : account_->unsubscribe(*name);
    if (!done) return refuse(done.error());
    finish(command.on ? "OK Subscribed" : "OK Unsubscribed");
}

}  // namespace gk::imap
