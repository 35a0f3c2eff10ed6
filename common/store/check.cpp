// SPDX-License-Identifier: MIT
#include "common/store/check.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "common/base/text.hpp"
#include "common/maildir/layout.hpp"
#include "common/maildir/name.hpp"
#include "common/maildir/state.hpp"
#include "common/maildir/uidlist.hpp"
#include "common/os/file.hpp"
#include "common/store/outline.hpp"
#include "common/store/state.hpp"

namespace gk::store {

namespace {

constexpr std::int64_t kStaleTmpS = 36 * 3600;  // the Maildir convention's age for what a delivery left behind

using Found = std::function<void(const Finding&)>;

class MailboxCheck {
public:
    MailboxCheck(State& state, const Record& record, bool files, const Found& found)
        : state_(state), record_(record), files_(files), found_(found), path_(state.path_of(record.name)) {}

    Status run();

private:
    void tell(const char* kind, std::string text, bool mends = true) {
        found_({record_.name, kind, std::move(text), mends});
    }
    Status load_rows();
    Status check_files();
    void check_size(const StoredRow& stored, const maildir::FileName& name);
    Status check_uidlist();
    Status check_keywords();
    void check_counters();
    void check_ceilings();
    void check_tmp();

    State& state_;
    const Record& record_;
    bool files_;
    const Found& found_;
    std::string path_;
    std::vector<StoredRow> rows_;
    std::unordered_map<std::string_view, const StoredRow*> by_base_;
};

Status MailboxCheck::load_rows() {
    GK_TRY(auto query, state_.index.prepare(
                           "SELECT key, modseq, flags, keywords, size, file FROM messages WHERE key BETWEEN ? AND ?"));
    query.bind(row_key(record_.number, 0)).bind(row_key(record_.number, 0xffffffff));
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) break;
        StoredRow stored;
        stored.row.uid = static_cast<Uid>(query.integer(0) & 0xffffffff);
        stored.row.modseq = static_cast<ModSeq>(query.integer(1));
        stored.row.flags = static_cast<Flags>(query.integer(2));
        stored.row.keywords = static_cast<KeywordMask>(query.integer(3));
        stored.row.size = static_cast<std::uint64_t>(query.integer(4));
        stored.file = query.text(5);
        rows_.push_back(std::move(stored));
    }
    for (const auto& stored : rows_) by_base_.emplace(base_of_file(stored.file), &stored);
    return ok();
}

void MailboxCheck::check_size(const StoredRow& stored, const maildir::FileName& name) {
    struct stat status {};
    const std::string file = path_ + '/' + stored.file;
    if (::stat(file.c_str(), &status) != 0) return;
    const auto bytes = static_cast<std::uint64_t>(status.st_size);
    if (name.size && *name.size != bytes)
        tell("size",
             fmt::format("message {} has {} bytes, its name '{}' says {}", stored.row.uid, bytes, stored.file,
                         *name.size),
             false);
    if (stored.row.size < bytes || stored.row.size / 2 > bytes)
        tell("size",
             fmt::format("message {} has {} bytes, which cannot be {} octets", stored.row.uid, bytes, stored.row.size));
}

Status MailboxCheck::check_files() {
    maildir::Listing listing;
    GK_CHECK(listing.read(path_ + "/cur", false));
    GK_CHECK(listing.read(path_ + "/new", true));
    std::set<std::string_view> seen;
    for (std::size_t i = 0; i < listing.size(); ++i) {
        const std::string file = (listing.is_new(i) ? "new/" : "cur/") + std::string(listing.name(i));
        if (!seen.insert(listing.base(i)).second) {
            tell("twice", fmt::format("'{}' is the same message as another file", file), false);
            continue;
        }
        const auto at = by_base_.find(listing.base(i));
        if (at == by_base_.end()) {
            tell("unknown-file", fmt::format("'{}' is not in the index", file));
            continue;
        }
        const StoredRow& stored = *at->second;
        const auto name = maildir::parse_name(listing.name(i));
        const auto letters = maildir::parse_letters(name ? name->letters : std::string_view());
        if (letters.flags != stored.row.flags ||
            letters.keywords != static_cast<std::uint32_t>(stored.row.keywords & kLetterKeywords))
            tell("flags",
                 fmt::format("message {}: the index and its name '{}' disagree on flags", stored.row.uid, file));
        if (files_ && name) check_size(stored, *name);
    }
    for (const auto& stored : rows_)
        if (!seen.contains(base_of_file(stored.file)))
            tell("missing-file", fmt::format("message {}: '{}' is gone", stored.row.uid, stored.file));
    if (listing.ignored() != 0)
        tell("ignored-file",
             fmt::format("{} names in cur/ and new/ are no messages and are passed over", listing.ignored()), false);
    return ok();
}

