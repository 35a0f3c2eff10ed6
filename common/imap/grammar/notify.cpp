// SPDX-License-Identifier: MIT
#include "common/imap/grammar/parser.hpp"
#include "common/imap/grammar/rules.hpp"

namespace gk::imap {

namespace {

using Filter = NotifyGroup::Filter;

constexpr std::size_t kMaxGroups = 100;
constexpr std::size_t kMaxNames = 10'000;

// filter-mailboxes = "SELECTED" / "SELECTED-DELAYED" / "INBOXES" / "PERSONAL" / "SUBSCRIBED" /
//                    ("SUBTREE" / "MAILBOXES") SP (mailbox / "(" mailbox *(SP mailbox) ")")
void filter(Scanner& in, NotifyGroup& group) {
    static constexpr std::pair<std::string_view, Filter> kFilters[] = {
        {"SELECTED", Filter::Selected},     {"SELECTED-DELAYED", Filter::SelectedDelayed},
        {"INBOXES", Filter::Inboxes},       {"PERSONAL", Filter::Personal},
        {"SUBSCRIBED", Filter::Subscribed}, {"SUBTREE", Filter::Subtree},
        {"MAILBOXES", Filter::Mailboxes}};
    const std::string name = in.word();
    const auto* known =
        std::find_if(std::begin(kFilters), std::end(kFilters), [&](const auto& one) { return one.first == name; });
    if (known == std::end(kFilters)) return in.fail("an unknown set of mailboxes");
    group.filter = known->second;
    if (group.filter != Filter::Subtree && group.filter != Filter::Mailboxes) return;
    in.space();
    if (!in.accept('(')) {
        group.mailboxes.push_back(in.mailbox());
        return;
    }
    do {
        group.mailboxes.push_back(in.mailbox());
        if (group.mailboxes.size() > kMaxNames) in.fail("too many mailboxes");
    } while (in.accept(' '));
    in.expect(')');
}

// events = "(" event *(SP event) ")" / "NONE"
void events(Scanner& in, Notify& notify, NotifyGroup& group) {
    if (in.accept_word("NONE")) return;
    const bool selected = group.filter == Filter::Selected || group.filter == Filter::SelectedDelayed;
    bool fresh = false, expunged = false, others = false;
    in.expect('(');
    do {
        std::string name = in.word();
        if (name == "MESSAGENEW") {
            fresh = true;
            if (!in.accept(' ')) continue;
            if (!in.next_is('(')) {
                name = in.word();  // the space was that between two events
            } else {
                if (!selected) in.fail("only of the selected mailbox can messages be fetched");
                group.fetch = fetch_items(in);
                continue;
            }
        }
        if (name == "MESSAGENEW") fresh = true;
        else if (name == "MESSAGEEXPUNGE") expunged = true;
        else if (name == "FLAGCHANGE") group.flags = true;
        else if (name == "MAILBOXNAME") group.names = others = true;
        else if (name == "SUBSCRIPTIONCHANGE") group.subscriptions = others = true;
        else if (name == "MAILBOXMETADATACHANGE") group.metadata = others = true;
        else if (name == "SERVERMETADATACHANGE") group.server_metadata = others = true;
        else if (!name.empty()) notify.unknown = std::move(name);
    } while (in.accept(' '));
    in.expect(')');
    // RFC 5465, 5: what is told of messages makes no sense by halves.
    if (fresh != expunged || (group.flags && !fresh))
        in.fail("MessageNew and MessageExpunge come together, and FlagChange only with both");
    if (selected && others) in.fail("of the selected mailbox only events of messages can be told");
    group.messages = fresh;
}

}  // namespace

// notify = "NOTIFY" SP ("NONE" / "SET" [SP "STATUS"] 1*(SP "(" filter-mailboxes SP events ")")); RFC 5465, 8
Notify notify_command(Scanner& in) {
    Notify notify;
    in.space();
    if (in.accept_word("NONE")) return notify;
    if (!in.accept_word("SET")) in.fail("SET or NONE expected");
    in.space();
    notify.status = in.accept_word("STATUS");
    if (notify.status) in.space();
    bool selected = false;
    do {
        NotifyGroup group;
        in.expect('(');
        filter(in, group);
        in.space();
        events(in, notify, group);
        in.expect(')');
        if (group.filter == Filter::Selected || group.filter == Filter::SelectedDelayed)
            if (std::exchange(selected, true)) in.fail("the selected mailbox is named twice");
        notify.groups.push_back(std::move(group));
        if (notify.groups.size() > kMaxGroups) in.fail("too many groups");
    } while (in.accept(' '));
    return notify;
}

}  // namespace gk::imap
