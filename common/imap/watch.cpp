// SPDX-License-Identifier: MIT
#include "common/imap/watch.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <functional>

#include "common/imap/mailbox_name.hpp"

namespace gk::imap {

namespace {

using Filter = NotifyGroup::Filter;

bool is_selected(const NotifyGroup& group) {
    return group.filter == Filter::Selected || group.filter == Filter::SelectedDelayed;
}

bool is_below(std::string_view name, std::string_view superior) {
    return name.size() > superior.size() && name.starts_with(superior) && name[superior.size()] == kSeparator;
}

bool matches(const NotifyGroup& group, const std::string& mailbox, bool subscribed) {
    const auto any = [&](auto fits) { return std::any_of(group.mailboxes.begin(), group.mailboxes.end(), fits); };
    switch (group.filter) {
        case Filter::Selected:
        case Filter::SelectedDelayed: return false;
        case Filter::Inboxes: return mailbox == "INBOX";
        case Filter::Personal: return true;
        case Filter::Subscribed: return subscribed;
        case Filter::Subtree:
            return any([&](const std::string& name) { return mailbox == name || is_below(mailbox, name); });
        case Filter::Mailboxes: return any([&](const std::string& name) { return mailbox == name; });
    }
    return false;
}

bool is_none(const NotifyGroup& group) {
    return !group.messages && !group.flags && !group.names && !group.subscriptions && !group.metadata &&
           !group.server_metadata;
}

}  // namespace

const NotifyGroup* Watch::selected() const noexcept {
    for (const NotifyGroup& group : groups_)
        if (is_selected(group)) return group.messages ? &group : nullptr;
    return nullptr;
}

bool Watch::of_account() const noexcept {
    return std::any_of(groups_.begin(), groups_.end(), [](const NotifyGroup& group) { return !is_selected(group); });
}

// RFC 5465, 6: the groups are asked in their order, and one with NONE ends the search.
bool Watch::wants(const std::string& mailbox, bool subscribed, bool NotifyGroup::*event) const {
    for (const NotifyGroup& group : groups_) {
        if (!matches(group, mailbox, subscribed)) continue;
        if (is_none(group)) return false;
        if (group.*event) return true;
    }
    return false;
}

bool Watch::wants_messages(const Known& before, const Known& now) const {
    if (before.mark.modseq == now.mark.modseq && before.mark.uidvalidity == now.mark.uidvalidity) return false;
    const bool counted = before.mark.uidnext != now.mark.uidnext || before.mark.messages != now.mark.messages ||
                         before.mark.uidvalidity != now.mark.uidvalidity;
    return wants(now.mark.name, now.subscribed, counted ? &NotifyGroup::messages : &NotifyGroup::flags);
}

Result<std::vector<Watch::News>> Watch::look(store::Account& account, std::string_view selected) {
    GK_TRY(auto marks, account.marks());
    GK_TRY(const auto subscriptions, account.subscriptions());
    if (marks.size() + subscriptions.size() > kMaxMailboxes)
        return fail(Errc::Unsupported, "there are too many mailboxes to watch them all");
    std::map<std::string, Known> now;
    for (auto& mark : marks) {
        std::string name = mark.name;
        now.emplace(std::move(name), Known{std::move(mark), true, false});
    }
    for (const std::string& name : subscriptions) {
        Known& known = now[name];
        known.mark.name = name;
        known.subscribed = true;
    }
    std::vector<News> news;
    if (!std::exchange(looked_, true)) {
        known_ = std::move(now);
        look_at_metadata(account, true, news);
        return news;
    }
    // A mailbox that went away and one that came with the same UIDVALIDITY are one that was renamed: we give none
    // twice.
    std::map<std::uint32_t, std::string> removed;
    for (const auto& [name, before] : known_) {
        const auto at = now.find(name);
        if (!before.exists || (at != now.end() && at->second.exists)) continue;
        if (before.mark.uidvalidity != 0) removed.emplace(before.mark.uidvalidity, name);
    }
    for (const auto& [name, known] : now) {
        const auto at = known_.find(name);
        const Known before = at != known_.end() ? at->second : Known{};
        if (known.exists && !before.exists) {
            const auto old = removed.find(known.mark.uidvalidity);
            const bool renamed = old != removed.end();
            if (wants(name, known.subscribed, &NotifyGroup::names) ||
                (renamed && wants(old->second, known.subscribed, &NotifyGroup::names)))
                news.push_back({renamed ? News::Kind::Renamed : News::Kind::Created, name,
                                renamed ? old->second : std::string(), true, known.subscribed});
            if (renamed) removed.erase(old);
        }
        if (known.exists && before.exists && name != selected && wants_messages(before, known))
            news.push_back({News::Kind::Messages, name});
        if (known.subscribed != before.subscribed && wants(name, true, &NotifyGroup::subscriptions))
            news.push_back({News::Kind::Subscription, name, "", known.exists, known.subscribed});
    }
    for (const auto& [name, before] : known_) {
        const auto at = now.find(name);
        const bool subscribed = at != now.end() && at->second.subscribed;
        const bool exists = at != now.end() && at->second.exists;
        const bool renamed = before.mark.uidvalidity != 0 && !removed.contains(before.mark.uidvalidity);
        if (before.exists && !exists && !renamed && wants(name, before.subscribed, &NotifyGroup::names))
            news.push_back({News::Kind::Removed, name, "", false, subscribed});
        // What was a name only, and is none any more.
        if (at == now.end() && before.subscribed && wants(name, true, &NotifyGroup::subscriptions))
            news.push_back({News::Kind::Subscription, name, "", false, false});
    }
    known_ = std::move(now);
    look_at_metadata(account, false, news);
    return news;
}

void Watch::look_at_metadata(store::Account& account, bool first, std::vector<News>& news) {
    const auto any = [this](bool NotifyGroup::*event) {
        return std::any_of(groups_.begin(), groups_.end(), [&](const NotifyGroup& group) { return group.*event; });
    };
    const auto look = [&](const std::string& mailbox) {
        const bool known = annotated_.contains(mailbox);
        Annotated& before = annotated_[mailbox];
        const std::uint64_t version = account.annotations_version(mailbox);
        if (version == before.version) return;
        const auto annotations = account.annotations(mailbox);
        if (!annotations) return;
        std::map<std::string, std::size_t> values;
        for (const auto& [name, value] : *annotations) values.emplace(name, std::hash<std::string>()(value));
        News changed{News::Kind::Metadata, mailbox};
        for (const auto& [name, value] : values)
            if (const auto at = before.values.find(name); at == before.values.end() || at->second != value)
                changed.entries.push_back(name);
        for (const auto& [name, value] : before.values)
            if (!values.contains(name)) changed.entries.push_back(name);
        before = {version, std::move(values)};
        if (!first && known && !changed.entries.empty()) news.push_back(std::move(changed));
    };
    if (any(&NotifyGroup::server_metadata)) look("");
    if (!any(&NotifyGroup::metadata)) return;
    for (const auto& [name, known] : known_)
        if (known.exists && wants(name, known.subscribed, &NotifyGroup::metadata)) look(name);
    std::erase_if(annotated_, [this](const auto& one) { return !one.first.empty() && !known_.contains(one.first); });
}

std::vector<std::string> Watch::watched(std::string_view selected) const {
    std::vector<std::string> names;
    for (const auto& [name, known] : known_)
        if (known.exists && name != selected && wants(name, known.subscribed, &NotifyGroup::messages))
            names.push_back(name);
    return names;
}

}  // namespace gk::imap