Status MailboxCheck::check_uidlist() {
    const auto bytes = os::read_file(path_ + "/dovecot-uidlist", std::uint64_t{1} << 30);
    if (!bytes) {
        if (bytes.error().code != Errc::NotFound) return fail(bytes.error());
        tell("no-uidlist", "there is no dovecot-uidlist");
        return ok();
    }
    const auto list = maildir::parse_uidlist(*bytes);
    if (!list) {
        tell("damaged-uidlist", list.error().text);
        return ok();
    }
    if (list->damaged) tell("damaged-uidlist", "lines of dovecot-uidlist are torn, malformed or out of order");
    if (list->validity != record_.uidvalidity) {
        tell("uidvalidity", fmt::format("UIDVALIDITY is {} in dovecot-uidlist and {} in the index", list->validity,
                                        record_.uidvalidity));
        return ok();
    }
    std::unordered_map<std::string_view, Uid> listed;
    for (const auto& entry : list->entries) listed.emplace(entry.name, entry.uid);
    for (const auto& stored : rows_) {
        const auto at = listed.find(base_of_file(stored.file));
        if (at == listed.end()) tell("unlisted", fmt::format("message {} is not in dovecot-uidlist", stored.row.uid));
        else if (at->second != stored.row.uid)
            tell("uid", fmt::format("message {} has UID {} in dovecot-uidlist", stored.row.uid, at->second));
    }
    return ok();
}

Status MailboxCheck::check_keywords() {
    KeywordMask used = 0;
    for (const auto& stored : rows_) used |= stored.row.keywords;
    GK_TRY(const auto names, load_keywords(state_, record_.number));
    for (unsigned bit = 0; bit < kMaxKeywords; ++bit)
        if ((used >> bit & 1) != 0 && names[bit].empty())
            tell("keyword-name", fmt::format("messages have keyword {}, which has no name", bit));
    return ok();
}

void MailboxCheck::check_counters() {
    Record counted;
    for (const auto& stored : rows_) {
        ++counted.messages;
        counted.bytes += stored.row.size;
        if ((stored.row.flags & kSeen) == 0) ++counted.unseen;
        if ((stored.row.flags & kDeleted) != 0) ++counted.deleted;
    }
    if (counted.messages != record_.messages || counted.unseen != record_.unseen ||
        counted.deleted != record_.deleted || counted.bytes != record_.bytes)
        tell("counters", fmt::format("counted {} messages, {} unseen, {} deleted, {} octets; kept {}, {}, {}, {}",
                                     counted.messages, counted.unseen, counted.deleted, counted.bytes, record_.messages,
                                     record_.unseen, record_.deleted, record_.bytes));
}

void MailboxCheck::check_ceilings() {
    const auto bytes = os::read_file(path_ + "/gk-state");
    const auto file = maildir::parse_state(bytes ? *bytes : std::string());
    const Uid last = rows_.empty() ? 0 : rows_.back().row.uid;
    ModSeq modseq = 0;
    for (const auto& stored : rows_) modseq = std::max(modseq, stored.row.modseq);
    if (last >= record_.uidnext || modseq > record_.modseq)
        tell("ceiling", fmt::format("UID {} and mod-sequence {} are given out, but {} and {} come next", last, modseq,
                                    record_.uidnext, record_.modseq));
    if (record_.uidnext > file.uid_ceiling || record_.modseq >= file.modseq_ceiling)
        tell("ceiling", fmt::format("UIDNEXT {} and mod-sequence {} are not below what gk-state reserves ({} and {})",
                                    record_.uidnext, record_.modseq, file.uid_ceiling, file.modseq_ceiling));
}

