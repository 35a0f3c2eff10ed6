// SPDX-License-Identifier: MIT
#include "common/imap/grammar/rules.hpp"

namespace gk::imap {

namespace {

constexpr std::size_t kMaxPatterns = 100;

// list-select-opts, RFC 9051, 9; RFC 6154, 3
void select_options(Scanner& in, List& list) {
    list.extended = true;
    in.expect('(');
    if (!in.accept(')')) {
        do {
            if (in.accept_word("SUBSCRIBED")) list.select_subscribed = true;
            else if (in.accept_word("REMOTE")) continue;  // there are no remote mailboxes: nothing more to show
            else if (in.accept_word("RECURSIVEMATCH")) list.select_recursive_match = true;
            else if (in.accept_word("SPECIAL-USE")) list.select_special_use = true;
            else in.fail("an unknown LIST selection option");
        } while (in.accept(' '));
        in.expect(')');
    }
    // RFC 5258, 3: RECURSIVEMATCH says something only about another option.
    if (list.select_recursive_match && !list.select_subscribed && !list.select_special_use)
        in.fail("RECURSIVEMATCH needs another selection option");
    in.space();
}

// list-return-opts
void return_options(Scanner& in, List& list) {
    list.extended = true;
    in.space();
    in.expect('(');
    if (in.accept(')')) return;
    do {
        if (in.accept_word("SUBSCRIBED")) list.return_subscribed = true;
        else if (in.accept_word("CHILDREN")) list.return_children = true;
        else if (in.accept_word("SPECIAL-USE")) list.return_special_use = true;
        else if (in.accept_word("STATUS")) {  // RFC 5819
            in.space();
            list.return_status = status_items(in);
        } else if (in.accept_word("METADATA")) {  // RFC 9590
            in.space();
            list.return_metadata = metadata_entries(in);
        } else {
            in.fail("an unknown LIST return option");
        }
    } while (in.accept(' '));
    in.expect(')');
}

}  // namespace

// list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP "RETURN" SP "(" … ")"]; RFC 9051, 6.3.9
List list_command(Scanner& in) {
    List list;
    in.space();
    if (in.next_is('(')) select_options(in, list);
    list.reference = in.astring();
    in.space();
    if (in.accept('(')) {
        list.extended = true;
        do {
            list.patterns.push_back(in.list_mailbox());
            if (list.patterns.size() > kMaxPatterns) in.fail("too many patterns");
        } while (in.accept(' '));
        in.expect(')');
    } else {
        list.patterns.push_back(in.list_mailbox());
    }
    if (in.accept(' ')) {
        if (in.accept_word("RETURN")) return_options(in, list);
        else in.fail("RETURN expected after the pattern");
    }
    return list;
}

// lsub = "LSUB" SP mailbox SP list-mailbox; RFC 3501, 6.3.9
List lsub_command(Scanner& in) {
    List list;
    list.lsub = true;
    in.space();
    list.reference = in.astring();
    in.space();
    list.patterns.push_back(in.list_mailbox());
    return list;
}

// create = "CREATE" SP mailbox [SP "(" create-param *(SP create-param) ")"]; create-param =/ "USE" SP "(" [use-attr
// *(SP use-attr)] ")"; RFC 9051, 9; RFC 6154, 6
Create create_command(Scanner& in) {
    constexpr std::size_t kMostUses = 20;
    Create create;
    in.space();
    create.mailbox = in.mailbox();
    if (!in.accept(' ')) return create;
    in.expect('(');
    if (!in.accept_word("USE")) in.fail("an unknown parameter of CREATE");
    in.space();
    in.expect('(');
    if (!in.accept(')')) {
        do {
            in.expect('\\');
            create.uses.push_back('\\' + in.atom());
            if (create.uses.size() > kMostUses) in.fail("too many special uses");
        } while (in.accept(' '));
        in.expect(')');
    }
    in.expect(')');
    return create;
}

// "(" status-att *(SP status-att) ")"
std::vector<StatusItem> status_items(Scanner& in) {
    static constexpr std::pair<std::string_view, StatusItem> kItems[] = {
        {"MESSAGES", StatusItem::Messages},
        {"RECENT", StatusItem::Recent},
        {"UIDNEXT", StatusItem::UidNext},
        {"UIDVALIDITY", StatusItem::UidValidity},
        {"UNSEEN", StatusItem::Unseen},
        {"DELETED", StatusItem::Deleted},
        {"DELETED-STORAGE", StatusItem::DeletedStorage},
        {"SIZE", StatusItem::Size},
        {"HIGHESTMODSEQ", StatusItem::HighestModSeq},
        {"APPENDLIMIT", StatusItem::AppendLimit},
        {"MAILBOXID", StatusItem::MailboxId}};
    std::vector<StatusItem> items;
    in.expect('(');
    do {
        const std::string name = in.word();
        bool known = false;
        for (const auto& [word, item] : kItems) {
            if (name != word) continue;
            known = true;
            if (std::find(items.begin(), items.end(), item) == items.end()) items.push_back(item);
        }
        if (!known) in.fail("an unknown STATUS item");
    } while (in.accept(' '));
    in.expect(')');
    return items;
}

}  // namespace gk::imap
