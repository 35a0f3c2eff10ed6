// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <sys/stat.h>
#include <algorithm>
#include <map>
#include <optional>

#include "common/message/structure.hpp"
#include "common/search/index.hpp"

// Keeping the index in step with the mail, and taking messages in.
namespace gk::search {

namespace {

// Text held in memory for one transaction.
constexpr std::size_t kBatchBytes = 8u << 20;
// Remains are not worth the work of compacting before there are this many.
constexpr std::int64_t kRemainsWorthwhile = 1'000;

struct Identity {
    std::int64_t inode = 0, mtime_ns = 0, size = 0;
    bool operator==(const Identity&) const = default;
};

std::optional<Identity> identity_of(const std::string& path) {
    struct stat status {};
    if (path.empty() || ::lstat(path.c_str(), &status) != 0) return std::nullopt;
    return Identity{static_cast<std::int64_t>(status.st_ino),
                    static_cast<std::int64_t>(status.st_mtim.tv_sec) * 1'000'000'000 + status.st_mtim.tv_nsec,
                    static_cast<std::int64_t>(status.st_size)};
}

Result<std::string> path_of(store::Mailbox& mailbox, store::Uid uid) {
    GK_TRY(const auto paths, mailbox.paths({&uid, 1}));
    return paths.empty() ? std::string() : paths.front().second;
}

}  // namespace

// One message on its way in.
struct Index::Read {
    store::Uid uid = 0;
    Identity identity;
    Document known = 0;  // it is in the index already
    bool gone = false, unreadable = false, whole = true;
    Text text;
    std::size_t bytes() const {
        return text.subject.size() + text.from.size() + text.to.size() + text.cc.size() + text.bcc.size() +
               text.other.size() + text.names.size() + text.body.size();
    }
};

Result<std::int64_t> Index::sync(store::Mailbox& mailbox) {
    GK_TRY(const auto now, mailbox.status());
    std::int64_t box = 0, uidvalidity = 0, modseq = 0;
    {
        GK_TRY(auto query, db_.prepare("SELECT number, uidvalidity, modseq FROM boxes WHERE name = ?"));
        GK_TRY(const bool row, query.bind(mailbox.name()).step());
        if (row) {
            box = query.integer(0);
            uidvalidity = query.integer(1);
            modseq = query.integer(2);
            query.reset();
        }
    }
    const bool fresh = box == 0 || uidvalidity != now.uidvalidity;
    // Mod-sequences only go back where index.db, and gk-state with it, were replaced by older ones.
    if (fresh || static_cast<std::int64_t>(now.highest_modseq) < modseq) modseq = 0;
    else if (static_cast<std::int64_t>(now.highest_modseq) == modseq) return box;
    GK_TRY(const auto changes, mailbox.changes_since(static_cast<store::ModSeq>(modseq), store::Look::Index));
    GK_TRY(auto transaction, db::Transaction::begin(db_));
    if (box == 0) {
        GK_TRY(auto insert,
               db_.prepare("INSERT INTO boxes(name, uidvalidity, modseq) VALUES(?, 0, 0) ON CONFLICT(name) DO "
                           "UPDATE SET modseq = modseq RETURNING number"));
        GK_TRY(const bool row, insert.bind(mailbox.name()).step());
        if (!row) return fail(Errc::Bug, "no number for a mailbox");
        box = insert.integer(0);
        insert.reset();
    }
    GK_TRY(auto remove, db_.prepare("DELETE FROM places WHERE box = ? AND uid BETWEEN ? AND ?"));
    if (fresh) GK_CHECK(remove.bind(box).bind(0).bind(0xffffffff).run());
    else if (modseq == 0)
        GK_CHECK(remove.bind(box).bind(static_cast<std::int64_t>(changes.uidnext)).bind(0xffffffff).run());
    for (const auto& gap : changes.vanished.ranges)
        GK_CHECK(remove.bind(box)
                     .bind(static_cast<std::int64_t>(gap.first))
                     .bind(static_cast<std::int64_t>(gap.last))
                     .run());
    GK_TRY(auto insert, db_.prepare("INSERT OR IGNORE INTO places(box, uid, document) VALUES(?, ?, 0)"));
    for (const auto& row : changes.rows) GK_CHECK(insert.bind(box).bind(static_cast<std::int64_t>(row.uid)).run());
    GK_TRY(auto update, db_.prepare("UPDATE boxes SET uidvalidity = ?, modseq = ? WHERE number = ?"));
    update.bind(static_cast<std::int64_t>(now.uidvalidity)).bind(static_cast<std::int64_t>(changes.highest_modseq));
    GK_CHECK(update.bind(box).run());
    GK_CHECK(transaction.commit());
    return box;
}

Status Index::sync(store::Account& account) {
    GK_TRY(const auto entries, account.list());
    std::vector<std::int64_t> there;
    for (const auto& entry : entries) {
        if (!entry.exists) continue;
        auto mailbox = account.mailbox(entry.name);
        if (!mailbox && mailbox.error().code == Errc::NotFound) continue;  // deleted meanwhile
        if (!mailbox) return fail(mailbox.error());
        GK_TRY(const auto box, sync(*mailbox));
        there.push_back(box);
    }
    std::vector<std::int64_t> gone;
    GK_TRY(auto boxes, db_.prepare("SELECT number FROM boxes"));
    for (;;) {
        GK_TRY(const bool row, boxes.step());
        if (!row) break;
        if (std::find(there.begin(), there.end(), boxes.integer(0)) == there.end()) gone.push_back(boxes.integer(0));
    }
    GK_TRY(auto transaction, db::Transaction::begin(db_));
    for (const auto box : gone) {
        for (const char* sql : {"DELETE FROM places WHERE box = ?", "DELETE FROM boxes WHERE number = ?"}) {
            GK_TRY(auto remove, db_.prepare(sql));
            GK_CHECK(remove.bind(box).run());
        }
    }
    return transaction.commit();
}

Status Index::forget_lost() {
    GK_TRY(auto transaction, db::Transaction::begin(db_));
    GK_TRY(const auto waiting, number("SELECT count(*) FROM places WHERE document = 0"));
    if (waiting > 0) return ok();
    GK_TRY(auto orphans, db_.prepare("SELECT id, volume FROM documents d WHERE NOT EXISTS (SELECT 1 FROM places WHERE "
                                     "document = d.id)"));
    std::vector<std::pair<Document, std::int64_t>> lost;
    for (;;) {
        GK_TRY(const bool row, orphans.step());
        if (!row) break;
        lost.emplace_back(orphans.integer(0), orphans.integer(1));
    }
    for (const auto& [document, volume] : lost) GK_CHECK(forget(document, volume));
    return transaction.commit();
}

Status Index::forget(Document document, std::int64_t volume) {
    GK_TRY(auto remove, db_.prepare("DELETE FROM documents WHERE id = ?"));
    GK_CHECK(remove.bind(document).run());
    GK_TRY(auto count, db_.prepare("UPDATE volumes SET dead = dead + 1 WHERE number = ?"));
    return count.bind(volume).run();
}

Status Index::set_limit(store::Account& account) {
    GK_TRY(const auto totals, account.totals());
    limit_ = std::max(options_.least_size, totals.bytes / 100 * options_.share_percent);
    return ok();
}

Result<std::int64_t> Index::filling() { return number("SELECT number FROM volumes WHERE filling = 1"); }

Result<Index::Read> Index::read(store::Mailbox& mailbox, store::Uid uid, const std::string& path, bool only_headers) {
    Read read;
    read.uid = uid;
    auto identity = identity_of(path);
    std::optional<store::OpenMessage> message;
    const auto open = [&]() -> Status {
        auto opened = mailbox.open(uid);
        if (opened) message = std::move(*opened);
        else if (opened.error().code == Errc::NotFound) read.gone = true;
        else if (opened.error().code == Errc::Denied || opened.error().os_errno != 0) read.unreadable = true;
        else return fail(opened.error());
        return ok();
    };
    // Another program renamed it a moment ago: open() finds it again.
    if (!identity) {
        GK_CHECK(open());
        if (!message) return read;
        GK_TRY(const auto renamed, path_of(mailbox, uid));
        identity = identity_of(renamed);
        if (!identity) {
            read.gone = true;
            return read;
        }
    }
    read.identity = *identity;
    GK_TRY(auto query, db_.prepare("SELECT id FROM documents WHERE inode = ? AND mtime_ns = ? AND size = ?"));
    GK_TRY(const bool row, query.bind(identity->inode).bind(identity->mtime_ns).bind(identity->size).step());
    if (row) {
        read.known = query.integer(0);
        query.reset();
        return read;
    }
    if (!message) GK_CHECK(open());
    if (!message) return read;
    TextLimits limits = options_.text;
    limits.only_headers |= only_headers;
    read.whole = !limits.only_headers;
    read.text = read_text(message->file.bytes(), message::scan(message->file.bytes(), message->line_ends), limits);
    return read;
}

// In a transaction.
Result<Document> Index::insert(const Read& read, std::int64_t volume) {
    // Taken in by another process meanwhile, or an inode that is used again.
    GK_TRY(auto query, db_.prepare("SELECT id, volume, mtime_ns, size FROM documents WHERE inode = ?"));
    GK_TRY(const bool row, query.bind(read.identity.inode).step());
    if (row) {
        const Document document = query.integer(0);
        const auto old_volume = query.integer(1);
        const Identity there{read.identity.inode, query.integer(2), query.integer(3)};
        query.reset();
        if (there == read.identity) return document;
        GK_CHECK(forget(document, old_volume));
        GK_TRY(auto wait, db_.prepare("UPDATE places SET document = 0 WHERE document = ?"));
        GK_CHECK(wait.bind(document).run());
    }
    GK_TRY(auto insert,
           db_.prepare(
               "INSERT INTO documents(inode, mtime_ns, size, volume, whole, attachments) VALUES(?, ?, ?, ?, ?, ?)"));
    insert.bind(read.identity.inode).bind(read.identity.mtime_ns).bind(read.identity.size).bind(volume);
    GK_CHECK(insert.bind(std::int64_t{read.whole}).bind(static_cast<std::int64_t>(read.text.attachments)).run());
    const Document document = db_.last_insert_rowid();
    GK_TRY(auto words,
           db_.prepare(fmt::format("INSERT INTO text{}(rowid, subject, sender, recipients, copies, blind_copies, "
                                   "other, names, body) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
                                   volume)));
    const Text& t = read.text;
    words.bind(document).bind(t.subject).bind(t.from).bind(t.to).bind(t.cc).bind(t.bcc).bind(t.other).bind(t.names);
    GK_CHECK(words.bind(t.body).run());
    return document;
}

Result<std::size_t> Index::add(store::Mailbox& mailbox, std::int64_t box, std::size_t most) {
    GK_TRY(const auto used, used_bytes());
    full_ = used >= limit_;
    std::vector<store::Uid> uids;
    GK_TRY(auto waiting,
           db_.prepare("SELECT uid FROM places WHERE box = ? AND document <= 0 AND document = 0 ORDER BY uid "
                       "DESC LIMIT ?"));
    waiting.bind(box).bind(static_cast<std::int64_t>(most));
    for (;;) {
        GK_TRY(const bool row, waiting.step());
        if (!row) break;
        uids.push_back(static_cast<store::Uid>(waiting.integer(0)));
    }
    if (uids.empty()) return std::size_t{0};
    std::map<store::Uid, std::string> paths;
    {
        std::vector<store::Uid> ascending(uids.rbegin(), uids.rend());
        GK_TRY(auto found, mailbox.paths(ascending));
        for (auto& [uid, path] : found) paths.emplace(uid, std::move(path));
    }
    std::vector<Read> batch;
    std::size_t bytes = 0;
    for (const auto uid : uids) {
        GK_TRY(auto one, read(mailbox, uid, paths[uid], full_));
        bytes += one.bytes();
        batch.push_back(std::move(one));
        if (bytes >= kBatchBytes) break;
    }
    GK_TRY(auto transaction, db::Transaction::begin(db_));
    GK_TRY(const auto volume, filling());
    GK_TRY(auto place, db_.prepare("UPDATE places SET document = ? WHERE box = ? AND uid = ?"));
    GK_TRY(auto remove, db_.prepare("DELETE FROM places WHERE box = ? AND uid = ?"));
    for (const Read& one : batch) {
        const auto uid = static_cast<std::int64_t>(one.uid);
        if (one.gone) {
            GK_CHECK(remove.bind(box).bind(uid).run());
            continue;
        }
        Document document = one.unreadable ? -1 : one.known;
        // Another process may have forgotten it since.
        if (document > 0) {
            GK_TRY(auto still, db_.prepare("SELECT 1 FROM documents WHERE id = ?"));
            GK_TRY(const bool there, still.bind(document).step());
            still.reset();
            if (!there) continue;
        }
        if (document == 0) {
            GK_TRY(document, insert(one, volume));
        }
        GK_CHECK(place.bind(document).bind(box).bind(uid).run());
    }
    GK_CHECK(transaction.commit());
    return batch.size();
}

Status Index::retry_unreadable() {
    GK_TRY(const auto unreadable, number("SELECT count(*) FROM places WHERE document = -1"));
    return unreadable == 0 ? ok() : db_.execute("UPDATE places SET document = 0 WHERE document = -1");
}

Result<std::size_t> Index::compact(store::Account& account, std::size_t most) {
    GK_TRY(auto volume, filling());
    GK_TRY(auto dead, number(fmt::format("SELECT dead FROM volumes WHERE number = {}", volume)));
    GK_TRY(const auto left, number(fmt::format("SELECT count(*) FROM documents WHERE volume = {}", 1 - volume)));
    GK_TRY(const auto left_dead, number(fmt::format("SELECT dead FROM volumes WHERE number = {}", 1 - volume)));
    if (left == 0 && left_dead == 0) {
        GK_TRY(const auto live, number("SELECT count(*) FROM documents"));
        if (dead < kRemainsWorthwhile || dead < live / 2) return std::size_t{0};
        GK_CHECK(db_.execute("UPDATE volumes SET filling = 1 - filling"));
        volume = 1 - volume;
    }
    struct Old {
        Document document;
        std::string mailbox;
        store::Uid uid;
        bool whole;
    };
    std::vector<Old> olds;
    GK_TRY(auto query,
           db_.prepare("SELECT d.id, b.name, min(p.uid), d.whole FROM documents d JOIN places p ON p.document = "
                       "d.id JOIN boxes b ON b.number = p.box WHERE d.volume = ? GROUP BY d.id LIMIT ?"));
    query.bind(1 - volume).bind(static_cast<std::int64_t>(most));
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) break;
        olds.push_back({query.integer(0), std::string(query.text(1)), static_cast<store::Uid>(query.integer(2)),
                        query.integer(3) != 0});
    }
    if (olds.empty()) {
        GK_TRY(auto transaction, db::Transaction::begin(db_));
        GK_CHECK(
            db_.execute(fmt::format("INSERT INTO text{0}(text{0}) VALUES('delete-all'); DELETE FROM documents WHERE "
                                    "volume = {0}; UPDATE volumes SET dead = 0 WHERE number = {0}",
                                    1 - volume)));
        GK_CHECK(transaction.commit());
        return std::size_t{0};
    }
    GK_TRY(auto transaction, db::Transaction::begin(db_));
    for (const Old& old : olds) {
        // Its words are made anew: the old entry is forgotten before, else it would be found as known.
        GK_CHECK(forget(old.document, 1 - volume));
        auto mailbox = account.mailbox(old.mailbox);
        std::optional<Read> again;
        if (mailbox) {
            GK_TRY(const auto path, path_of(*mailbox, old.uid));
            GK_TRY(again, read(*mailbox, old.uid, path, !old.whole));
        }
        Document document = 0;  // to be looked at again, where that did not work
        if (again && !again->gone && !again->unreadable) {
            document = again->known;
            if (document == 0) {
                GK_TRY(document, insert(*again, volume));
            }
        }
        GK_TRY(auto place, db_.prepare("UPDATE places SET document = ? WHERE document = ?"));
        GK_CHECK(place.bind(document).bind(old.document).run());
    }
    GK_CHECK(transaction.commit());
    return olds.size();
}

}  // namespace gk::search
