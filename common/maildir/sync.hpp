// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/base/result.hpp"
#include "common/maildir/group_commit.hpp"
#include "common/os/fd.hpp"

// Flushes shared between threads. A flush is some milliseconds of waiting and almost no work, so whoever asks
// while one runs waits for the next, and that one serves all who wait.
namespace gk::maildir {

struct SyncOptions {
    // From how many commits at once they share flushes of the whole file system (see group_commit.hpp). 0: never; then,
    // and below it, each flushes its own files. Several messages of one commit share one in any case.
    std::size_t group_from = 24;
    // How long a commit waits for such a flush before it flushes its own files: many times what a flush takes on a disk
    // that is well, and less than a client notices.
    std::chrono::milliseconds patience{1000};
    // How long the flush of a directory waits for messages that are about to be renamed into it, so as to serve them
    // too. One commit alone never waits.
    std::chrono::microseconds gather{4000};
    std::size_t max_open_mailboxes = 128;
};

// How many are on their way to a place. Thread-safe.
class Gathering {
public:
    void enter() {
        const std::lock_guard lock(mutex_);
        ++coming_;
    }
    void leave() {
        const std::lock_guard lock(mutex_);
        if (--coming_ == 0) none_.notify_all();
    }
    // Returns when nobody is on the way any more, at the latest after TIME.
    void wait(std::chrono::microseconds time) {
        std::unique_lock lock(mutex_);
        if (coming_ != 0) none_.wait_for(lock, time, [this] { return coming_ == 0; });
    }

private:
    std::mutex mutex_;
    std::condition_variable none_;
    std::size_t coming_ = 0;
};

// A flush that many may wait for: run() returns once a call of FLUSH has ended that began after run() was entered.
// At most one FLUSH runs at a time. A failure is told to all whom that call served.
class SharedFlush {
public:
    template <class Flush>
    Status run(Flush&& flush) {
        std::unique_lock lock(mutex_);
        const std::uint64_t mine = started_ + 1;
        ++waiting_;  // for the next one to begin
        while (finished_ < mine) {
            if (running_) {
                ended_[mine % 2].wait(lock);
                continue;
            }
            running_ = true;
            waiting_ = 0;  // this one serves them all
            const std::uint64_t number = ++started_;
            lock.unlock();
            Status status = flush();
            lock.lock();
            running_ = false;
            finished_ = number;
            if (!status) failed_ = number, failure_ = status.error();
            const bool wanted_again = waiting_ != 0;
            lock.unlock();
            ended_[number % 2].notify_all();                          // those whom it served,
            if (wanted_again) ended_[(number + 1) % 2].notify_one();  // and one to lead the next
            lock.lock();
        }
        // A later call may have failed for others already; only the one that served us counts, and it is
        // the first that began after us. Should two have failed meanwhile, ours is among them: say so.
        if (failed_ >= mine) return fail(failure_);
        return ok();
    }

private:
    std::mutex mutex_;
    std::condition_variable ended_[2];  // of calls with even and odd numbers
    std::uint64_t started_ = 0, finished_ = 0, failed_ = 0;
    std::size_t waiting_ = 0;
    bool running_ = false;
    Error failure_;
};

// An open mailbox directory and, once used, its new/ and cur/. Valid while a shared_ptr to it lives, even after the
// mailbox was renamed or removed (then changes go to the renamed one, or fail with NotFound).
class MailboxDirectory {
public:
    const std::string& path() const noexcept { return path_; }
    int fd() const noexcept { return fd_.get(); }
    dev_t device() const noexcept { return device_; }
    // Messages in tmp/ that will be renamed soon.
    Gathering& coming() noexcept { return coming_; }

private:
    friend class Syncer;
    std::string path_;
    os::Fd fd_;
    dev_t device_ = 0;
    ino_t inode_ = 0;
    struct Sub {
        std::mutex opening;
        os::Fd fd;  // once open, it stays
        SharedFlush flush;
    };
    Sub new_, cur_, tmp_;
    Gathering coming_;
    Sub& sub(std::string_view name) noexcept { return name == "new" ? new_ : name == "cur" ? cur_ : tmp_; }
};

// Thread-safe.
class Syncer {
public:
    explicit Syncer(const SyncOptions& options = {}) : options_(options) {}

    // From the cache where the path still names the same directory (one stat), else opened. NotFound where it is not.
    Result<std::shared_ptr<MailboxDirectory>> open(const std::string& mailbox);

    // Returns once every change of names in SUB ("new", "cur", "tmp") of MAILBOX that was made before the call is
    // durable.
    Status sync_directory(MailboxDirectory& mailbox, std::string_view sub);
    // Returns once the bytes written to FD (in MAILBOX's file system) are durable. Never called twice for one FD.
    // EPOCH: what failure_epoch() said when FD was opened. One of MANY: a group flush at once, which serves all that
    // were written before it; true then, and the caller need not ask for the others of this file system.
    Result<bool> sync_file(MailboxDirectory& mailbox, int fd, std::uint64_t epoch, bool many = false);
    // For commits into MAILBOX; null where they are to flush their own files. COMMITS: how many are under way, this one
    // included.
    GroupCommit* group_commit(MailboxDirectory& mailbox, std::size_t commits);
    // Counts failed group flushes: a file older than the last failure is flushed on its own, since the kernel
    // tells a failed write-back to one syncfs only.
    std::uint64_t failure_epoch() const noexcept { return failures_.load(); }

    struct Counts {
        std::uint64_t files = 0, directories = 0, groups = 0;
    };
    Counts counts() const noexcept { return {files_.load(), directories_.load(), groups_.load()}; }

private:
    struct FileSystem {
        os::Fd fd;
        SharedFlush flush;
        std::optional<GroupCommit> commits;
    };
    Result<std::shared_ptr<FileSystem>> file_system(MailboxDirectory& mailbox);

    SyncOptions options_;
    std::mutex mutex_;
    using Cached = std::pair<std::string, std::shared_ptr<MailboxDirectory>>;
    std::list<Cached> recent_;  // most recently used first
    std::unordered_map<std::string, std::list<Cached>::iterator> by_path_;
    std::atomic<std::uint64_t> failures_{0}, files_{0}, directories_{0}, groups_{0};
    std::unordered_map<dev_t, std::shared_ptr<FileSystem>> file_systems_;  // ends before what it counts in
};

}  // namespace gk::maildir
