// SPDX-License-Identifier: MIT
#include "common/queue/index.hpp"

#include "common/base/text.hpp"
#include "common/os/file.hpp"

namespace gk::queue {
namespace {

const std::vector<std::string> kSchema = {
    "CREATE TABLE message (id TEXT PRIMARY KEY, trace TEXT NOT NULL, sender TEXT NOT NULL, status TEXT NOT NULL,"
    " size INTEGER NOT NULL, arrival INTEGER NOT NULL, next INTEGER, attempts INTEGER NOT NULL, recipients TEXT NOT "
    "NULL,"
    " total INTEGER NOT NULL, reason TEXT NOT NULL, held INTEGER NOT NULL, lent INTEGER NOT NULL DEFAULT 0) WITHOUT "
    "ROWID;"
    "CREATE INDEX message_next ON message (next) WHERE held = 0 AND lent = 0 AND next IS NOT NULL;"
    "CREATE INDEX message_trace ON message (trace);"};

// Recipients of one message that list can filter by; the file has them all.
constexpr std::size_t kShown = 1000;

std::int64_t to_us(TimePoint t) { return t.time_since_epoch().count(); }
TimePoint from_us(std::int64_t us) { return TimePoint(std::chrono::microseconds(us)); }

bool matches_address(std::string_view wanted, std::string_view address) {
    if (wanted.starts_with('@'))
        return address.size() > wanted.size() &&
               text::equals_nocase(address.substr(address.size() - wanted.size()), wanted);
    if (wanted == "<>") return address.empty();
    return text::equals_nocase(wanted, address);
}

}  // namespace

bool Filter::matches(const Summary& s) const {
    if (!sender.empty() && !matches_address(sender, s.sender)) return false;
    if (!status.empty() && status != s.status) return false;
    if (recipient.empty()) return true;
    for (const auto& address : s.recipients)
        if (matches_address(recipient, address)) return true;
    return false;
}

Index::Index(Index&&) noexcept = default;
Index& Index::operator=(Index&&) noexcept = default;

Result<Index> Index::open(const std::string& path) {
    const auto try_open = [&]() -> Result<Index> {
        Index index;
        db::Options options;
        options.synchronous_full = false;
        options.mode = 0660;
        GK_TRY(index.db_, db::Database::open(path, options));
        GK_CHECK(index.db_.migrate(kSchema));
        index.mutex_ = std::make_unique<std::mutex>();
        return index;
    };
    auto index = try_open();
    if (index || index.error().code == Errc::Temporary || index.error().code == Errc::Denied) return index;
    // A broken cache is made anew.
    for (const char* suffix : {"", "-wal", "-shm"})
        if (os::exists(path + suffix)) GK_CHECK(os::unlink(path + suffix));
    return try_open();
}

Status Index::put(const Summary& s, bool held) {
    std::string recipients;
    for (std::size_t i = 0; i < s.recipients.size() && i < kShown; ++i) recipients += (i ? "\n" : "") + s.recipients[i];
    const std::lock_guard lock(*mutex_);
    GK_TRY(auto q,
           db_.prepare("INSERT OR REPLACE INTO message (id, trace, sender, status, size, arrival, next, attempts,"
                       " recipients, total, reason, held, lent) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,0)"));
    q.bind(s.id)
        .bind(s.trace_id)
        .bind(s.sender)
        .bind(s.status)
        .bind(static_cast<std::int64_t>(s.size))
        .bind(to_us(s.arrival));
    if (s.next) q.bind(to_us(*s.next));
    else q.bind_null();
    q.bind(static_cast<std::int64_t>(s.attempts))
        .bind(recipients)
        .bind(static_cast<std::int64_t>(s.recipients_total))
        .bind(s.reason);
    q.bind(static_cast<std::int64_t>(held));
    return q.run();
}

Status Index::remove(const std::string& id) {
    const std::lock_guard lock(*mutex_);
    GK_TRY(auto q, db_.prepare("DELETE FROM message WHERE id = ?"));
    return q.bind(id).run();
}

Result<std::vector<std::string>> Index::take_due(TimePoint now, std::size_t limit) {
    const std::lock_guard lock(*mutex_);
    std::vector<std::string> ids;
    {
        GK_TRY(auto q,
               db_.prepare("SELECT id FROM message WHERE held = 0 AND lent = 0 AND next IS NOT NULL AND next <= ?"
                           " ORDER BY next LIMIT ?"));
        q.bind(to_us(now)).bind(static_cast<std::int64_t>(limit));
        for (;;) {
            GK_TRY(const bool row, q.step());
            if (!row) break;
            ids.emplace_back(q.text(0));
        }
    }
    for (const auto& id : ids) {
        GK_TRY(auto q, db_.prepare("UPDATE message SET lent = 1 WHERE id = ?"));
        GK_CHECK(q.bind(id).run());
    }
    return ids;
}

Status Index::recover(TimePoint now, TimePoint latest) {
    const std::lock_guard lock(*mutex_);
    GK_TRY(auto lent, db_.prepare("UPDATE message SET lent = 0 WHERE lent = 1"));
    GK_CHECK(lent.run());
    GK_TRY(auto late,
           db_.prepare("UPDATE message SET next = ? WHERE next IS NULL OR (next > ? AND status = 'deferred')"));
    return late.bind(to_us(now)).bind(to_us(latest)).run();
}

Result<std::optional<TimePoint>> Index::next_due() {
    const std::lock_guard lock(*mutex_);
    GK_TRY(auto q, db_.prepare("SELECT min(next) FROM message WHERE held = 0 AND lent = 0 AND next IS NOT NULL"));
    GK_TRY(const bool row, q.step());
    std::optional<TimePoint> next;
    if (row && !q.is_null(0)) next = from_us(q.integer(0));
    q.reset();
    return next;
}

Status Index::make_due(TimePoint now, const std::string& id) {
    const std::lock_guard lock(*mutex_);
    if (id.empty()) {
        GK_TRY(auto q, db_.prepare("UPDATE message SET next = ? WHERE next > ?"));
        return q.bind(to_us(now)).bind(to_us(now)).run();
    }
    GK_TRY(auto q, db_.prepare("UPDATE message SET next = ? WHERE id = ? AND next IS NOT NULL"));
    return q.bind(to_us(now)).bind(id).run();
}

Status Index::postpone(const std::string& id, TimePoint until) {
    const std::lock_guard lock(*mutex_);
    GK_TRY(auto q, db_.prepare("INSERT INTO message (id, trace, sender, status, size, arrival, next, attempts, "
                               "recipients, total, reason, held)"
                               " VALUES (?1, ?1, '', 'new', 0, ?2, ?2, 0, '', 0, '', 0)"
                               " ON CONFLICT (id) DO UPDATE SET lent = 0, next = ?2"));
    return q.bind(id).bind(to_us(until)).run();
}

Result<std::set<std::string>> Index::ids() {
    const std::lock_guard lock(*mutex_);
    std::set<std::string> ids;
    GK_TRY(auto q, db_.prepare("SELECT id FROM message"));
    for (;;) {
        GK_TRY(const bool row, q.step());
        if (!row) return ids;
        ids.emplace(q.text(0));
    }
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

Status Index::list(const Filter& filter, const std::function<void(const Summary&)>& each) {
    // A copy first: EACH may write to a slow client, and the lock must not wait for that.
    std::vector<Summary> found;
    {
        const std::lock_guard lock(*mutex_);
        GK_TRY(auto q,
               db_.prepare(
                   "SELECT id, trace, sender, status, size, arrival, next, attempts, recipients, total, reason, lent"
                   " FROM message ORDER BY id"));
        for (;;) {
            GK_TRY(const bool row, q.step());
            if (!row) break;
            Summary s;
            s.id = q.text(0);
            s.trace_id = q.text(1);
            s.sender = q.text(2);
            s.status = q.integer(11) ? "active" : std::string(q.text(3));
            s.size = static_cast<std::uint64_t>(q.integer(4));
            s.arrival = from_us(q.integer(5));
            if (!q.is_null(6)) s.next = from_us(q.integer(6));
            s.attempts = static_cast<unsigned>(q.integer(7));
            for (const auto address : text::split(q.text(8), '\n')) s.recipients.emplace_back(address);
            s.recipients_total = static_cast<std::size_t>(q.integer(9));
            s.reason = q.text(10);
            if (!filter.matches(s)) continue;
            found.push_back(std::move(s));
            if (filter.limit != 0 && found.size() >= filter.limit) {
                q.reset();
                break;
            }
        }
    }
    for (const auto& summary : found) each(summary);
    return ok();
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
