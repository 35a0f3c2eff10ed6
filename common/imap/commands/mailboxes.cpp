// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/imap/mailbox_name.hpp"
#include "common/imap/session.hpp"

namespace gk::imap {

namespace {

// RFC 6154, 2; RFC 8457; RFC 9979. \\All and \\Flagged would be views of messages that are elsewhere: there are none.
constexpr std::string_view kUses[] = {"\\Archive",   "\\Drafts",    "\\Junk",  "\\Sent",   "\\Trash",
                                      "\\Important", "\\Scheduled", "\\Memos", "\\Snoozed"};

}  // namespace

std::optional<std::string> Session::special_use_for(std::string_view use, std::string_view mailbox) {
    const auto* known =
        std::find_if(std::begin(kUses), std::end(kUses), [&](auto one) { return text::equals_nocase(one, use); });
    if (known == std::end(kUses)) {
        reply("NO [USEATTR] There is no such special use here");
        return std::nullopt;
    }
    // Clients look for the mailbox of a use: two would split what belongs together.
    const auto has = account_->find_special_use(*known);
    if (!has) {
        refuse(has.error());
        return std::nullopt;
    }
    if (has->empty() || *has == mailbox) return std::string(*known);
    reply("NO [USEATTR] Another mailbox has that special use");
    return std::nullopt;
}

// RFC 9051, 7.3.1: the name that is meant by another.
void Session::tell_old_name(const std::string& name, const std::string& old_name) {
    const auto entry = account_->find(name);
    if (!entry) return;
    std::string extended = " (\"OLDNAME\" (";
    append_mailbox(extended, old_name, utf8_);
    append_list({}, *entry, true, extended + "))");
}

// create = "CREATE" SP mailbox [SP "(" create-param *(SP create-param) ")"]: RFC 9051, 6.3.4; USE: RFC 6154, 3. A
// separator at the end only announces children. MAILBOXID: RFC 8474, 4.1
void Session::on(const Create& create) {
    const auto place = place_of(create.mailbox, "k");
    if (!place) return;
    if (create.uses.size() > 1) return reply("NO [USEATTR] A mailbox has one special use here");
    std::optional<std::string> use = std::string();
    if (!create.uses.empty() && !(use = special_use_for(create.uses.front(), ""))) return;
    if (const Status created = place->account->create(place->name, *use); !created) return refuse(created.error());
    const auto asked = decode_mailbox(create.mailbox, utf8_);
    if (rev2_ && asked && *asked != place->name && *asked != place->name + kSeparator)
        tell_old_name(place->name, *asked);
    // Another session may have removed it already.
    const auto status = place->account->status(place->name);
    finish(status ? fmt::format("OK [MAILBOXID ({})] Created", status->id) : "OK Created");
}

// delete = "DELETE" SP mailbox: RFC 9051, 6.3.5. A mailbox that is selected here is deselected first.
void Session::on(const Delete& command) {
    const auto place = place_of(command.mailbox, "x");
    if (!place) return;
    const bool was_selected = selected() == place->name;
    if (const Status removed = place->account->remove(place->name); !removed) return refuse(removed.error());
    if (was_selected) {
        deselect();
        if (rev2_) untagged("OK [CLOSED] The mailbox was selected here");
    }
    finish("OK Deleted");
}

// rename = "RENAME" SP mailbox SP mailbox: RFC 9051, 6.3.6. INBOX stays, and its messages go to the new mailbox.
void Session::on(const Rename& rename) {
    const auto from = place_of(rename.from, "x");
    if (!from) return;
    const auto to = place_of(rename.to, "k");
    if (!to) return;
    // RFC 9051, 6.3.6, knows no RENAME from one to the other's.
    if (from->account != to->account) return reply("NO [CANNOT] A mailbox stays with whom it belongs to");
    if (const Status renamed = from->account->rename(from->name, to->name); !renamed) return refuse(renamed.error());
    const std::string now(selected());
    if (from->name != "INBOX" && (now == from->name || now.starts_with(from->name + "/"))) {
        deselect();
        if (rev2_) untagged("OK [CLOSED] The mailbox has another name now");
    }
    if (rev2_ && from->name != "INBOX") tell_old_name(to->name, from->name);
    finish("OK Renamed");
}

// subscribe = "SUBSCRIBE" SP mailbox, unsubscribe = "UNSUBSCRIBE" SP mailbox: RFC 9051, 6.3.7 and 6.3.8
void Session::on(const Subscribe& command) {
    const auto place = place_of(command.mailbox);
    if (!place) return;
    // A subscription is the subscriber's, whosever the mailbox is.
    const Status done = command.on ? account_->subscribe(place->name) : account_->unsubscribe(place->name);
    if (!done) return refuse(done.error());
    finish(command.on ? "OK Subscribed" : "OK Unsubscribed");
}

}  // namespace gk::imap
