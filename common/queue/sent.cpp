// SPDX-License-Identifier: MIT
#include "common/queue/sent.hpp"

#include "common/base/text.hpp"
#include "common/os/file.hpp"

namespace gk::queue {
namespace {

const std::vector<std::string> kSchema = {
    "CREATE TABLE sent (queue TEXT NOT NULL, recipient TEXT NOT NULL, trace TEXT NOT NULL, account TEXT NOT NULL,"
    " message_id TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (queue, recipient)) WITHOUT ROWID;"
    "CREATE INDEX sent_message_id ON sent (message_id);"
    "CREATE INDEX sent_at ON sent (at);"
    "CREATE TABLE bounce (queue TEXT NOT NULL, recipient TEXT NOT NULL, action TEXT NOT NULL, trace TEXT NOT NULL,"
    " account TEXT NOT NULL, status TEXT NOT NULL, text TEXT NOT NULL, reporting_mta TEXT NOT NULL,"
    " message_id TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (queue, recipient, action)) WITHOUT ROWID;"
    "CREATE INDEX bounce_at ON bounce (at);"};

std::int64_t to_us(TimePoint t) { return t.time_since_epoch().count(); }

}  // namespace

Result<SentLog> SentLog::open(const std::string& path) {
    const auto try_open = [&]() -> Result<SentLog> {
        SentLog log;
        db::Options options;
        options.synchronous_full = false;
        options.mode = 0660;
        GK_TRY(log.db_, db::Database::open(path, options));
        GK_CHECK(log.db_.migrate(kSchema));
        log.mutex_ = std::make_unique<std::mutex>();
        return log;
    };
    auto log = try_open();
    if (log || log.error().code == Errc::Temporary || log.error().code == Errc::Denied) return log;
    for (const char* suffix : {"", "-wal", "-shm"})
        if (os::exists(path + suffix)) GK_CHECK(os::unlink(path + suffix));
    return try_open();
}

Status SentLog::add(const Sent& sent) {
    const std::lock_guard lock(*mutex_);
    GK_TRY(auto transaction, db::Transaction::begin(db_));
    for (const auto& recipient : sent.recipients) {
        GK_TRY(auto q, db_.prepare("INSERT OR REPLACE INTO sent (queue, recipient, trace, account, message_id, at)"
                                   " VALUES (?,?,?,?,?,?)"));
        q.bind(sent.queue)
            .bind(recipient)
            .bind(sent.trace)
            .bind(sent.account)
            .bind(sent.message_id)
            .bind(to_us(sent.at));
        GK_CHECK(q.run());
    }
    return transaction.commit();
}

Result<std::vector<Bounce>> SentLog::take(const std::string& account, const message::DeliveryReport& report,
                                          TimePoint at) {
    const std::lock_guard lock(*mutex_);
    std::string queue, trace, message_id;
    std::vector<std::string> recipients;
    const auto find = [&](std::string_view column, const std::string& value) -> Status {
        if (value.empty() || !queue.empty()) return ok();
        GK_TRY(auto q, db_.prepare("SELECT queue, trace, message_id, recipient FROM sent WHERE " + std::string(column) +
                                   " = ? AND account = ? ORDER BY at DESC, queue LIMIT 1000"));
        q.bind(value).bind(account);
        for (;;) {
            GK_TRY(const bool row, q.step());
            if (!row) return ok();
            if (queue.empty()) {
                queue = q.text(0);
                trace = q.text(1);
                message_id = q.text(2);
            }
            if (q.text(0) == queue) recipients.emplace_back(q.text(3));
        }
    };
    GK_CHECK(find("queue", report.envelope_id));
    GK_CHECK(find("message_id", report.message_id));

    std::vector<Bounce> bounces;
    GK_TRY(auto transaction, db::Transaction::begin(db_));
    for (const auto& each : report.recipients) {
        Bounce bounce{queue,
                      trace,
                      account,
                      each.original.empty() ? each.final : each.original,
                      each.action,
                      each.status,
                      each.diagnostic,
                      report.reporting_mta,
                      message_id.empty() ? report.message_id : message_id,
                      at};
        // As it was written when it was sent.
        for (const auto& recipient : recipients)
            if (text::equals_nocase(recipient, each.original) || text::equals_nocase(recipient, each.final))
                bounce.recipient = recipient;
        if (!queue.empty()) {
            GK_TRY(auto q,
                   db_.prepare("INSERT OR REPLACE INTO bounce (queue, recipient, action, trace, account, status,"
                               " text, reporting_mta, message_id, at) VALUES (?,?,?,?,?,?,?,?,?,?)"));
            q.bind(bounce.queue).bind(bounce.recipient).bind(bounce.action).bind(bounce.trace).bind(bounce.account);
            q.bind(bounce.status).bind(bounce.text).bind(bounce.reporting_mta).bind(bounce.message_id).bind(to_us(at));
            GK_CHECK(q.run());
        }
        bounces.push_back(std::move(bounce));
    }
    GK_CHECK(transaction.commit());
    return bounces;
}

Status SentLog::list(const std::function<void(const Bounce&)>& each) {
    std::vector<Bounce> found;
    {
        const std::lock_guard lock(*mutex_);
        GK_TRY(auto q, db_.prepare("SELECT queue, trace, account, recipient, action, status, text, reporting_mta,"
                                   " message_id, at FROM bounce ORDER BY at DESC"));
        for (;;) {
            GK_TRY(const bool row, q.step());
            if (!row) break;
            Bounce b;
            int column = 0;
            for (auto* text : {&b.queue, &b.trace, &b.account, &b.recipient, &b.action, &b.status, &b.text,
                               &b.reporting_mta, &b.message_id})
                *text = q.text(column++);
            b.at = TimePoint(std::chrono::microseconds(q.integer(column)));
            found.push_back(std::move(b));
        }
    }
    for (const auto& bounce : found) each(bounce);
    return ok();
}

Status SentLog::forget(TimePoint before, std::uint64_t most) {
    const std::lock_guard lock(*mutex_);
    for (const char* sql : {"DELETE FROM sent WHERE at < ?", "DELETE FROM bounce WHERE at < ?"}) {
        GK_TRY(auto q, db_.prepare(sql));
        GK_CHECK(q.bind(to_us(before)).run());
    }
    GK_TRY(auto q, db_.prepare("DELETE FROM sent WHERE at < (SELECT at FROM sent ORDER BY at DESC LIMIT 1 OFFSET ?)"));
    return q.bind(static_cast<std::int64_t>(most) - 1).run();
}

}  // namespace gk::queue
