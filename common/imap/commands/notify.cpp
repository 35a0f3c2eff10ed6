// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/imap/format/format.hpp"
#include "common/imap/mailbox_name.hpp"
#include "common/imap/session.hpp"

namespace gk::imap {

namespace {

constexpr std::string_view kEvents =
    "MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange";

}  // namespace

// notify = "NOTIFY" SP ("NONE" / "SET" [SP "STATUS"] 1*(SP "(" filter-mailboxes SP events ")")): RFC 5465, 3.
// What other programs do to the files of a mailbox is noticed once somebody looks into it.
void Session::on(const Notify& command) {
    if (command.unknown) return reply(fmt::format("NO [BADEVENT ({})] There is no such event here", kEvents));
    std::vector<NotifyGroup> groups = command.groups;
    for (NotifyGroup& group : groups) {
        std::erase_if(group.mailboxes, [this](std::string& wire) {
            auto name = decode_mailbox(wire, rev2_);  // what is no name has no mailbox
            if (name) wire = store::canonical_name(*name);
            return !name;
        });
    }
    // What is new until now is told as it was asked for until now.
    tell_news(true);
    tell_account();
    if (closed_) return;
    Watch watch(std::move(groups));
    if (watch.of_account()) {
        const auto looked = watch.look(*account_, selected());
        if (!looked && looked.error().code == Errc::Unsupported)
            return reply("NO [NOTIFICATIONOVERFLOW] There are too many mailboxes to watch them all");
        if (!looked) return refuse(looked.error());
    }
    watch_ = std::move(watch);
    if (command.status)
        for (const std::string& name : watch_->watched(selected())) tell_status(name);
    finish("OK Noted");
}

// RFC 5465, 5.2 to 5.4: what of another mailbox's messages has changed, the client sees from the numbers.
void Session::tell_status(const std::string& mailbox) {
    std::vector<StatusItem> items = {StatusItem::Messages, StatusItem::UidNext, StatusItem::UidValidity,
                                     StatusItem::Unseen};
    if (condstore_) items.push_back(StatusItem::HighestModSeq);
    if (const auto status = account_->status(mailbox)) append_status(out_.text(), mailbox, items, *status);
}

void Session::tell_account() {
    if (!watches_account()) return;
    const auto news = watch_->look(*account_, selected());
    if (!news) {
        if (news.error().code != Errc::Unsupported) return;
        watch_.emplace(std::vector<NotifyGroup>());
        return untagged("OK [NOTIFICATIONOVERFLOW] There are too many mailboxes to watch, so nothing is told any more");
    }
    for (const Watch::News& one : *news) {
        if (one.kind == Watch::News::Kind::Messages) {
            tell_status(one.mailbox);
            continue;
        }
        std::string& out = out_.text();
        if (one.kind == Watch::News::Kind::Metadata) {  // RFC 5464, 4.4.2
            out += "* METADATA ";
            append_mailbox(out, one.mailbox, rev2_);
            for (const std::string& entry : one.entries) append_string(out += ' ', entry, false);
            out += "\r\n";
            continue;
        }
        out += "* LIST (";
        if (!one.exists) out += "\\NonExistent";
        if (one.subscribed) out += one.exists ? "\\Subscribed" : " \\Subscribed";
        out += ") \"/\" ";
        append_mailbox(out, one.mailbox, rev2_);
        if (one.kind == Watch::News::Kind::Renamed) {
            out += " (\"OLDNAME\" (";  // RFC 5465, 5.5
            append_mailbox(out, one.old_name, rev2_);
            out += "))";
        }
        out += "\r\n";
    }
}

}  // namespace gk::imap
