// SPDX-License-Identifier: MIT
#include "common/maildir/sync.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>

namespace gk::maildir {

Result<std::shared_ptr<MailboxDirectory>> Syncer::open(const std::string& mailbox) {
    struct stat now {};
    if (::stat(mailbox.c_str(), &now) != 0) return fail_errno(fmt::format("cannot open mailbox '{}'", mailbox));
    {
        const std::lock_guard lock(mutex_);
        if (const auto found = by_path_.find(mailbox); found != by_path_.end()) {
            const auto& directory = found->second->second;
            if (directory->device_ == now.st_dev && directory->inode_ == now.st_ino) {
                recent_.splice(recent_.begin(), recent_, found->second);
                return directory;
            }
            recent_.erase(found->second);  // renamed or removed meanwhile, and made anew
            by_path_.erase(found);
        }
    }
    auto directory = std::make_shared<MailboxDirectory>();
    directory->path_ = mailbox;
    directory->fd_ = os::Fd(::open(mailbox.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory->fd_) return fail_errno(fmt::format("cannot open mailbox '{}'", mailbox));
    if (::fstat(directory->fd_.get(), &now) != 0) return fail_errno(fmt::format("cannot stat mailbox '{}'", mailbox));
    directory->device_ = now.st_dev;
    directory->inode_ = now.st_ino;

    const std::lock_guard lock(mutex_);
    if (const auto found = by_path_.find(mailbox); found != by_path_.end()) return found->second->second;
    recent_.emplace_front(mailbox, directory);
    by_path_[mailbox] = recent_.begin();
    while (recent_.size() > std::max<std::size_t>(options_.max_open_mailboxes, 1)) {
        by_path_.erase(recent_.back().first);
        recent_.pop_back();
    }
    return directory;
}

Status Syncer::sync_directory(MailboxDirectory& mailbox, std::string_view name) {
    auto& sub = mailbox.sub(name);
    {
        const std::lock_guard lock(sub.opening);
        if (!sub.fd) {
            const std::string relative(name);
            sub.fd = os::Fd(::openat(mailbox.fd(), relative.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
            // A failure, of descriptors or of memory, is not kept: the next delivery tries again.
            if (!sub.fd) return fail_errno(fmt::format("cannot open '{}/{}'", mailbox.path_, name));
        }
    }
    return sub.flush.run([&]() -> Status {
        mailbox.coming_.wait(options_.gather);
        ++directories_;
        if (::fsync(sub.fd.get()) != 0) return fail_errno(fmt::format("cannot sync '{}/{}'", mailbox.path_, name));
        return ok();
    });
}

Result<std::shared_ptr<Syncer::FileSystem>> Syncer::file_system(MailboxDirectory& mailbox) {
    const std::lock_guard lock(mutex_);
    auto& entry = file_systems_[mailbox.device_];
    if (!entry) {
        // A descriptor each: the kernel tells a failed write-back once to each that asks.
        const auto open = [&] { return os::Fd(::openat(mailbox.fd(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)); };
        auto opened = std::make_shared<FileSystem>();
        opened->fd = open();
        os::Fd other = open();
        if (!opened->fd || !other) return fail_errno(fmt::format("cannot open '{}'", mailbox.path_));
        opened->commits.emplace(std::move(other), options_.patience, failures_, groups_);
        entry = std::move(opened);
    }
    return entry;
}

GroupCommit* Syncer::group_commit(MailboxDirectory& mailbox, std::size_t commits) {
    if (options_.group_from == 0 || commits < options_.group_from) return nullptr;
    const auto system = file_system(mailbox);
    if (!system || (*system)->commits->is_slow()) return nullptr;
    return &*(*system)->commits;  // stays as long as we do
}

Result<bool> Syncer::sync_file(MailboxDirectory& mailbox, int fd, std::uint64_t epoch, bool many) {
    if (many && options_.group_from != 0 && epoch == failure_epoch()) {
        GK_TRY(const auto system, file_system(mailbox));
        GK_CHECK(system->flush.run([&]() -> Status {
            ++groups_;
            if (::syncfs(system->fd.get()) == 0) return ok();
            ++failures_;
            return fail_errno(fmt::format("cannot sync the file system of '{}'", mailbox.path_));
        }));
        if (epoch == failure_epoch()) return true;
        // Another group failed between our opening and now, and may have been told of our pages: ask our own file.
    }
    ++files_;
    if (::fsync(fd) != 0) return fail_errno(fmt::format("cannot sync a message in '{}'", mailbox.path_));
    return false;
}

}  // namespace gk::maildir
