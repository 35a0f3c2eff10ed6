// SPDX-License-Identifier: MIT
#include <map>

#include "common/queue/index.hpp"
#include "common/queue/lanes.hpp"

// What the index adds up to, without looking at each message.
namespace gk::queue {
namespace {

// Read before others have their turn with the index.
constexpr std::int64_t kNames = 500, kAges = 20'000;

}  // namespace

// Ids sort by time, so the first of each is its oldest. A jump for each name.
Status Index::page_of_stats(By by, std::vector<Stat>& all) {
    constexpr std::string_view kOldest[] = {
        "(SELECT w.arrival FROM waiting w WHERE w.domain = t.name ORDER BY w.id LIMIT 1),"
        " (SELECT min(w.next) FROM waiting w WHERE w.domain = t.name AND w.next IS NOT NULL)",
        "(SELECT m.arrival FROM message m WHERE m.sender = t.name COLLATE NOCASE ORDER BY m.id LIMIT 1), NULL",
        "(SELECT m.arrival FROM message m WHERE m.account = t.name ORDER BY m.id LIMIT 1), NULL"};
    const auto kind = static_cast<std::int64_t>(by);
    const std::lock_guard lock(*mutex_);
    GK_TRY(auto q, db_.prepare("SELECT name, messages, held, size, reason, " +
                               std::string(kOldest[static_cast<std::size_t>(by)]) +
                               " FROM tally t WHERE kind = ?1 AND (?2 = 0 OR name > ?3) ORDER BY name LIMIT ?4"));
    q.bind(kind).bind(static_cast<std::int64_t>(!all.empty())).bind(all.empty() ? "" : all.back().name).bind(kNames);
    for (;;) {
        GK_TRY(const bool row, q.step());
        if (!row) return ok();
        Stat stat;
        stat.name = q.text(0);
        stat.messages = static_cast<std::uint64_t>(q.integer(1));
        stat.held = static_cast<std::uint64_t>(q.integer(2));
        stat.size = static_cast<std::uint64_t>(q.integer(3));
        stat.reason = q.text(4);
        if (!q.is_null(5)) stat.oldest = from_us(q.integer(5));
        if (!q.is_null(6)) stat.next = from_us(q.integer(6));
        all.push_back(std::move(stat));
    }
}

// The one thing that looks at each message: along one table, which holds little else.
Status Index::count_ages(TimePoint at, std::vector<Stat>& all) {
    std::map<std::string_view, Stat*> by_name;
    for (auto& stat : all) by_name[stat.name] = &stat;
    std::string domain, id;
    for (;;) {
        const std::lock_guard lock(*mutex_);
        GK_TRY(auto q, db_.prepare("SELECT domain, id, arrival FROM waiting WHERE (domain, id) > (?1, ?2)"
                                   " ORDER BY domain, id LIMIT ?3"));
        q.bind(domain).bind(id).bind(kAges);
        std::int64_t rows = 0;
        for (;; ++rows) {
            GK_TRY(const bool row, q.step());
            if (!row) break;
            if (rows == 0 || q.text(0) != domain) domain = q.text(0);
            if (rows + 1 == kAges) id = q.text(1);
            if (const auto stat = by_name.find(domain); stat != by_name.end())
                ++stat->second->ages[age_column(at, from_us(q.integer(2)))];
        }
        if (rows < kAges) return ok();
    }
}

Result<std::vector<Stat>> Index::stats(By by, TimePoint at) {
    std::vector<Stat> all;
    for (std::size_t before = 1; before != all.size();) {
        before = all.size();
        GK_CHECK(page_of_stats(by == By::Age ? By::Destination : by, all));
    }
    if (by == By::Age) GK_CHECK(count_ages(at, all));
    return all;
}

}  // namespace gk::queue
