// SPDX-License-Identifier: MIT
#include <map>

#include "common/imap/mailbox_name.hpp"
#include "common/imap/session.hpp"

namespace gk::imap {

namespace {

// One name of the tree as LIST sees it: mailboxes, their superiors, and what is subscribed without being there.
struct Name {
    store::MailboxEntry entry;
    bool listed = false;          // the store knows it
    bool selected_below = false;  // a descendant fits the selection options
};

using Names = std::map<std::string, Name, std::less<>>;

std::string_view superior(std::string_view name) {
    const std::size_t slash = name.rfind(kSeparator);
    return slash == std::string_view::npos ? std::string_view() : name.substr(0, slash);
}

store::MailboxEntry absent(std::string_view name) {
    store::MailboxEntry entry;
    entry.name = name;
    entry.exists = false;
    return entry;
}

bool is_wanted(const List& list, const store::MailboxEntry& entry) {
    if (list.select_subscribed && !entry.subscribed) return false;
    if (list.select_special_use && entry.special_use.empty()) return false;
    return true;
}

bool matches_any(const std::vector<std::string>& patterns, std::string_view name) {
    return std::any_of(patterns.begin(), patterns.end(),
                       [&](const std::string& pattern) { return matches_pattern(pattern, name); });
}

}  // namespace

// list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP "RETURN" SP list-return-opts]
// RFC 9051, 6.3.9; RFC 3501, 6.3.8; RFC 5258; SPECIAL-USE: RFC 6154; STATUS: RFC 5819
// lsub = "LSUB" SP mailbox SP list-mailbox: RFC 3501, 6.3.9
void Session::on(const List& list) {
    const std::string_view answer = list.lsub ? "LSUB" : "LIST";
    // RFC 3501, 6.3.8: an empty pattern asks for the separator and the reference's root.
    if (!list.extended && list.patterns.front().empty()) {
        untagged(fmt::format("{} (\\Noselect) \"/\" \"\"", answer));
        return finish("OK Listed");
    }
    std::vector<std::string> patterns;
    for (const std::string& pattern : list.patterns) {
        auto decoded = decode_mailbox(list.reference + pattern, rev2_);
        if (decoded) patterns.push_back(std::move(*decoded));
    }
    const bool only_subscribed = list.lsub || list.select_subscribed;

    auto entries = account_->list();
    if (!entries) return refuse(entries.error());
    Names names;
    for (store::MailboxEntry& entry : *entries) {
        std::string name = entry.name;
        names.emplace(std::move(name), Name{.entry = std::move(entry), .listed = true});
    }
    if (only_subscribed) {
        // RFC 9051, 6.3.9.1: what is subscribed is shown whether it exists or not.
        auto subscriptions = account_->subscriptions();
        if (!subscriptions) return refuse(subscriptions.error());
        for (const std::string& name : *subscriptions) {
            Name& known = names[name];
            if (!known.listed) known.entry = absent(name);
            known.entry.subscribed = true;
            for (std::string_view above = superior(name); !above.empty(); above = superior(above)) {
                Name& higher = names[std::string(above)];
                if (!higher.listed && higher.entry.name.empty()) higher.entry = absent(above);
                higher.entry.has_children = higher.entry.has_children || known.listed;
            }
        }
    }
    const bool looks_below = list.lsub || list.select_recursive_match;
    if (looks_below) {
        for (const auto& [name, known] : names) {
            const bool wanted = list.lsub ? known.entry.subscribed : is_wanted(list, known.entry);
            if (!wanted) continue;
            for (std::string_view above = superior(name); !above.empty(); above = superior(above))
                if (const auto at = names.find(above); at != names.end()) at->second.selected_below = true;
        }
    }

    std::string& out = out_.text();
    const auto show = [&](const Name& name) {
        const store::MailboxEntry& entry = name.entry;
        const bool wanted = list.lsub ? entry.subscribed : is_wanted(list, entry);
        const bool below = looks_below && name.selected_below;
        if (!wanted && !below) return;
        // LSUB names a superior only for "%", where its subscribed children do not show themselves (RFC 3501, 6.3.9).
        if (list.lsub && !wanted && matches_any(patterns, entry.name + "/x")) return;
        if (!matches_any(patterns, entry.name)) return;

        out += "* ";
        out += answer;
        out += " (";
        const std::size_t begin = out.size();
        const auto add = [&](std::string_view attribute) {
            if (out.size() > begin) out += ' ';
            out += attribute;
        };
        if (list.lsub) {
            if (!entry.exists || !wanted) add("\\Noselect");
        } else {
            if (!entry.exists) add(list.extended || rev2_ ? "\\NonExistent" : "\\Noselect");
            if (entry.subscribed && (list.select_subscribed || list.return_subscribed)) add("\\Subscribed");
            add(entry.has_children ? "\\HasChildren" : "\\HasNoChildren");
            if (!entry.special_use.empty()) add(entry.special_use);
        }
        out += ") \"/\" ";
        append_mailbox(out, entry.name, rev2_);
        if (below && list.select_recursive_match) {
            out += " (\"CHILDINFO\" (";
            if (list.select_subscribed) out += "\"SUBSCRIBED\"";
            if (list.select_special_use) out += list.select_subscribed ? " \"SPECIAL-USE\"" : "\"SPECIAL-USE\"";
            out += "))";
        }
        out += "\r\n";
        // RFC 5819, 2: only for mailboxes that can be selected.
        if (list.return_status.empty() || !entry.exists) return;
        if (const auto status = account_->status(entry.name))
            append_status(out, entry.name, list.return_status, *status);
    };
    if (const auto inbox = names.find("INBOX"); inbox != names.end()) show(inbox->second);
    for (const auto& [name, known] : names)
        if (name != "INBOX") show(known);
    finish("OK Listed");
}

}  // namespace gk::imap
