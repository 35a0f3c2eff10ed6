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
constexpr std::string_view kRemoved = "..gk-removed.";  // in the home, or, in older versions, in the root

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

// What a crash left of mailboxes removed.
void sweep_removed(State& state) {
    for (const auto* directory : {&state.home, &state.root}) {
        const auto entries = os::list_directory(*directory);
        if (!entries) continue;
        for (const auto& entry : *entries)
            if (entry.is_directory && entry.name.starts_with(kRemoved))
                (void)os::remove_tree(*directory + '/' + entry.name);
    }
}

Result<std::set<std::string>> known_names(State& state) {
    GK_TRY(auto query, state.index.prepare("SELECT name FROM mailboxes ORDER BY name"));
    std::set<std::string> names;
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) return names;
        names.emplace_hint(names.end(), query.text(0));
    }
}

Result<std::set<std::string>> names_on_disk(State& state, const std::set<std::string>& known) {
    GK_TRY(const auto entries, os::list_directory(state.root));
    std::set<std::string> names{"INBOX"};
    for (const auto& entry : entries) {
        if (!entry.is_directory) continue;
        const auto name = maildir::name_of(entry.name);
        if (name && (known.contains(*name) || os::exists(state.root + '/' + entry.name + "/cur"))) names.insert(*name);
    }
    return names;
}

// Makes the directory and files of a new mailbox, durable, and its row.
Status make_mailbox(State& state, const std::string& name, std::string_view special_use) {
    const std::string path = state.path_of(name);
    const bool fresh = !os::exists(path + "/cur");
    TreeChange change(state);
    GK_CHECK(maildir::create_directories(path, name == "INBOX", !state.making));
    if (fresh) GK_CHECK(state.sync(state.root));
    GK_CHECK(change.done(fresh ? 1 : 0));
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

namespace {

// Brings the index into line with the directories that there are.
Status read_tree(State& state) {
    ++state.tree_reads;
    GK_TRY(const auto known, known_names(state));
    GK_TRY(const auto on_disk, names_on_disk(state, known));
    const bool same = known.size() == on_disk.size() && std::equal(known.begin(), known.end(), on_disk.begin());
    if (same) return ok();
    GK_TRY(auto transaction, WriteTransaction::begin(state));
    // Read again under the lock: another process may be making or renaming mailboxes.
    sweep_removed(state);
    GK_TRY(const auto now_known, known_names(state));
    GK_TRY(const auto now_on_disk, names_on_disk(state, now_known));
    for (const auto& name : now_known) {
        if (now_on_disk.contains(name)) continue;
        GK_TRY(const auto record, find_record(state, name));
        if (!record) continue;
        GK_CHECK(delete_messages(state, record->number));
        GK_TRY(auto remove, state.index.prepare("DELETE FROM mailboxes WHERE number = ?"));
        GK_CHECK(remove.bind(record->number).run());
    }
    for (const auto& name : now_on_disk) {
        if (now_known.contains(name)) continue;
        Record record;
        record.name = name;
        record.special_use = special_use_of(state.path_of(name));
        GK_CHECK(insert_record(state, record));
    }
    return transaction.commit();
}

}  // namespace

Status sync_tree(State& state) {
    const auto stamp = maildir::stamp_of(state.root);
    if (stamp.inode == 0) return fail(Errc::NotFound, fmt::format("'{}' does not exist", state.root));
    if (stamp == state.tree_stamp && state.tree_read_ns - stamp.mtime_ns > kTrustedAgeNs) return ok();
    const auto started = now_ns();
    const bool old = started - stamp.mtime_ns > kTrustedAgeNs;
    auto now = tree_stamp_now(state);
    GK_TRY(const auto known, load_tree_stamp(state));
    // A foreign change in the same instant as our own is looked for once, by the next that opens the account.
    if (known.fits(now) && known.trust != kTooYoung && (known.trust == kTrusted || state.tree_seen || !old)) {
        state.tree_seen = true;
        return ok();
    }
    GK_CHECK(read_tree(state));
    state.tree_stamp = stamp;
    state.tree_read_ns = started;
    state.tree_seen = true;
    now.trust = old ? kTrusted : kTooYoung;
    // What cannot be remembered is only looked for again.
    if (!known.fits(now) || known.trust != now.trust) (void)save_tree_stamp(state, now);
    return ok();
}

Result<Record> get_mailbox(State& state, std::string_view name) {
    GK_CHECK(sync_tree(state));
    GK_TRY(auto record, find_record(state, canonical_name(name)));
    if (!record) return fail(Errc::NotFound, fmt::format("there is no mailbox '{}'", text::printable(name)));
    if (record->uidvalidity == 0) GK_CHECK(refresh(state, *record, false));
    return std::move(*record);
}

Result<std::vector<MailboxEntry>> Account::list(std::string_view prefix) {
    State& s = *state_;
    const Locked lock(s);
    GK_CHECK(sync_tree(s));
    GK_TRY(const auto subscribed, read_subscriptions(s));
    // No UTF-8 has the byte 0xff.
    GK_TRY(auto query,
           s.index.prepare("SELECT name, special_use FROM mailboxes WHERE name >= ? AND name < ? ORDER BY name"));
    query.bind(prefix).bind(std::string(prefix) + '\xff');
    std::vector<MailboxEntry> entries;
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) break;
        entries.push_back({std::string(query.text(0)), true, false, false, std::string(query.text(1))});
    }
    const auto lower = [&](std::string_view name) {
        return std::lower_bound(entries.begin(), entries.end(), name,
                                [](const MailboxEntry& entry, std::string_view n) { return entry.name < n; });
    };
    std::set<std::string, std::less<>> missing;
    for (const auto& entry : entries) {
        std::string_view superior = entry.name;
        for (auto slash = superior.rfind('/'); slash != std::string_view::npos && slash > 0;
             slash = superior.rfind('/')) {
            superior = superior.substr(0, slash);
            if (!superior.starts_with(prefix)) break;
            const auto at = lower(superior);
            // One that is there, or was met before, has told of those above it itself.
            if ((at != entries.end() && at->name == superior) || !missing.emplace(superior).second) break;
        }
    }
    for (const auto& name : missing) entries.push_back({name, false, true, false, ""});
    if (!missing.empty())
        std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    for (auto& entry : entries) {
        const auto next = lower(entry.name + '/');
        entry.has_children = next != entries.end() && is_below(next->name, entry.name);
        entry.subscribed = std::binary_search(subscribed.begin(), subscribed.end(), entry.name);
    }
    const auto inbox = lower("INBOX");
    if (inbox != entries.end() && inbox->name == "INBOX") std::rotate(entries.begin(), inbox, inbox + 1);
    return entries;
}

