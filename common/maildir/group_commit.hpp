// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "common/base/result.hpp"
#include "common/os/fd.hpp"

namespace gk::maildir {

// Commits of many threads on one file system, made durable together. One thread flushes the whole file system again and
// again while anybody waits: a flush makes the bytes of those durable that came before it, which are then renamed, and
// the names of those that were renamed before it. So each commit still has its two flushes in order, and shares both.
// Thread-safe. The thread begins with the first commit, so that it is closed in as the program is.
class GroupCommit {
public:
    // FAILURES counts failed flushes of whole file systems and outlives this; FLUSHES counts ours.
    GroupCommit(os::Fd file_system, std::chrono::milliseconds patience, std::atomic<std::uint64_t>& failures,
                std::atomic<std::uint64_t>& flushes)
        : file_system_(std::move(file_system)), patience_(patience), failures_(failures), flushes_(flushes) {}
    ~GroupCommit();
    GroupCommit(const GroupCommit&) = delete;

    // A flush of the whole file system waits for what others write there too. While it is slower than PATIENCE, commits
    // had better flush their own files.
    bool is_slow() const noexcept;

    // How far a commit got. What is missing is left to the caller, by flushes of its own.
    enum class Reached { Nothing, Placed, Durable };
    // PLACE renames the messages, whose bytes are written; it is called once, on our thread, and not at all where an
    // error or Nothing is returned. EPOCH: what FAILURES was when the first of their files was opened.
    Result<Reached> run(std::function<Status()> place, std::uint64_t epoch);

private:
    enum class Stage { Written, Placing, Placed, Ended };
    struct Commit {
        std::function<Status()> place;
        std::uint64_t epoch = 0;
        Stage stage = Stage::Written;
        Reached reached = Reached::Nothing;
        Status status;
        std::condition_variable ended;
    };
    using Commits = std::vector<std::shared_ptr<Commit>>;
    void loop();
    Status flush();
    // With the lock held.
    void end(Commits& commits, const Status& status, Reached reached);
    Commits take_written(const Status& flushed);

    const os::Fd file_system_;
    const std::chrono::milliseconds patience_;
    std::atomic<std::uint64_t>& failures_;
    std::atomic<std::uint64_t>& flushes_;
    std::atomic<std::int64_t> slow_until_ns_{0};
    std::mutex mutex_;
    std::condition_variable wanted_;
    Commits written_, taken_;  // for the next flush; for the one that runs
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace gk::maildir
