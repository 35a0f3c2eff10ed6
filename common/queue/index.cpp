// SPDX-License-Identifier: MIT
#include "common/queue/index.hpp"

#include <algorithm>

#include "common/address/path.hpp"
#include "common/base/text.hpp"
#include "common/os/file.hpp"
#include "common/queue/lanes.hpp"

// The rows. What is due is in index_due.cpp.
namespace gk::queue {
namespace {

const std::string kForget =
    "DROP TABLE IF EXISTS message; DROP TABLE IF EXISTS waiting; DROP TABLE IF EXISTS destination;";
const std::vector<std::string> kSchema = {
    // The first versions knew no lanes, deadlines or tallies; what they held is read from the spool again.
    kForget, kForget, kForget, kForget,
    kForget +
        "CREATE TABLE message (id TEXT PRIMARY KEY, trace TEXT NOT NULL, sender TEXT NOT NULL, sender_domain TEXT NOT "
        "NULL,"
        " status TEXT NOT NULL, size INTEGER NOT NULL, arrival INTEGER NOT NULL, next INTEGER, attempts INTEGER NOT "
        "NULL,"
        " recipients TEXT NOT NULL, domains TEXT NOT NULL, total INTEGER NOT NULL, reason TEXT NOT NULL, held INTEGER "
        "NOT "
        "NULL,"
        " deadline INTEGER, forced INTEGER NOT NULL DEFAULT 0, lent INTEGER NOT NULL DEFAULT 0,"
        " account TEXT NOT NULL) WITHOUT ROWID;"
        "CREATE INDEX message_trace ON message (trace);"
        "CREATE INDEX message_sender ON message (sender COLLATE NOCASE);"
        "CREATE INDEX message_sender_domain ON message (sender_domain);"
        "CREATE INDEX message_account ON message (account);"
        "CREATE INDEX message_status ON message (status);"
        "CREATE INDEX message_deadline ON message (deadline) WHERE held = 0 AND lent = 0 AND deadline IS NOT NULL;"
        "CREATE INDEX message_lent ON message (id) WHERE lent = 1;"
        // A message for the recipients of one domain; NEXT is null while it is held or lent out.
        "CREATE TABLE waiting (domain TEXT NOT NULL, id TEXT NOT NULL, next INTEGER, arrival INTEGER NOT NULL,"
        " PRIMARY KEY (domain, id)) WITHOUT ROWID;"
        "CREATE INDEX waiting_due ON waiting (domain, next) WHERE next IS NOT NULL;"
        // What stats say, kept up with each change. KIND is a By.
        "CREATE TABLE tally (kind INTEGER NOT NULL, name TEXT NOT NULL, messages INTEGER NOT NULL, held INTEGER NOT "
        "NULL,"
        " size INTEGER NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (kind, name)) WITHOUT ROWID;"};

// Recipients of one message that list can show and filter by; the file has them all.
constexpr std::size_t kShown = 1000;
constexpr std::size_t kPage = 200;

bool matches_address(std::string_view wanted, std::string_view address) {
    if (wanted.starts_with('@')) {
        if (address.size() <= wanted.size()) return false;
        return text::equals_nocase(address.substr(address.size() - wanted.size()), wanted) ||
               domain_of(address) == domain_of(wanted);
    }
    if (wanted == "<>") return address.empty();
    return text::equals_nocase(wanted, address);
}

std::vector<std::string> lines_of(std::string_view joined) {
    std::vector<std::string> lines;
    for (const auto line : text::split(joined, '\n')) lines.emplace_back(line);
    return lines;
}

}  // namespace

std::string domain_of(std::string_view address) {
    const auto at = address.rfind('@');
    if (at == std::string_view::npos) return {};
    const auto domain = address.substr(at + 1);
    if (domain.starts_with('[')) return text::lower(domain);
    auto ascii = address::to_a_labels(domain);
    return ascii ? *ascii : text::lower(domain);
}

bool Filter::matches(const Summary& s) const {
    if (!sender.empty() && !matches_address(sender, s.sender)) return false;
    if (!status.empty() && status != s.status) return false;
    if (!account.empty() && !matches_address(account, s.account)) return false;
    if (before != TimePoint{} && s.arrival >= before) return false;
    if (after != TimePoint{} && s.arrival < after) return false;
    if (!reason.empty() && text::find_nocase(s.reason, reason) == std::string_view::npos) return false;
    if (recipient.empty()) return true;
    for (const auto& address : s.recipients)
        if (matches_address(recipient, address)) return true;
    return false;
}

Index::Index() = default;
Index::Index(Index&&) noexcept = default;
Index& Index::operator=(Index&&) noexcept = default;
Index::~Index() = default;

Result<Index> Index::open(const std::string& path) {
    const auto try_open = [&]() -> Result<Index> {
        Index index;
        db::Options options;
        options.synchronous_full = false;
        options.mode = 0660;
        options.cache_kib = 8192;
        GK_TRY(index.db_, db::Database::open(path, options));
        GK_CHECK(index.db_.migrate(kSchema));
        index.mutex_ = std::make_unique<std::mutex>();
        index.lanes_ = std::make_unique<Lanes>();
        GK_CHECK(index.load_lanes());
        return index;
    };
    auto index = try_open();
    if (index || index.error().code == Errc::Temporary || index.error().code == Errc::Denied) return index;
    // A broken cache is made anew.
    for (const char* suffix : {"", "-wal", "-shm"})
        if (os::exists(path + suffix)) GK_CHECK(os::unlink(path + suffix));
    return try_open();
}

Status Index::put(const Summary& summary, bool held) {
    const std::lock_guard lock(*mutex_);
    GK_TRY(auto all, db::Transaction::begin(db_));
    GK_CHECK(put_locked(summary, held));
    return all.commit();
}

Status Index::put(std::span<const Entry> entries) {
    const std::lock_guard lock(*mutex_);
    GK_TRY(auto all, db::Transaction::begin(db_));
    for (const auto& entry : entries) GK_CHECK(put_locked(entry.summary, entry.held));
    return all.commit();
}

Result<std::vector<std::string>> Index::domains_locked(const std::string& id) {
    GK_TRY(auto q, db_.prepare("SELECT domains FROM message WHERE id = ?"));
    q.bind(id);
    GK_TRY(const bool row, q.step());
    std::vector<std::string> domains;
    if (row) domains = lines_of(q.text(0));
    q.reset();
    return domains;
}

Status Index::put_locked(const Summary& s, bool held) {
    std::string recipients, domains;
    for (std::size_t i = 0; i < s.recipients.size() && i < kShown; ++i) recipients += (i ? "\n" : "") + s.recipients[i];
    // What waits for nothing known is due at once: its file says what is to be done.
    const TimePoint next = s.next.value_or(now());
    auto due = s.due;
    if (due.empty())
        for (const auto& recipient : s.recipients) due.emplace_back(domain_of(recipient), next);
    std::sort(due.begin(), due.end());
    due.erase(std::unique(due.begin(), due.end(), [](const auto& a, const auto& b) { return a.first == b.first; }),
              due.end());
    if (due.empty()) due.emplace_back("", next);
    for (std::size_t i = 0; i < due.size(); ++i) domains += (i ? "\n" : "") + due[i].first;

    GK_TRY(const auto old, domains_locked(s.id));
    Changes changes;
    GK_CHECK(take_off(s.id, old, changes));
    {
        GK_TRY(auto q,
               db_.prepare("INSERT OR REPLACE INTO message (id, trace, sender, sender_domain, status, size, "
                           "arrival, next, attempts, recipients, domains, total, reason, held, deadline, forced, lent, "
                           "account)"
                           " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,0,0,?)"));
        q.bind(s.id).bind(s.trace_id).bind(s.sender).bind(domain_of(s.sender)).bind(s.status);
        q.bind(static_cast<std::int64_t>(s.size)).bind(to_us(s.arrival));
        if (s.next || !held) q.bind(to_us(next));
        else q.bind_null();
        q.bind(static_cast<std::int64_t>(s.attempts)).bind(recipients).bind(domains);
        q.bind(static_cast<std::int64_t>(s.recipients_total)).bind(s.reason).bind(static_cast<std::int64_t>(held));
        if (s.deadline) q.bind(to_us(*s.deadline));
        else q.bind_null();
        q.bind(s.account);
        GK_CHECK(q.run());
    }
    for (const auto& domain : old) {
        const auto same = [&](const auto& d) { return d.first == domain; };
        if (std::find_if(due.begin(), due.end(), same) != due.end()) continue;
        GK_TRY(auto q, db_.prepare("DELETE FROM waiting WHERE domain = ? AND id = ?"));
        GK_CHECK(q.bind(domain).bind(s.id).run());
    }
    const auto size = static_cast<std::int64_t>(s.size);
    for (const auto& [domain, at] : due) {
        GK_TRY(auto q, db_.prepare("INSERT OR REPLACE INTO waiting (domain, id, next, arrival) VALUES (?,?,?,?)"));
        q.bind(domain).bind(s.id);
        if (held) q.bind_null();
        else q.bind(to_us(at));
        GK_CHECK(q.bind(to_us(s.arrival)).run());
        changes[{By::Destination, domain}].add(1, held, size);
        if (!held) lanes_->add(domain, at);
    }
    changes[{By::Sender, s.sender}].add(1, held, size);
    changes[{By::Account, s.account}].add(1, held, size);
    return count(changes, s.reason);
}

// What the row ID counts for at present, the other way round.
Status Index::take_off(const std::string& id, const std::vector<std::string>& domains, Changes& changes) {
    if (domains.empty()) return ok();
    GK_TRY(auto q, db_.prepare("SELECT sender, account, held, size FROM message WHERE id = ?"));
    q.bind(id);
    GK_TRY(const bool row, q.step());
    if (row) {
        const auto held = q.integer(2), size = q.integer(3);
        for (const auto& domain : domains) changes[{By::Destination, domain}].add(-1, -held, -size);
        changes[{By::Sender, std::string(q.text(0))}].add(-1, -held, -size);
        changes[{By::Account, std::string(q.text(1))}].add(-1, -held, -size);
    }
    q.reset();
    return ok();
}

Status Index::count(const Changes& changes, const std::string& reason) {
    for (const auto& [of, change] : changes) {
        const auto kind = static_cast<std::int64_t>(of.first);
        if (change.messages == 0 && change.held == 0 && change.size == 0 && reason.empty()) continue;
        GK_TRY(auto q,
               db_.prepare("INSERT INTO tally (kind, name, messages, held, size, reason) VALUES (?1,?2,?3,?4,?5,?6)"
                           " ON CONFLICT (kind, name) DO UPDATE SET messages = messages + ?3, held = held + ?4,"
                           " size = size + ?5, reason = CASE ?6 WHEN '' THEN reason ELSE ?6 END"));
        q.bind(kind).bind(of.second).bind(change.messages).bind(change.held).bind(change.size);
        GK_CHECK(q.bind(change.messages < 0 ? std::string() : reason).run());
        if (change.messages >= 0) continue;
        GK_TRY(auto none, db_.prepare("DELETE FROM tally WHERE kind = ? AND name = ? AND messages <= 0"));
        GK_CHECK(none.bind(kind).bind(of.second).run());
    }
    return ok();
}

Status Index::remove(const std::string& id) {
    const std::lock_guard lock(*mutex_);
    GK_TRY(const auto domains, domains_locked(id));
    if (domains.empty()) return ok();
    GK_TRY(auto all, db::Transaction::begin(db_));
    Changes changes;
    GK_CHECK(take_off(id, domains, changes));
    GK_CHECK(count(changes, {}));
    for (const auto& domain : domains) {
        GK_TRY(auto q, db_.prepare("DELETE FROM waiting WHERE domain = ? AND id = ?"));
        GK_CHECK(q.bind(domain).bind(id).run());
    }
    GK_TRY(auto q, db_.prepare("DELETE FROM message WHERE id = ?"));
    GK_CHECK(q.bind(id).run());
    return all.commit();
}

Result<std::vector<std::string>> Index::ids(const std::string& after, std::size_t limit) {
    const std::lock_guard lock(*mutex_);
    std::vector<std::string> ids;
    GK_TRY(auto q, db_.prepare("SELECT id FROM message WHERE id > ? ORDER BY id LIMIT ?"));
    q.bind(after).bind(static_cast<std::int64_t>(limit));
    for (;;) {
        GK_TRY(const bool row, q.step());
        if (!row) return ids;
        ids.emplace_back(q.text(0));
    }
}

Result<bool> Index::contains(const std::string& id) {
    const std::lock_guard lock(*mutex_);
    GK_TRY(const auto domains, domains_locked(id));
    return !domains.empty();
}

Result<std::optional<std::string>> Index::find(const std::string& id_or_trace) {
    const std::lock_guard lock(*mutex_);
    GK_TRY(
        auto q,
        db_.prepare("SELECT id FROM message WHERE id = ?1 UNION ALL SELECT id FROM message WHERE trace = ?1 LIMIT 1"));
    q.bind(id_or_trace);
    GK_TRY(const bool row, q.step());
    std::optional<std::string> found;
    if (row) found = std::string(q.text(0));
    q.reset();
    return found;
}

// Rows behind AFTER, found by the narrowest index that the filter has one for.
Result<std::vector<Summary>> Index::page(const Filter& filter, const std::string& after) {
    std::string where, key;
    const bool by_domain = filter.sender.starts_with('@');
    if (!filter.recipient.empty()) {
        where = " FROM waiting w CROSS JOIN message m ON m.id = w.id WHERE w.domain = ?1 AND w.id > ?2 ORDER BY w.id";
        key = domain_of(filter.recipient);
    } else if (!filter.sender.empty()) {
        where = by_domain ? " FROM message m WHERE sender_domain = ?1 AND id > ?2 ORDER BY id"
                          : " FROM message m WHERE sender = ?1 COLLATE NOCASE AND id > ?2 ORDER BY id";
        key = by_domain ? domain_of(filter.sender) : filter.sender == "<>" ? "" : filter.sender;
    } else if (filter.status == "active") {
        where = " FROM message m WHERE lent = 1 AND ?1 = ?1 AND id > ?2 ORDER BY id";
    } else if (!filter.status.empty()) {
        where = " FROM message m WHERE status = ?1 AND id > ?2 ORDER BY id";
        key = filter.status;
    } else {
        where = " FROM message m WHERE ?1 = ?1 AND id > ?2 ORDER BY id";
    }
    const std::lock_guard lock(*mutex_);
    GK_TRY(auto q,
           db_.prepare("SELECT m.id, trace, sender, status, size, m.arrival, m.next, attempts, recipients, total,"
                       " reason, lent, account" +
                       where + " LIMIT ?3"));
    q.bind(key).bind(after).bind(static_cast<std::int64_t>(kPage));
    std::vector<Summary> found;
    for (;;) {
        GK_TRY(const bool row, q.step());
        if (!row) return found;
        Summary s;
        s.id = q.text(0);
        s.trace_id = q.text(1);
        s.sender = q.text(2);
        s.status = q.integer(11) ? "active" : std::string(q.text(3));
        s.size = static_cast<std::uint64_t>(q.integer(4));
        s.arrival = from_us(q.integer(5));
        if (!q.is_null(6)) s.next = from_us(q.integer(6));
        s.attempts = static_cast<unsigned>(q.integer(7));
        s.recipients = lines_of(q.text(8));
        s.recipients_total = static_cast<std::size_t>(q.integer(9));
        s.reason = q.text(10);
        s.account = q.text(12);
        found.push_back(std::move(s));
    }
}

Status Index::list(const Filter& filter, const std::function<void(const Summary&)>& each) {
    std::string after;
    std::uint64_t shown = 0;
    for (;;) {
        GK_TRY(const auto rows, page(filter, after));
        for (const auto& row : rows) {
            if (!filter.matches(row)) continue;
            each(row);
            if (filter.limit != 0 && ++shown >= filter.limit) return ok();
        }
        if (rows.size() < kPage) return ok();
        after = rows.back().id;
    }
}

Result<std::uint64_t> Index::count() {
    const std::lock_guard lock(*mutex_);
    GK_TRY(auto q, db_.prepare("SELECT count(*) FROM message"));
    GK_TRY(const bool row, q.step());
    const auto n = row ? q.integer(0) : 0;
    q.reset();
    return static_cast<std::uint64_t>(n);
}

}  // namespace gk::queue