Result<MailboxEntry> Account::find(std::string_view mailbox) {
    State& s = *state_;
    const std::string wanted = canonical_name(mailbox);
    const Locked lock(s);
    GK_CHECK(sync_tree(s));
    GK_TRY(const auto record, find_record(s, wanted));
    GK_TRY(auto below, s.index.prepare("SELECT 1 FROM mailboxes WHERE name > ? AND name < ? LIMIT 1"));
    below.bind(wanted + '/').bind(wanted + '0');  // what follows "/" in ASCII
    GK_TRY(const bool has_children, below.step());
    below.reset();
    if (!record && !has_children)
        return fail(Errc::NotFound, fmt::format("there is no mailbox '{}'", text::printable(mailbox)));
    GK_TRY(const auto subscribed, read_subscriptions(s));
    return MailboxEntry{wanted, record.has_value(), has_children,
                        std::binary_search(subscribed.begin(), subscribed.end(), wanted),
                        record ? record->special_use : std::string()};
}

namespace {

Result<std::string> one_name(State& state, std::string_view sql, std::string_view wanted) {
    const Locked lock(state);
    GK_CHECK(sync_tree(state));
    GK_TRY(auto query, state.index.prepare(sql));
    query.bind(wanted);
    GK_TRY(const bool row, query.step());
    std::string name(row ? query.text(0) : std::string_view());
    query.reset();
    return name;
}

}  // namespace

Result<std::string> Account::find_special_use(std::string_view special_use) {
    return one_name(*state_,
                    "SELECT name FROM mailboxes WHERE special_use = ? AND special_use != '' ORDER BY name LIMIT 1",
                    special_use);
}

Result<std::string> Account::find_any_case(std::string_view mailbox) {
    return one_name(*state_, "SELECT name FROM mailboxes WHERE name = ? COLLATE NOCASE ORDER BY name LIMIT 1", mailbox);
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
    s.changes.push_back({name, 1});
    return transaction.commit();
}

Result<std::vector<MailboxMark>> Account::marks() {
    State& s = *state_;
    const Locked lock(s);
    GK_CHECK(sync_tree(s));
    GK_TRY(auto query,
           s.index.prepare("SELECT name, uidvalidity, uidnext, modseq, messages FROM mailboxes ORDER BY name"));
    std::vector<MailboxMark> marks;
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) return marks;
        MailboxMark mark;
        mark.name = query.text(0);
        mark.uidvalidity = static_cast<std::uint32_t>(query.integer(1));
        mark.uidnext = static_cast<Uid>(query.integer(2));
        mark.modseq = static_cast<ModSeq>(query.integer(3));
        mark.messages = static_cast<std::uint32_t>(query.integer(4));
        marks.push_back(std::move(mark));
    }
}

Status Account::remove(std::string_view mailbox) {
    State& s = *state_;
    const std::string name = canonical_name(mailbox);
    if (name == "INBOX") return fail(Errc::Denied, "INBOX cannot be deleted");
    const Locked lock(s);
    GK_TRY(auto record, get_mailbox(s, name));
    // Out of the root, which then changes once.
    const std::string trash = fmt::format("{}/{}{}", s.home, kRemoved, new_id());
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
        TreeChange change(s);
        GK_CHECK(os::rename(path, trash));
        GK_CHECK(change.done(-1));
        if (const auto committed = transaction.commit(); !committed) {
            (void)os::rename(trash, path);
            return committed;
        }
        note_change(s, record);
    }
    GK_CHECK(os::sync_directory(s.root));
    GK_CHECK(os::sync_directory(s.home));
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
    GK_TRY(const auto there, records_below(s, target));
    for (const auto& record : there)
        if (record.name == target || !is_below(record.name, source))
            return fail(Errc::Exists, fmt::format("mailbox '{}' exists", record.name));
    GK_TRY(auto moved, records_below(s, source));
    if (moved.empty()) return fail(Errc::NotFound, fmt::format("there is no mailbox '{}'", text::printable(source)));
    TreeChange change(s);
    const Directory root(s.root);
    Renames renames(root);
    for (auto& record : moved) {
        std::string name = target + record.name.substr(source.size());
        GK_CHECK(check_name(name));
        GK_CHECK(renames.rename(maildir::directory_of(record.name), maildir::directory_of(name)));
        record.name = std::move(name);
        GK_CHECK(save_record(s, record));
        note_change(s, record);
    }
    GK_CHECK(change.done());
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
    state.changes.push_back({name, 0});
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
