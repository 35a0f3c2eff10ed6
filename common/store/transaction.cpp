// SPDX-License-Identifier: MIT
#include "common/store/state.hpp"

#include <fmt/format.h>

#include "common/base/time.hpp"

namespace gk::store {

Locked::~Locked() {
    const auto changes = std::exchange(state_.changes, {});
    lock_.unlock();
    if (state_.options.sink == nullptr) return;
    for (const auto& change : changes)
        state_.options.sink->changed({state_.options.name, change.mailbox, change.modseq});
}

Result<WriteTransaction> WriteTransaction::begin(State& state) {
    GK_TRY(auto transaction, db::Transaction::begin(state.index));
    return WriteTransaction(state, std::move(transaction));
}

WriteTransaction::~WriteTransaction() {
    if (state_ == nullptr || committed_) return;
    state_->touched.clear();
    if (state_->changes.size() > noted_) state_->changes.resize(noted_);
}

Status WriteTransaction::commit() {
    GK_CHECK(save_touched(*state_));
    GK_CHECK(transaction_->commit());
    committed_ = true;
    return ok();
}

Result<ReadTransaction> ReadTransaction::begin(State& state) {
    GK_TRY(auto statement, state.index.prepare("BEGIN"));
    GK_CHECK(statement.run());
    return ReadTransaction(state);
}

ReadTransaction::~ReadTransaction() {
    if (state_ == nullptr) return;
    if (auto statement = state_->index.prepare("COMMIT")) (void)statement->run();
}

void without_waiting(State& state, const std::function<Status()>& write) {
    (void)state.index.execute("PRAGMA busy_timeout = 0");
    (void)write();
    (void)state.index.execute(fmt::format("PRAGMA busy_timeout = {}", db::Options().busy_timeout_ms));
}

void note_change(State& state, const Record& record) { state.changes.push_back({record.name, record.modseq}); }

std::int64_t now_s() { return to_unix_s(now()); }
std::int64_t now_ns() { return now().time_since_epoch().count() * 1000; }

}  // namespace gk::store
