// SPDX-License-Identifier: MIT
#include "common/maildir/group_commit.hpp"

#include <unistd.h>
#include <cerrno>
#include <system_error>

namespace gk::maildir {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kSlowFor{10};

std::int64_t now_ns() { return Clock::now().time_since_epoch() / std::chrono::nanoseconds(1); }

}  // namespace

GroupCommit::~GroupCommit() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wanted_.notify_one();
    if (thread_.joinable()) thread_.join();
}

bool GroupCommit::is_slow() const noexcept { return now_ns() < slow_until_ns_.load(std::memory_order_relaxed); }

Result<GroupCommit::Reached> GroupCommit::run(std::function<Status()> place, std::uint64_t epoch) {
    const auto commit = std::make_shared<Commit>();
    commit->place = std::move(place);
    commit->epoch = epoch;
    std::unique_lock lock(mutex_);
    if (!thread_.joinable()) {
        try {
            thread_ = std::thread([this] { loop(); });
        } catch (const std::system_error&) {  // no thread to be had
            return Reached::Nothing;
        }
    }
    written_.push_back(commit);
    if (written_.size() == 1) wanted_.notify_one();
    const auto given_up = Clock::now() + patience_;
    while (commit->stage != Stage::Ended) {
        if (commit->ended.wait_until(lock, given_up) == std::cv_status::no_timeout) continue;
        slow_until_ns_ = now_ns() + kSlowFor / std::chrono::nanoseconds(1);
        if (commit->stage == Stage::Placing) {  // a moment, and not to be disturbed
            commit->ended.wait_for(lock, std::chrono::milliseconds(1));
            continue;
        }
        if (commit->stage == Stage::Ended) break;
        const auto reached = commit->stage == Stage::Placed ? Reached::Placed : Reached::Nothing;
        commit->stage = Stage::Ended;
        return reached;
    }
    if (!commit->status) return fail(commit->status.error());
    return commit->reached;
}

Status GroupCommit::flush() {
    ++flushes_;
    if (::syncfs(file_system_.get()) == 0) return ok();
    const int error = errno;
    ++failures_;
    return fail(os_error(error, "cannot sync the file system of the mailboxes"));
}

void GroupCommit::end(Commits& commits, const Status& status, Reached reached) {
    for (const auto& commit : commits) {
        if (commit->stage == Stage::Ended) continue;  // its thread gave us up
        commit->stage = Stage::Ended;
        commit->status = status;
        commit->reached = reached;
        commit->ended.notify_one();
    }
    commits.clear();
}

// Those of TAKEN_ whose bytes are durable now, ready to be placed.
GroupCommit::Commits GroupCommit::take_written(const Status& flushed) {
    Commits ready;
    if (!flushed) {
        end(taken_, flushed, Reached::Nothing);
        return ready;
    }
    for (auto& commit : taken_) {
        if (commit->stage == Stage::Ended) continue;
        if (commit->epoch != failures_.load()) {
            // A flush failed since its file was opened, and may have been told of its pages: let it ask its own file.
            Commits one{commit};
            end(one, ok(), Reached::Nothing);
            continue;
        }
        commit->stage = Stage::Placing;
        ready.push_back(std::move(commit));
    }
    taken_.clear();
    return ready;
}

void GroupCommit::loop() {
    Commits placed;  // wait for their names to become durable
    std::unique_lock lock(mutex_);
    for (;;) {
        wanted_.wait(lock, [&] { return stopping_ || !written_.empty() || !placed.empty(); });
        if (written_.empty() && placed.empty()) return;
        taken_.swap(written_);
        lock.unlock();
        const Status flushed = flush();
        lock.lock();
        end(placed, flushed, Reached::Durable);
        Commits ready = take_written(flushed);
        lock.unlock();
        for (const auto& commit : ready) commit->status = commit->place();
        lock.lock();
        for (const auto& commit : ready) {
            if (commit->status) {
                commit->stage = Stage::Placed;
                placed.push_back(commit);
            } else {
                Commits one{commit};
                end(one, Status(commit->status), Reached::Nothing);
            }
        }
    }
}

}  // namespace gk::maildir
