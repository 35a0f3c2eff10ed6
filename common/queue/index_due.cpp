// SPDX-License-Identifier: MIT
#include <algorithm>

#include "common/queue/index.hpp"
#include "common/queue/lanes.hpp"

// What is due, and whose turn it is.
namespace gk::queue {
namespace {

// Taken from one lane before the next has its turn.
constexpr std::size_t kTurn = 20;
// Taken because their deadline has come, at a time.
constexpr std::size_t kLate = 50;

}  // namespace

Status Index::load_lanes() {
    // A jump for each domain instead of a walk over all messages.
    GK_TRY(auto q, db_.prepare("SELECT name, (SELECT min(w.next) FROM waiting w WHERE w.domain = t.name AND w.next "
                               "IS NOT NULL) FROM tally t WHERE kind = 0"));
    for (;;) {
        GK_TRY(const bool row, q.step());
        if (!row) return ok();
        if (!q.is_null(1)) lanes_->add(std::string(q.text(0)), from_us(q.integer(1)));
    }
}

Status Index::lend(const std::string& id, std::vector<Due>& taken) {
    Due due{id, false};
    std::vector<std::string> domains;
    {
        GK_TRY(auto q, db_.prepare("SELECT forced FROM message WHERE id = ?"));
        q.bind(id);
        GK_TRY(const bool row, q.step());
        due.is_forced = row && q.integer(0) != 0;
        q.reset();
    }
    GK_TRY(domains, domains_locked(id));
    for (const auto& domain : domains) {
        GK_TRY(auto q, db_.prepare("UPDATE waiting SET next = NULL WHERE domain = ? AND id = ?"));
        GK_CHECK(q.bind(domain).bind(id).run());
    }
    GK_TRY(auto q, db_.prepare("UPDATE message SET lent = 1 WHERE id = ?"));
    GK_CHECK(q.bind(id).run());
    taken.push_back(std::move(due));
    return ok();
}

Status Index::take_from_lane(const std::string& domain, TimePoint now, std::size_t most, std::vector<Due>& taken) {
    for (const bool oldest : {true, false}) {
        const std::size_t count = oldest ? most - most / 2 : most / 2;
        if (count == 0) continue;
        std::vector<std::string> ids;
        GK_TRY(auto q, db_.prepare(oldest ? "SELECT id FROM waiting WHERE domain = ? AND next IS NOT NULL AND next <= ?"
                                            " ORDER BY next LIMIT ?"
                                          : "SELECT id FROM waiting WHERE domain = ? AND next IS NOT NULL AND next <= ?"
                                            " ORDER BY next DESC LIMIT ?"));
        q.bind(domain).bind(to_us(now)).bind(static_cast<std::int64_t>(count));
        for (;;) {
            GK_TRY(const bool row, q.step());
            if (!row) break;
            ids.emplace_back(q.text(0));
        }
        for (const auto& id : ids) GK_CHECK(lend(id, taken));
        if (ids.size() < count) break;
    }
    // What it has now.
    GK_TRY(auto q, db_.prepare("SELECT min(next) FROM waiting WHERE domain = ? AND next IS NOT NULL"));
    q.bind(domain);
    GK_TRY(const bool row, q.step());
    std::optional<TimePoint> next;
    if (row && !q.is_null(0)) next = from_us(q.integer(0));
    q.reset();
    auto& lane = lanes_->by_domain[domain];
    lanes_->set(domain, lane, next);
    if (!next && lane.closed <= now) lanes_->by_domain.erase(domain);
    return ok();
}

Result<std::vector<std::string>> Index::past_deadline(TimePoint now, std::size_t limit) {
    std::vector<std::string> ids;
    GK_TRY(auto q, db_.prepare("SELECT id FROM message WHERE held = 0 AND lent = 0 AND deadline IS NOT NULL AND "
                               "deadline <= ? ORDER BY deadline LIMIT ?"));
    q.bind(to_us(now)).bind(static_cast<std::int64_t>(limit));
    for (;;) {
        GK_TRY(const bool row, q.step());
        if (!row) return ids;
        ids.emplace_back(q.text(0));
    }
}

Result<std::vector<Index::Due>> Index::take_due(TimePoint now, std::size_t limit, const Room& room) {
    const std::lock_guard lock(*mutex_);
    std::vector<Due> taken;
    struct Turn {
        std::string domain;
        std::size_t room;
    };
    std::vector<Turn> turns;
    for (const auto& [at, domain] : lanes_->by_time) {
        if (at > now) break;
        turns.push_back({domain, limit});
    }
    GK_TRY(const auto late, past_deadline(now, std::min(limit, kLate)));
    if (turns.empty() && late.empty()) return taken;
    if (room)
        for (auto& turn : turns) {
            turn.room = room(turn.domain);
            lanes_->by_domain[turn.domain].is_full = turn.room == 0;
        }
    GK_TRY(auto all, db::Transaction::begin(db_));
    for (const auto& id : late) {
        GK_TRY(auto q, db_.prepare("UPDATE message SET forced = 1 WHERE id = ?"));
        GK_CHECK(q.bind(id).run());
        GK_CHECK(lend(id, taken));
    }
    while (!turns.empty() && taken.size() < limit) {
        std::vector<Turn> again;
        for (auto& turn : turns) {
            const std::size_t most = std::min({limit - taken.size(), kTurn, turn.room}), before = taken.size();
            if (most == 0) continue;
            GK_CHECK(take_from_lane(turn.domain, now, most, taken));
            turn.room -= taken.size() - before;
            if (taken.size() - before == most) again.push_back(std::move(turn));
        }
        turns = std::move(again);
    }
    GK_CHECK(all.commit());
    return taken;
}

void Index::close(const std::string& domain, TimePoint until) {
    const std::lock_guard lock(*mutex_);
    lanes_->close(domain, lanes_->by_domain[domain], until);
}

void Index::reopen(const std::string& domain) {
    const std::lock_guard lock(*mutex_);
    if (!domain.empty()) {
        const auto lane = lanes_->by_domain.find(domain);
        if (lane != lanes_->by_domain.end()) lanes_->close(domain, lane->second, TimePoint{});
        return;
    }
    for (auto& [name, lane] : lanes_->by_domain) lanes_->close(name, lane, TimePoint{});
}

Status Index::recover(TimePoint now, TimePoint latest) {
    const std::lock_guard lock(*mutex_);
    GK_TRY(auto all, db::Transaction::begin(db_));
    std::vector<std::pair<std::string, std::string>> due;  // domain and id
    {
        std::vector<std::string> lent;
        GK_TRY(auto q, db_.prepare("SELECT id FROM message WHERE lent = 1"));
        for (;;) {
            GK_TRY(const bool row, q.step());
            if (!row) break;
            lent.emplace_back(q.text(0));
        }
        for (const auto& id : lent) {
            GK_TRY(const auto domains, domains_locked(id));
            for (const auto& domain : domains) due.emplace_back(domain, id);
        }
    }
    for (const auto& [domain, lane] : lanes_->by_domain) {
        GK_TRY(auto q, db_.prepare("SELECT w.id FROM waiting w CROSS JOIN message m ON m.id = w.id WHERE w.domain = ? "
                                   "AND w.next IS NOT NULL AND w.next > ? AND m.status = 'deferred'"));
        q.bind(domain).bind(to_us(latest));
        for (;;) {
            GK_TRY(const bool row, q.step());
            if (!row) break;
            due.emplace_back(domain, std::string(q.text(0)));
        }
    }
    for (const auto& [domain, id] : due) {
        GK_TRY(auto row, db_.prepare("UPDATE message SET lent = 0, next = ? WHERE id = ?"));
        GK_CHECK(row.bind(to_us(now)).bind(id).run());
        GK_TRY(auto q, db_.prepare("UPDATE waiting SET next = ? WHERE domain = ? AND id = ?"));
        GK_CHECK(q.bind(to_us(now)).bind(domain).bind(id).run());
        lanes_->add(domain, now);
    }
    return all.commit();
}

Result<std::optional<TimePoint>> Index::next_due() {
    const std::lock_guard lock(*mutex_);
    std::optional<TimePoint> next;
    for (const auto& [at, domain] : lanes_->by_time) {
        if (lanes_->by_domain[domain].is_full) continue;
        next = at;
        break;
    }
    GK_TRY(auto q,
           db_.prepare("SELECT deadline FROM message WHERE held = 0 AND lent = 0 AND deadline IS NOT NULL ORDER "
                       "BY deadline LIMIT 1"));
    GK_TRY(const bool row, q.step());
    if (row) next = next ? std::min(*next, from_us(q.integer(0))) : from_us(q.integer(0));
    q.reset();
    return next;
}

bool Index::has_full_lanes() {
    const std::lock_guard lock(*mutex_);
    const auto now = gk::now();
    for (const auto& [at, domain] : lanes_->by_time) {
        if (at > now) return false;
        if (lanes_->by_domain[domain].is_full) return true;
    }
    return false;
}

Status Index::make_due(TimePoint now, const std::string& domain) {
    std::vector<std::string> domains;
    if (!domain.empty()) domains = {domain};
    else {
        const std::lock_guard lock(*mutex_);
        for (const auto& [name, lane] : lanes_->by_domain) domains.push_back(name);
    }
    // A domain at a time: what is being sent need not wait for all of it.
    for (const auto& name : domains) {
        const std::lock_guard lock(*mutex_);
        GK_TRY(auto all, db::Transaction::begin(db_));
        GK_TRY(auto rows, db_.prepare("UPDATE message SET next = ?1, forced = 1 WHERE id IN (SELECT id FROM waiting "
                                      "WHERE domain = ?2 AND next > ?1)"));
        GK_CHECK(rows.bind(to_us(now)).bind(name).run());
        GK_TRY(auto q, db_.prepare("UPDATE waiting SET next = ?1 WHERE domain = ?2 AND next > ?1"));
        GK_CHECK(q.bind(to_us(now)).bind(name).run());
        GK_CHECK(all.commit());
        if (db_.changes() > 0) lanes_->add(name, now);
    }
    reopen(domain);
    return ok();
}

Status Index::postpone(const std::string& id, TimePoint until) {
    const std::lock_guard lock(*mutex_);
    GK_TRY(auto all, db::Transaction::begin(db_));
    GK_TRY(const auto domains, domains_locked(id));
    if (domains.empty()) {
        Summary unknown;
        unknown.id = unknown.trace_id = id;
        unknown.status = "new";
        unknown.arrival = gk::now();
        unknown.next = until;
        GK_CHECK(put_locked(unknown, false));
        return all.commit();
    }
    GK_TRY(auto row, db_.prepare("UPDATE message SET lent = 0, next = ? WHERE id = ?"));
    GK_CHECK(row.bind(to_us(until)).bind(id).run());
    for (const auto& domain : domains) {
        GK_TRY(auto q, db_.prepare("UPDATE waiting SET next = ? WHERE domain = ? AND id = ?"));
        GK_CHECK(q.bind(to_us(until)).bind(domain).bind(id).run());
        lanes_->add(domain, until);
    }
    return all.commit();
}

}  // namespace gk::queue
