// SPDX-License-Identifier: MIT
#include "common/queue/suppression.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "common/base/text.hpp"

namespace gk::queue {
namespace {

const std::vector<std::string> kSchema = {
    "CREATE TABLE suppressed (account TEXT NOT NULL, address TEXT NOT NULL, since INTEGER NOT NULL, reason TEXT NOT "
    "NULL, count INTEGER NOT NULL, PRIMARY KEY (account, address)) WITHOUT ROWID;"
    "CREATE INDEX suppressed_since ON suppressed (since);"};
constexpr std::size_t kReason = 1000;  // octets of a reply that are kept
constexpr std::size_t kPage = 500;

}  // namespace

Result<std::unique_ptr<Suppressions>> Suppressions::open(const std::string& spool_dir) {
    auto made = std::make_unique<Suppressions>();
    db::Options options;
    options.mode = 0660;
    GK_TRY(made->db_, db::Database::open(spool_dir + "/suppressed.db", options));
    GK_CHECK(made->db_.migrate(kSchema));
    return made;
}

Result<std::optional<Suppressed>> Suppressions::find(std::string_view account, std::string_view address) {
    const std::lock_guard lock(mutex_);
    GK_TRY(auto q, db_.prepare("SELECT since, reason, count FROM suppressed WHERE account = ? AND address = ?"));
    q.bind(text::lower(account)).bind(text::lower(address));
    GK_TRY(const bool row, q.step());
    std::optional<Suppressed> found;
    if (row)
        found = Suppressed{text::lower(account), text::lower(address), from_unix_s(q.integer(0)),
                           std::string(q.text(1)), static_cast<std::uint64_t>(q.integer(2))};
    q.reset();
    return found;
}

Status Suppressions::add(const Suppressed& entry, std::uint64_t most) {
    const std::lock_guard lock(mutex_);
    GK_TRY(auto all, db::Transaction::begin(db_));
    GK_TRY(auto q, db_.prepare("INSERT INTO suppressed (account, address, since, reason, count) VALUES (?, ?, ?, ?, ?)"
                               " ON CONFLICT DO UPDATE SET count = count + 1, reason = excluded.reason"));
    GK_CHECK(q.bind(text::lower(entry.account))
                 .bind(text::lower(entry.address))
                 .bind(to_unix_s(entry.since))
                 .bind(std::string_view(entry.reason).substr(0, kReason))
                 .bind(static_cast<std::int64_t>(std::max<std::uint64_t>(entry.count, 1)))
                 .run());
    // Each addition makes room for itself, at the most.
    GK_TRY(auto old, db_.prepare("DELETE FROM suppressed WHERE (SELECT count(*) FROM suppressed) > ? AND (account, "
                                 "address) IN (SELECT account, address FROM suppressed ORDER BY since LIMIT 1)"));
    GK_CHECK(old.bind(static_cast<std::int64_t>(most)).run());
    return all.commit();
}

Result<bool> Suppressions::remove(std::string_view account, std::string_view address) {
    const std::lock_guard lock(mutex_);
    GK_TRY(auto q, db_.prepare("DELETE FROM suppressed WHERE account = ? AND address = ?"));
    GK_CHECK(q.bind(text::lower(account)).bind(text::lower(address)).run());
    return db_.changes() > 0;
}

Status Suppressions::list(std::string_view account, const std::function<void(const Suppressed&)>& each) {
    std::string last_account, last_address;
    const std::string wanted = text::lower(account);
    for (;;) {
        std::vector<Suppressed> page;
        {
            const std::lock_guard lock(mutex_);
            GK_TRY(auto q, db_.prepare("SELECT account, address, since, reason, count FROM suppressed WHERE (account, "
                                       "address) > (?1, ?2) AND (?3 = '' OR account = ?3) ORDER BY account, address "
                                       "LIMIT ?4"));
            q.bind(last_account).bind(last_address).bind(wanted).bind(static_cast<std::int64_t>(kPage));
            for (;;) {
                GK_TRY(const bool row, q.step());
                if (!row) break;
                page.push_back({std::string(q.text(0)), std::string(q.text(1)), from_unix_s(q.integer(2)),
                                std::string(q.text(3)), static_cast<std::uint64_t>(q.integer(4))});
            }
        }
        if (page.empty()) return ok();
        last_account = page.back().account;
        last_address = page.back().address;
        for (const auto& entry : page) each(entry);
    }
}

bool means_no_such_address(std::string_view status) noexcept {
    constexpr std::array<std::string_view, 5> kHard = {"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"};
    return std::find(kHard.begin(), kHard.end(), status) != kHard.end();
}

}  // namespace gk::queue
