// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/imap/mailbox_name.hpp"
#include "common/imap/session.hpp"

namespace gk::imap {

// status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")": RFC 9051, 6.3.11; RFC 3501, 6.3.10; SIZE: RFC
// 8438; APPENDLIMIT: RFC 7889, 4; HIGHESTMODSEQ: RFC 7162, 3.1.7
void Session::on(const StatusOf& command) {
    const auto place = place_of(command.mailbox, "r");
    if (!place) return;
    const auto status = place->account->status(place->name);
    if (!status) return refuse(status.error());
    append_status(out_.text(), place->name, command.items, *status);
    finish("OK Status told");
}

void Session::append_status(std::string& out, std::string_view mailbox, const std::vector<StatusItem>& items,
                            const store::MailboxStatus& status) {
    if (std::find(items.begin(), items.end(), StatusItem::HighestModSeq) != items.end()) enable_condstore();
    out += "* STATUS ";
    append_mailbox(out, mailbox, utf8_);
    out += " (";
    const char* separator = "";
    for (const StatusItem item : items) {
        const auto add = [&](std::string_view name, std::uint64_t number) {
            fmt::format_to(std::back_inserter(out), "{}{} {}", std::exchange(separator, " "), name, number);
        };
        switch (item) {
            case StatusItem::Messages: add("MESSAGES", status.messages); break;
            case StatusItem::Recent: add("RECENT", status.recent); break;
            case StatusItem::UidNext: add("UIDNEXT", status.uidnext); break;
            case StatusItem::UidValidity: add("UIDVALIDITY", status.uidvalidity); break;
            case StatusItem::Unseen: add("UNSEEN", status.unseen); break;
            case StatusItem::Deleted: add("DELETED", status.deleted); break;
            case StatusItem::DeletedStorage: add("DELETED-STORAGE", status.deleted_size); break;
            case StatusItem::Size: add("SIZE", status.size); break;
            case StatusItem::HighestModSeq: add("HIGHESTMODSEQ", status.highest_modseq); break;
            case StatusItem::AppendLimit: add("APPENDLIMIT", options_.max_message); break;
            case StatusItem::MailboxId:  // RFC 8474, 4.3
                fmt::format_to(std::back_inserter(out), "{}MAILBOXID ({})", std::exchange(separator, " "), status.id);
                break;
        }
    }
    out += ")\r\n";
}

}  // namespace gk::imap
