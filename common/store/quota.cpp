// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <cerrno>

#include "common/os/file.hpp"
#include "common/store/state.hpp"

// What an account keeps, and whether it may keep more. The counters are one row, which triggers of the index carry on.
namespace gk::store {

namespace {

tl::unexpected<Error> over(std::string text) { return fail(Error{Errc::Temporary, std::move(text), EDQUOT}); }

// Mailboxes that were found but not looked into yet count as empty until then; so many are looked into at once, so that
// ten thousand that a foreign tool made hold nobody up.
constexpr int kLookedIntoAtOnce = 100;

Status look_into_new(State& state) {
    GK_TRY(auto query, state.index.prepare("SELECT number FROM mailboxes WHERE uidvalidity = 0 LIMIT ?"));
    query.bind(std::int64_t{kLookedIntoAtOnce});
    std::vector<std::int64_t> unread;
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) break;
        unread.push_back(query.integer(0));
    }
    for (const auto number : unread) {
        GK_TRY(auto record, find_record(state, number));
        if (record) GK_CHECK(refresh(state, *record, false));
    }
    return ok();
}

Result<Totals> counted(db::Database& index, std::string_view sql) {
    GK_TRY(auto query, index.prepare(sql));
    GK_TRY(const bool row, query.step());
    Totals totals;
    if (row) totals = {static_cast<std::uint64_t>(query.integer(0)), static_cast<std::uint64_t>(query.integer(1))};
    query.reset();
    return totals;
}

}  // namespace

Result<Totals> read_totals(State& state) {
    return counted(state.index, "SELECT max(messages, 0), max(bytes, 0) FROM totals");
}

Status check_room(State& state, const Quota& quota, std::uint64_t messages, std::uint64_t bytes) {
    if (!quota.limited()) return ok();
    GK_TRY(const Totals totals, read_totals(state));
    // One that a smaller quota left over it may still do what adds nothing.
    if (quota.messages != 0 && messages != 0 && totals.messages + messages > quota.messages)
        return over(fmt::format("the quota of {} messages is used up", quota.messages));
    if (quota.bytes != 0 && bytes != 0 && totals.bytes + bytes > quota.bytes)
        return over(fmt::format("the quota of {} octets is used up", quota.bytes));
    return ok();
}

Status recount_totals(State& state) {
    GK_TRY(auto update,
           state.index.prepare("UPDATE totals SET (messages, bytes) = "
                               "(SELECT coalesce(sum(messages), 0), coalesce(sum(bytes), 0) FROM mailboxes)"));
    return update.run();
}

const Quota& Account::quota() const noexcept { return state_->options.quota; }

Result<Totals> Account::totals() {
    const Locked lock(*state_);
    GK_CHECK(sync_tree(*state_));
    GK_CHECK(look_into_new(*state_));
    return read_totals(*state_);
}

Result<Totals> Account::kept_totals(const std::string& home) {
    const std::string path = home + "/index.db";
    if (!os::exists(path)) return Totals{};
    db::Options options;
    options.create = false;
    options.synchronous_full = false;
    GK_TRY(auto index, db::Database::open(path, options));
    // Not from the one row: the index may be of a version that had none.
    return counted(index, "SELECT coalesce(sum(messages), 0), coalesce(sum(bytes), 0) FROM mailboxes");
}

Status Account::room_for(std::uint64_t messages, std::uint64_t bytes) {
    return room_for(state_->options.quota, messages, bytes);
}

Status Account::room_for(const Quota& quota, std::uint64_t messages, std::uint64_t bytes) {
    if (!quota.limited()) return ok();
    const Locked lock(*state_);
    GK_CHECK(sync_tree(*state_));
    GK_CHECK(look_into_new(*state_));
    return check_room(*state_, quota, messages, bytes);
}

}  // namespace gk::store