// Files in tmp/ that no delivery can be writing any more.
std::vector<std::string> stale_tmp(const std::string& path) {
    std::vector<std::string> stale;
    const auto entries = os::list_directory(path + "/tmp");
    if (!entries) return stale;
    for (const auto& entry : *entries) {
        std::string file = path + "/tmp/" + entry.name;
        struct stat status {};
        if (::lstat(file.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
        if (now_s() - std::max(status.st_mtim.tv_sec, status.st_ctim.tv_sec) > kStaleTmpS)
            stale.push_back(std::move(file));
    }
    return stale;
}

void MailboxCheck::check_tmp() {
    if (const auto stale = stale_tmp(path_); !stale.empty())
        tell("stale-tmp",
             fmt::format("{} files in tmp/ were left by deliveries that died more than 36 hours ago", stale.size()));
}

Status MailboxCheck::run() {
    if (maildir::stamp_of(path_ + "/cur").inode == 0) {
        tell("missing-mailbox", "its directory is gone");
        return ok();
    }
    if (record_.uidvalidity == 0) {
        tell("unknown-mailbox", "it was not looked into yet");
        return ok();
    }
    GK_CHECK(load_rows());
    GK_CHECK(check_files());
    GK_CHECK(check_uidlist());
    GK_CHECK(check_keywords());
    check_counters();
    check_ceilings();
    check_tmp();
    return ok();
}

// The index holds nothing that the files do not; with UIDs, keywords and special uses from the text files.
Status recount(State& state, Record& record) {
    GK_TRY(auto query, state.index.prepare("SELECT count(*), coalesce(sum(flags & 1 = 0), 0), coalesce(sum(flags & 8 "
                                           "!= 0), 0), coalesce(sum(size), 0), "
                                           "coalesce(sum(iif(flags & 8, size, 0)), 0), coalesce(max(key) & 4294967295, "
                                           "0), coalesce(max(modseq), 0) FROM messages WHERE key BETWEEN ? AND ?"));
    query.bind(row_key(record.number, 0)).bind(row_key(record.number, 0xffffffff));
    GK_TRY(const bool row, query.step());
    if (!row) return ok();
    record.messages = static_cast<std::uint32_t>(query.integer(0));
    record.unseen = static_cast<std::uint32_t>(query.integer(1));
    record.deleted = static_cast<std::uint32_t>(query.integer(2));
    record.bytes = static_cast<std::uint64_t>(query.integer(3));
    record.deleted_bytes = static_cast<std::uint64_t>(query.integer(4));
    record.uidnext = std::max(record.uidnext, static_cast<Uid>(query.integer(5)) + 1);
    record.modseq = std::max(record.modseq, static_cast<ModSeq>(query.integer(6)));
    query.reset();
    return ok();
}

// Sizes that cannot be right: the message is taken up anew, under its UID.
Status drop_wrong_sizes(State& state, Record& record) {
    GK_TRY(auto query, state.index.prepare("SELECT key, flags, size, file FROM messages WHERE key BETWEEN ? AND ?"));
    query.bind(row_key(record.number, 0)).bind(row_key(record.number, 0xffffffff));
    std::vector<std::pair<std::int64_t, std::uint64_t>> wrong;
    const std::string path = state.path_of(record.name) + '/';
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) break;
        struct stat status {};
        if (::stat((path + std::string(query.text(3))).c_str(), &status) != 0) continue;
        const auto bytes = static_cast<std::uint64_t>(status.st_size),
                   size = static_cast<std::uint64_t>(query.integer(2));
        if (size >= bytes && size / 2 <= bytes) continue;
        const auto file = os::MappedFile::open(path + std::string(query.text(3)));
        if (!file) continue;
        const auto view = file->bytes();
        std::uint64_t octets = view.size();
        for (std::size_t at = view.find('\n'); at != std::string_view::npos; at = view.find('\n', at + 1))
            if (at == 0 || view[at - 1] != '\r') ++octets;
        wrong.emplace_back(query.integer(0), octets);
    }
    GK_TRY(auto update, state.index.prepare("UPDATE messages SET size = ? WHERE key = ?"));
    for (const auto& [key, octets] : wrong) GK_CHECK(update.bind(static_cast<std::int64_t>(octets)).bind(key).run());
    if (!wrong.empty()) forget_outline(state, record.number);
    return ok();
}

}  // namespace

