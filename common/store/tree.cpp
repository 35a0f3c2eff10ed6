// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <algorithm>
#include <map>
#include <set>

#include "common/base/ids.hpp"
#include "common/base/text.hpp"
#include "common/maildir/layout.hpp"
#include "common/maildir/name.hpp"
#include "common/maildir/state.hpp"
#include "common/maildir/texts.hpp"
#include "common/os/file.hpp"
#include "common/store/mailbox.hpp"
#include "common/store/state.hpp"

namespace gk::store {

namespace {

constexpr std::int64_t kTrustedAgeNs = 2'000'000'000;
constexpr std::string_view kRemoved = "..gk-removed.";  // no mailbox name leads to it

std::string special_use_of(const std::string& path) {
    const auto bytes = os::read_file(path + "/gk-state");
    return bytes ? maildir::parse_state(*bytes).special_use : std::string();
}

Result<std::vector<std::string>> read_subscriptions(State& state) {
    const auto bytes = os::read_file(state.root + "/subscriptions");
    if (bytes) return maildir::parse_subscriptions(*bytes);
    if (bytes.error().code == Errc::NotFound) return std::vector<std::string>();
    return fail(bytes.error());
}

Status write_subscriptions(State& state, const std::vector<std::string>& names) {
    return state.replace(state.root + "/subscriptions", maildir::format_subscriptions(names));
}

Result<std::set<std::string>> names_on_disk(State& state) {
    GK_TRY(const auto entries, os::list_directory(state.root));
    std::set<std::string> names{"INBOX"};
    for (const auto& entry : entries) {
        if (!entry.is_directory) continue;
        if (entry.name.starts_with(kRemoved)) {  // what a crash left of a mailbox removed
            (void)os::remove_tree(state.root + '/' + entry.name);
            continue;
        }
        const auto name = maildir::name_of(entry.name);
        if (name && os::exists(state.root + '/' + entry.name + "/cur")) names.insert(*name);
    }
    return names;
}

// Makes the directory and files of a new mailbox, durable, and its row.
Status make_mailbox(State& state, const std::string& name, std::string_view special_use) {
    const std::string path = state.path_of(name);
    const bool fresh = !os::exists(path + "/cur");
    GK_CHECK(maildir::create_directories(path, name == "INBOX", !state.making));
    if (fresh) GK_CHECK(state.sync(state.root));
    GK_TRY(auto record, find_record(state, name));
    if (!record) {
        record.emplace();
        record->name = name;
        record->special_use = special_use.empty() ? special_use_of(path) : std::string(special_use);
        GK_CHECK(insert_record(state, *record));
    }
    const bool anew = record->uidvalidity == 0;
    GK_CHECK(reconcile_mailbox(state, *record, anew));
    if (!special_use.empty()) record->special_use = special_use;
    GK_CHECK(write_state(state, *record));
    return save_record(state, *record);
}

bool is_below(std::string_view name, std::string_view superior) {
    return name.size() > superior.size() && name.starts_with(superior) && name[superior.size()] == '/';
}

Status move_inbox(const std::shared_ptr<Account>& account, std::string_view to) {
    GK_CHECK(account->create(to));
    GK_TRY(auto inbox, account->mailbox("INBOX"));
    GK_TRY(const auto all, inbox.snapshot(false));
    std::vector<Uid> uids;
    for (const auto& row : all.rows) uids.push_back(row.uid);
    if (uids.empty()) return ok();
    GK_TRY(const auto moved, inbox.move(uids, to));
    return ok();
}

}  // namespace

Status sync_tree(State& state) {
    const auto stamp = maildir::stamp_of(state.root);
    if (stamp.inode == 0) return fail(Errc::NotFound, fmt::format("'{}' does not exist", state.root));
    if (stamp == state.tree_stamp && state.tree_read_ns - stamp.mtime_ns > kTrustedAgeNs) return ok();
    const auto started = now_ns();
    GK_TRY(const auto on_disk, names_on_disk(state));
    const auto differs = [&]() -> Result<bool> {
        GK_TRY(const auto records, all_records(state));
        return records.size() != on_disk.size() ||
               std::any_of(records.begin(), records.end(), [&](const Record& r) { return !on_disk.contains(r.name); });
    };
    GK_TRY(const bool changed, differs());
    if (changed) {
        GK_TRY(auto transaction, WriteTransaction::begin(state));
        // Read again under the lock: another process may be making or renaming mailboxes.
        GK_TRY(const auto now_on_disk, names_on_disk(state));
        GK_TRY(const auto records, all_records(state));
        std::set<std::string> known;
        for (const auto& record : records) {
            known.insert(record.name);
            if (now_on_disk.contains(record.name)) continue;
            GK_CHECK(delete_messages(state, record.number));
            GK_TRY(auto remove, state.index.prepare("DELETE FROM mailboxes WHERE number = ?"));
            GK_CHECK(remove.bind(record.number).run());
        }
        for (const auto& name : now_on_disk) {
            if (known.contains(name)) continue;
            Record record;
            record.name = name;
            record.special_use = special_use_of(state.path_of(name));
            GK_CHECK(insert_record(state, record));
        }
        GK_CHECK(transaction.commit());
    }
    state.tree_stamp = stamp;
    state.tree_read_ns = started;
    return ok();
}

Result<Record> get_mailbox(State& state, std::string_view name) {
    GK_CHECK(sync_tree(state));
    GK_TRY(auto record, find_record(state, canonical_name(name)));
    if (!record) return fail(Errc::NotFound, fmt::format("there is no mailbox '{}'", text::printable(name)));
    if (record->uidvalidity == 0) GK_CHECK(refresh(state, *record, false));
    return std::move(*record);
}

Result<std::vector<MailboxEntry>> Account::list() {
    State& s = *state_;
    const Locked lock(s);
    GK_CHECK(sync_tree(s));
    GK_TRY(const auto records, all_records(s));
    GK_TRY(const auto subscribed, read_subscriptions(s));
    std::map<std::string, MailboxEntry> entries;
    for (const auto& record : records) {
        entries[record.name] = {record.name, true, false, false, record.special_use};
        for (auto slash = record.name.rfind('/'); slash != std::string::npos && slash > 0;
             slash = record.name.rfind('/', slash - 1)) {
            auto& superior = entries[record.name.substr(0, slash)];
            if (superior.name.empty()) superior = {record.name.substr(0, slash), false, true, false, ""};
            superior.has_children = true;
        }
    }
    // A superior met before its own record was overwritten above: ask again.
    for (auto& [name, entry] : entries) {
        const auto next = entries.lower_bound(name + '/');
        entry.has_children = next != entries.end() && is_below(next->first, name);
        entry.subscribed = std::binary_search(subscribed.begin(), subscribed.end(), name);
    }
    std::vector<MailboxEntry> out;
    if (const auto inbox = entries.find("INBOX"); inbox != entries.end()) {
        out.push_back(inbox->second);
        entries.erase(inbox);
    }
    for (auto& [name, entry] : entries) out.push_back(std::move(entry));
    return out;
}

Result<MailboxEntry> Account::find(std::string_view mailbox) {
    const std::string wanted = canonical_name(mailbox);
    GK_TRY(auto entries, list());
    for (auto& entry : entries)
        if (entry.name == wanted) return std::move(entry);
    return fail(Errc::NotFound, fmt::format("there is no mailbox '{}'", text::printable(mailbox)));
}

Status Account::create(std::string_view mailbox, std::string_view special_use) {
    State& s = *state_;
    const std::string name = canonical_name(mailbox);
    GK_CHECK(check_name(name));
    const Locked lock(s);
    GK_CHECK(sync_tree(s));
    GK_TRY(auto transaction, WriteTransaction::begin(s));
    GK_TRY(const auto record, find_record(s, name));
    if (record) return fail(Errc::Exists, fmt::format("mailbox '{}' exists", name));
    GK_CHECK(make_mailbox(s, name, special_use));
    return transaction.commit();
}

Status Account::remove(std::string_view mailbox) {
    State& s = *state_;
    const std::string name = canonical_name(mailbox);
    if (name == "INBOX") return fail(Errc::Denied, "INBOX cannot be deleted");
    const Locked lock(s);
    GK_TRY(auto record, get_mailbox(s, name));
    const std::string trash = fmt::format("{}/{}{}", s.root, kRemoved, new_id());
    {
        GK_TRY(auto transaction, WriteTransaction::begin(s));
        GK_CHECK(delete_messages(s, record.number));
        GK_TRY(auto erase, s.index.prepare("DELETE FROM mailboxes WHERE number = ?"));
        GK_CHECK(erase.bind(record.number).run());
        // A later mailbox of this name must not have its UIDVALIDITY.
        GK_TRY(auto save, s.index.prepare("INSERT OR REPLACE INTO account(key, value) VALUES('uidvalidity', max(?, "
                                          "coalesce((SELECT value FROM account WHERE key = 'uidvalidity'), 0)))"));
        GK_CHECK(save.bind(static_cast<std::int64_t>(record.uidvalidity)).run());
        const std::string path = s.path_of(name);
        GK_CHECK(os::rename(path, trash));
        if (const auto committed = transaction.commit(); !committed) {
            (void)os::rename(trash, path);
            return committed;
        }
        note_change(s, record);
    }
    GK_CHECK(os::sync_directory(s.root));
    return os::remove_tree(trash);
}

Status Account::rename(std::string_view from, std::string_view to) {
    State& s = *state_;
    const std::string source = canonical_name(from), target = canonical_name(to);
    GK_CHECK(check_name(target));
    if (source == "INBOX") return move_inbox(shared_from_this(), target);
    if (is_below(target, source)) return fail(Errc::BadInput, "a mailbox cannot be moved below itself");
    const Locked lock(s);
    GK_CHECK(sync_tree(s));
    GK_TRY(auto transaction, WriteTransaction::begin(s));
    GK_TRY(const auto records, all_records(s));
    std::vector<Record> moved;
    for (const auto& record : records) {
        if (record.name == target || (is_below(record.name, target) && !is_below(record.name, source)))
            return fail(Errc::Exists, fmt::format("mailbox '{}' exists", record.name));
        if (record.name == source || is_below(record.name, source)) moved.push_back(record);
    }
    if (moved.empty()) return fail(Errc::NotFound, fmt::format("there is no mailbox '{}'", text::printable(source)));
    Renames renames(s.root);
    for (auto& record : moved) {
        std::string name = target + record.name.substr(source.size());
        GK_CHECK(check_name(name));
        GK_CHECK(renames.rename(maildir::directory_of(record.name), maildir::directory_of(name)));
        record.name = std::move(name);
        GK_CHECK(save_record(s, record));
        note_change(s, record);
    }
    GK_CHECK(transaction.commit());
    renames.keep();
    return os::sync_directory(s.root);
}

Status Account::set_special_use(std::string_view mailbox, std::string_view special_use) {
    State& s = *state_;
    const Locked lock(s);
    GK_TRY(auto record, get_mailbox(s, mailbox));
    GK_TRY(auto transaction, WriteTransaction::begin(s));
    GK_TRY(record, get_record(s, record.number, record.uidvalidity));
    record.special_use = special_use;
    GK_CHECK(write_state(s, record));
    GK_CHECK(save_record(s, record));
    return transaction.commit();
}

namespace {

Status change_subscription(State& state, std::string_view mailbox, bool wanted) {
    const std::string name = canonical_name(mailbox);
    if (wanted) GK_CHECK(check_name(name));
    const Locked lock(state);
    // The index's write lock also keeps two processes from overwriting each other's list.
    GK_TRY(auto transaction, WriteTransaction::begin(state));
    GK_TRY(auto names, read_subscriptions(state));
    const auto at = std::lower_bound(names.begin(), names.end(), name);
    const bool there = at != names.end() && *at == name;
    if (there == wanted) return ok();
    if (wanted) names.insert(at, name);
    else names.erase(at);
    GK_CHECK(write_subscriptions(state, names));
    return transaction.commit();
}

}  // namespace

Status Account::subscribe_defaults() {
    const Locked lock(*state_);
    GK_TRY(auto transaction, WriteTransaction::begin(*state_));
    GK_TRY(auto names, read_subscriptions(*state_));
    names.emplace_back("INBOX");
    for (const auto& [name, special_use] : default_mailboxes()) names.emplace_back(name);
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    GK_CHECK(write_subscriptions(*state_, names));
    return transaction.commit();
}

Status Account::subscribe(std::string_view mailbox) { return change_subscription(*state_, mailbox, true); }
Status Account::unsubscribe(std::string_view mailbox) { return change_subscription(*state_, mailbox, false); }

Result<std::vector<std::string>> Account::subscriptions() {
    const Locked lock(*state_);
    return read_subscriptions(*state_);
}

}  // namespace gk::store
