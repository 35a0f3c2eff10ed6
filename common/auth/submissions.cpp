// SPDX-License-Identifier: MIT
#include "common/auth/submissions.hpp"

#include <fmt/format.h>
#include <ctime>
#include <vector>

#include "common/base/text.hpp"

namespace gk::auth {
namespace {

constexpr std::int64_t kSlot_s = 300;
constexpr std::int64_t kHour = 3600 / kSlot_s, kDay = 86'400 / kSlot_s;  // in slots

struct Slot {
    std::int64_t number;
    std::uint64_t messages, recipients;
};

std::uint64_t sum(const std::vector<Slot>& slots, std::int64_t after, std::uint64_t Slot::*what) {
    std::uint64_t total = 0;
    for (const auto& slot : slots)
        if (slot.number > after) total += slot.*what;
    return total;
}

// In local time, with the day where it is not today.
std::string clock_time(std::int64_t at_s, std::int64_t now_s) {
    // "2026-12-01 09:30"
    const auto written = [](std::int64_t s) {
        const auto t = static_cast<std::time_t>(s);
        std::tm tm{};
        ::localtime_r(&t, &tm);
        char buffer[40];
        return std::string(buffer, std::strftime(buffer, sizeof buffer, "%F %H:%M", &tm));
    };
    const std::string at = written(at_s);
    const auto day = at.substr(0, at.find(' '));
    return written(now_s).starts_with(day) ? at.substr(day.size() + 1) : at;
}

struct Rule {
    std::uint64_t limit, more;
    std::uint64_t Slot::*what;
    std::int64_t window;
    std::string_view noun, span;
};

// When enough of what was sent lies behind the window.
std::int64_t free_again(const std::vector<Slot>& slots, const Rule& rule, std::int64_t current) {
    for (const auto& slot : slots)
        if (slot.number > current - rule.window && sum(slots, slot.number, rule.what) + rule.more <= rule.limit)
            return (slot.number + rule.window) * kSlot_s;
    return (current + rule.window) * kSlot_s;  // more at once than the limit ever lets through
}

Result<SubmissionLimit> parse_limit(std::string_view written, SubmissionLimit limit) {
    for (const auto word : text::words(written)) {
        if (word == "none") {
            limit = {};
            continue;
        }
        const auto equals = word.find('=');
        const auto number = equals == std::string_view::npos ? std::nullopt : text::to_uint(word.substr(equals + 1));
        const auto key = word.substr(0, equals);
        std::uint64_t* const field = key == "messages_hour"     ? &limit.messages_hour
                                     : key == "messages_day"    ? &limit.messages_day
                                     : key == "recipients_hour" ? &limit.recipients_hour
                                     : key == "recipients_day"  ? &limit.recipients_day
                                                                : nullptr;
        if (field == nullptr || !number)
            return fail(Errc::Config, fmt::format("'{}' is neither none nor messages_hour=N, messages_day=N, "
                                                  "recipients_hour=N or recipients_day=N",
                                                  text::printable(word, 60)));
        *field = *number;
    }
    return limit;
}

Result<std::vector<Slot>> slots_of(db::Database& db, std::string_view account, std::int64_t current) {
    GK_TRY(auto q, db.prepare("select slot, messages, recipients from submission where account = ? and slot > ? "
                              "order by slot"));
    q.bind(account).bind(current - kDay);
    std::vector<Slot> slots;
    for (;;) {
        GK_TRY(const bool row, q.step());
        if (!row) return slots;
        slots.push_back(
            {q.integer(0), static_cast<std::uint64_t>(q.integer(1)), static_cast<std::uint64_t>(q.integer(2))});
    }
}

}  // namespace

Result<SubmissionLimits> SubmissionLimits::from(const config::Config& config) {
    const auto number = [&](std::string_view key) { return static_cast<std::uint64_t>(config.integer(key)); };
    SubmissionLimits limits;
    limits.usual = {number("smtp.submission_messages_hour"), number("smtp.submission_messages_day"),
                    number("smtp.submission_recipients_hour"), number("smtp.submission_recipients_day")};
    for (const auto& [account, written] : config.table("smtp.submission_overrides")) {
        auto own = parse_limit(written, limits.usual);
        if (!own) return fail(own.error().in(fmt::format("smtp.submission_overrides: '{}'", account)));
        limits.own[text::lower(account)] = *own;
    }
    return limits;
}

const SubmissionLimit& SubmissionLimits::of(std::string_view account) const {
    if (const auto at = own.find(account); at != own.end()) return at->second;
    if (const auto domain = account.rfind('@'); domain != std::string_view::npos)
        if (const auto at = own.find(account.substr(domain)); at != own.end()) return at->second;
    return usual;
}

Result<std::unique_ptr<Submissions>> Submissions::open(const std::string& path) {
    auto made = std::make_unique<Submissions>();
    db::Options options;
    options.mode = 0600;
    options.persist_wal = true;
    options.synchronous_full = false;  // no flush for each recipient
    GK_TRY(made->db_, db::Database::open(path, options));
    return made;
}

Result<std::optional<std::string>> Submissions::count(std::string_view account, std::uint64_t messages,
                                                      std::uint64_t recipients, const SubmissionLimit& limit,
                                                      std::int64_t at_s) {
    const std::lock_guard lock(mutex_);
    const std::int64_t current = at_s / kSlot_s;
    GK_TRY(auto all, db::Transaction::begin(db_));
    GK_TRY(const auto slots, slots_of(db_, account, current));
    const Rule rules[] = {{limit.messages_hour, messages, &Slot::messages, kHour, "messages", "hour"},
                          {limit.messages_day, messages, &Slot::messages, kDay, "messages", "day"},
                          {limit.recipients_hour, recipients, &Slot::recipients, kHour, "recipients", "hour"},
                          {limit.recipients_day, recipients, &Slot::recipients, kDay, "recipients", "day"}};
    for (const auto& rule : rules) {
        const auto sent = sum(slots, current - rule.window, rule.what);
        if (rule.limit == 0 || rule.more == 0 || sent + rule.more <= rule.limit) continue;
        return std::optional(fmt::format("{} sent{} {} {} in the last {}; the limit is {}; try again after {}", account,
                                         rule.what == &Slot::recipients ? " to" : "", sent,
                                         rule.noun.substr(0, rule.noun.size() - (sent == 1 ? 1 : 0)), rule.span,
                                         rule.limit, clock_time(free_again(slots, rule, current), at_s)));
    }
    GK_TRY(auto add, db_.prepare("insert into submission (account, slot, messages, recipients) values (?, ?, ?, ?) on "
                                 "conflict do update set messages = messages + excluded.messages, recipients = "
                                 "recipients + excluded.recipients"));
    GK_CHECK(add.bind(account)
                 .bind(current)
                 .bind(static_cast<std::int64_t>(messages))
                 .bind(static_cast<std::int64_t>(recipients))
                 .run());
    GK_TRY(auto forget, db_.prepare("delete from submission where account = ? and slot <= ?"));
    GK_CHECK(forget.bind(account).bind(current - kDay).run());
    GK_CHECK(all.commit());
    return std::optional<std::string>();
}

Result<Submissions::Use> Submissions::use(std::string_view account, std::int64_t at_s) {
    const std::lock_guard lock(mutex_);
    const std::int64_t current = at_s / kSlot_s;
    GK_TRY(const auto slots, slots_of(db_, account, current));
    return Use{sum(slots, current - kHour, &Slot::messages), sum(slots, current - kDay, &Slot::messages),
               sum(slots, current - kHour, &Slot::recipients), sum(slots, current - kDay, &Slot::recipients)};
}

}  // namespace gk::auth