Status check(Account& account, bool files, const Found& found) {
    State& state = account.state();
    const Locked lock(state);
    GK_TRY(auto integrity, state.index.prepare("PRAGMA quick_check(5)"));
    for (;;) {
        GK_TRY(const bool row, integrity.step());
        if (!row) break;
        if (integrity.text(0) != "ok") found({"", "damaged-index", std::string(integrity.text(0)), true});
    }
    GK_TRY(const auto records, all_records(state));
    std::set<std::string> known;
    Totals counted;
    for (const auto& record : records) {
        known.insert(record.name);
        GK_CHECK(MailboxCheck(state, record, files, found).run());
        counted.messages += record.messages;
        counted.bytes += record.bytes;
    }
    GK_TRY(const Totals totals, read_totals(state));
    if (totals.messages != counted.messages || totals.bytes != counted.bytes)
        found({"", "counters",
               fmt::format("mailboxes keep {} messages with {} octets, the account's counters say {} and {}",
                           counted.messages, counted.bytes, totals.messages, totals.bytes),
               true});
    GK_TRY(const auto entries, os::list_directory(state.root));
    for (const auto& entry : entries) {
        if (!entry.is_directory || entry.name == "cur" || entry.name == "new" || entry.name == "tmp") continue;
        const auto name = maildir::name_of(entry.name);
        if (name && !known.contains(*name) && os::exists(state.root + '/' + entry.name + "/cur"))
            found({*name, "unknown-mailbox", "it is not in the index", true});
        else if (!name && entry.name.starts_with('.') && !entry.name.starts_with(".."))
            found({"", "ignored-file",
                   fmt::format("directory '{}' has no name that a mailbox can have", text::printable(entry.name)),
                   false});
    }
    return ok();
}

Status repair(Account& account) {
    State& state = account.state();
    const Locked lock(state);
    state.tree_stamp = {};
    GK_CHECK(save_tree_stamp(state, {}));
    GK_CHECK(sync_tree(state));
    GK_TRY(const auto records, all_records(state));
    for (auto record : records) {
        GK_TRY(auto transaction, WriteTransaction::begin(state));
        GK_TRY(auto current, find_record(state, record.number));
        if (!current) continue;
        record = std::move(*current);
        GK_CHECK(reconcile_mailbox(state, record, true));
        GK_CHECK(drop_wrong_sizes(state, record));
        GK_CHECK(recount(state, record));
        record.boot.clear();  // reserves anew, behind everything that gk-state and the index know
        GK_CHECK(reserve(state, record, 0));
        GK_CHECK(write_state(state, record));
        GK_CHECK(rewrite_uidlist(state, record));
        GK_CHECK(save_record(state, record));
        GK_CHECK(transaction.commit());
        for (const auto& file : stale_tmp(state.path_of(record.name))) GK_CHECK(os::unlink(file));
    }
    {
        GK_TRY(auto transaction, WriteTransaction::begin(state));
        GK_CHECK(recount_totals(state));
        GK_CHECK(transaction.commit());
    }
    return state.index.execute(
        "REINDEX; DELETE FROM structures WHERE key NOT IN (SELECT key FROM messages); "
        "DELETE FROM previews WHERE key NOT IN (SELECT key FROM messages)");
}

Result<std::vector<std::pair<std::string, std::string>>> adopt_special_uses(Account& account) {
    struct WellKnown {
        std::string_view name, special_use;
    };
    // In order of preference: names that Thunderbird, Outlook, Apple Mail, Roundcube and Dovecot's examples make.
    static constexpr WellKnown kWellKnown[] = {
        {"Drafts", "\\Drafts"},          {"Sent", "\\Sent"},       {"Sent Items", "\\Sent"},
        {"Sent Messages", "\\Sent"},     {"Junk", "\\Junk"},       {"Spam", "\\Junk"},
        {"Junk E-mail", "\\Junk"},       {"Trash", "\\Trash"},     {"Deleted Items", "\\Trash"},
        {"Deleted Messages", "\\Trash"}, {"Archive", "\\Archive"}, {"Archives", "\\Archive"}};
    std::vector<std::pair<std::string, std::string>> given;
    GK_TRY(const auto entries, account.list());
    std::set<std::string, std::less<>> uses;
    for (const auto& entry : entries) uses.insert(entry.special_use);
    for (const auto& [wanted, special_use] : kWellKnown) {
        if (uses.contains(special_use)) continue;
        for (const auto& entry : entries) {
            // Courier's clients keep everything below INBOX.
            const std::string_view name = std::string_view(entry.name).substr(entry.name.starts_with("INBOX/") ? 6 : 0);
            if (!entry.exists || !entry.special_use.empty() || !text::equals_nocase(name, wanted) ||
                uses.contains(special_use))
                continue;
            GK_CHECK(account.set_special_use(entry.name, special_use));
            given.emplace_back(entry.name, special_use);
            uses.insert(std::string(special_use));
        }
    }
    return given;
}

}  // namespace gk::store
