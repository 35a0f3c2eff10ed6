// SPDX-License-Identifier: MIT
#include "common/maildir/writer.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cerrno>
#include <cstdio>

namespace gk::maildir {

namespace {

constexpr std::size_t kBufferBytes = 64 * 1024;
constexpr unsigned kNoReplace = 1;  // RENAME_NOREPLACE, which some libc headers hide

std::string_view folder(Sub sub) noexcept { return sub == Sub::New ? "new" : "cur"; }

// A disk that is full, a quota that is used up, a file size limit or a dying disk: for the sender all the same,
// try again later. Only a mailbox that is gone, and our own mistakes, say something else.
Error temporary(Error error) {
    if (error.code != Errc::NotFound && error.code != Errc::Bug) error.code = Errc::Temporary;
    return error;
}

// rename that never replaces: names are unique, so a name that is there is a mistake, and replacing would lose mail.
int rename_at(int directory, const std::string& from, const std::string& to) noexcept {
    const long done = ::syscall(SYS_renameat2, directory, from.c_str(), directory, to.c_str(), kNoReplace);
    if (done == 0 || (errno != EINVAL && errno != ENOSYS)) return static_cast<int>(done);
    // File systems without the flag (NFS, FUSE). Names are unique, so looking first is enough.
    if (::faccessat(directory, to.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
        return -1;
    }
    return ::renameat(directory, from.c_str(), directory, to.c_str());
}

}  // namespace

NewMessage& NewMessage::operator=(NewMessage&& other) noexcept {
    if (this == &other) return *this;
    abandon();
    directory_ = std::move(other.directory_);
    fd_ = std::move(other.fd_);
    name_ = std::move(other.name_);
    buffer_ = std::move(other.buffer_);
    size_ = other.size_;
    failure_epoch_ = other.failure_epoch_;
    where_ = std::exchange(other.where_, Where::Nowhere);
    coming_ = std::exchange(other.coming_, false);
    return *this;
}

std::string NewMessage::path() const {
    const std::string_view in = where_ == Where::New ? "new" : where_ == Where::Cur ? "cur" : "tmp";
    return directory_ ? fmt::format("{}/{}/{}", directory_->path(), in, name_) : name_;
}

Status NewMessage::write_through(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd_.get(), bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail(temporary(os_error(errno, fmt::format("cannot write '{}'", path()))));
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return ok();
}

Status NewMessage::flush() {
    GK_CHECK(write_through(buffer_));
    buffer_.clear();
    return ok();
}

Result<std::int64_t> NewMessage::written_s() const {
    struct stat status {};
    if (::fstat(fd_.get(), &status) != 0) return fail_errno(fmt::format("cannot stat '{}'", path()));
    return status.st_mtim.tv_sec;
}

Status NewMessage::write(std::string_view bytes) {
    if (!fd_) return fail(Errc::Bug, "write to a message that is not open");
    size_ += bytes.size();
    if (buffer_.size() + bytes.size() > kBufferBytes) {
        GK_CHECK(flush());
        if (bytes.size() >= kBufferBytes) return write_through(bytes);
    }
    buffer_.append(bytes);
    return ok();
}

Status NewMessage::park() {
    GK_CHECK(flush());
    buffer_.shrink_to_fit();
    return close_synced();
}

Status NewMessage::reopen() {
    if (fd_ || where_ != Where::Tmp) return ok();
    fd_ = os::Fd(::openat(directory_->fd(), ("tmp/" + name_).c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC));
    return fd_ ? ok() : fail(temporary(os_error(errno, fmt::format("cannot open '{}'", path()))));
}

Status NewMessage::close_synced() {
    if (!fd_) return ok();
    if (::close(fd_.release()) != 0) return fail(temporary(os_error(errno, fmt::format("cannot close '{}'", path()))));
    return ok();
}

void NewMessage::come() noexcept {
    if (std::exchange(coming_, true)) return;
    directory_->coming().enter();
}

void NewMessage::came() noexcept {
    if (std::exchange(coming_, false)) directory_->coming().leave();
}

void NewMessage::abandon() noexcept {
    fd_.reset();
    if (directory_) came();
    const Where where = std::exchange(where_, Where::Nowhere);
    if (where == Where::Nowhere || !directory_) return;
    const char* in = where == Where::New ? "new/" : where == Where::Cur ? "cur/" : "tmp/";
    ::unlinkat(directory_->fd(), (in + name_).c_str(), 0);
}

Result<NewMessage> Writer::create(const std::string& mailbox, std::string name) {
    auto directory = syncer_.open(mailbox);
    if (!directory) return fail(temporary(directory.error()));
    NewMessage message;
    message.failure_epoch_ = syncer_.failure_epoch();
    message.fd_ = os::Fd(::openat((*directory)->fd(), ("tmp/" + name).c_str(),
                                  O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!message.fd_) return fail(temporary(os_error(errno, fmt::format("cannot create '{}/tmp/{}'", mailbox, name))));
    message.directory_ = std::move(*directory);
    message.name_ = std::move(name);
    message.where_ = NewMessage::Where::Tmp;
    message.come();
    return message;
}

Status Writer::sync(NewMessage& message) {
    GK_CHECK(message.flush());
    GK_CHECK(message.reopen());
    const auto synced = syncer_.sync_file(*message.directory_, message.fd_.get(), message.failure_epoch_);
    if (!synced) return fail(temporary(synced.error()));
    return message.close_synced();
}

Status Writer::sync(std::span<NewMessage* const> messages) {
    if (messages.size() == 1) return sync(*messages.front());
    for (NewMessage* const message : messages) GK_CHECK(message->flush());
    std::vector<dev_t> served;  // file systems that one group flush has made durable already
    const std::uint64_t epoch = syncer_.failure_epoch();
    for (NewMessage* const message : messages) {
        const dev_t device = message->directory_->device();
        const bool durable = std::find(served.begin(), served.end(), device) != served.end();
        if (!durable || message->failure_epoch_ != epoch) {
            GK_CHECK(message->reopen());
            const auto synced =
                syncer_.sync_file(*message->directory_, message->fd_.get(), message->failure_epoch_, true);
            if (!synced) return fail(temporary(synced.error()));
            if (*synced && syncer_.failure_epoch() == epoch) served.push_back(device);
        }
        GK_CHECK(message->close_synced());
    }
    return ok();
}

Status Writer::place(const Placement& placement) {
    NewMessage& message = *placement.message;
    if (message.where_ != NewMessage::Where::Tmp || message.fd_)
        return fail(Errc::Bug, "a message that is not synced cannot be placed");
    const std::string to = fmt::format("{}/{}", folder(placement.sub), placement.name);
    if (rename_at(message.directory_->fd(), "tmp/" + message.name_, to) != 0)
        return fail(temporary(os_error(errno, fmt::format("cannot rename '{}' to '{}'", message.path(), to))));
    message.came();
    message.name_ = placement.name;
    message.where_ = placement.sub == Sub::New ? NewMessage::Where::New : NewMessage::Where::Cur;
    return ok();
}

Status Writer::sync_directories(std::span<NewMessage* const> messages) {
    // Few messages and fewer directories: each pair (mailbox, sub) once.
    std::vector<std::pair<MailboxDirectory*, NewMessage::Where>> done;
    for (NewMessage* const message : messages) {
        if (message->where_ != NewMessage::Where::New && message->where_ != NewMessage::Where::Cur)
            return fail(Errc::Bug, "a message that was not placed cannot be made durable");
        const std::pair key{message->directory_.get(), message->where_};
        if (std::find(done.begin(), done.end(), key) != done.end()) continue;
        const Status synced =
            syncer_.sync_directory(*message->directory_, message->where_ == NewMessage::Where::New ? "new" : "cur");
        if (!synced) return fail(temporary(synced.error()));
        done.push_back(key);
    }
    for (NewMessage* const message : messages) message->where_ = NewMessage::Where::Nowhere;
    return ok();
}

Status Writer::place_all(std::span<Placement> messages) {
    for (const Placement& placement : messages) GK_CHECK(place(placement));
    return ok();
}

Status Writer::commit_together(GroupCommit& group, std::span<Placement> messages, std::span<NewMessage* const> all) {
    std::uint64_t epoch = all.front()->failure_epoch_;
    for (NewMessage* const message : all) {
        GK_CHECK(message->flush());
        epoch = std::min(epoch, message->failure_epoch_);
    }
    const auto place = [&]() -> Status {
        for (NewMessage* const message : all) GK_CHECK(message->close_synced());
        return place_all(messages);
    };
    const auto reached = group.run(place, epoch);
    if (!reached) return fail(temporary(reached.error()));
    if (*reached == GroupCommit::Reached::Durable) {
        for (NewMessage* const message : all) message->where_ = NewMessage::Where::Nowhere;
        return ok();
    }
    if (*reached == GroupCommit::Reached::Nothing) {
        for (NewMessage* const message : all) GK_CHECK(sync(*message));
        GK_CHECK(place_all(messages));
    }
    return sync_directories(all);
}

Status Writer::commit(std::span<Placement> messages) {
    if (messages.empty()) return ok();
    std::vector<NewMessage*> all;
    all.reserve(messages.size());
    for (const Placement& placement : messages) all.push_back(placement.message);
    struct Counted {
        std::atomic<std::size_t>& count;
        std::size_t before = count.fetch_add(1);
        ~Counted() { --count; }
    } const counted{committing_};
    MailboxDirectory& mailbox = *all.front()->directory_;
    const bool one_file_system = std::all_of(all.begin(), all.end(), [&](const NewMessage* message) {
        return message->directory_->device() == mailbox.device();
    });
    GroupCommit* const group = one_file_system ? syncer_.group_commit(mailbox, counted.before + 1) : nullptr;
    Status status = ok();
    if (group != nullptr) {
        status = commit_together(*group, messages, all);
    } else {
        status = sync(all);
        if (status) status = place_all(messages);
        if (status) status = sync_directories(all);
    }
    if (!status)
        for (NewMessage* const message : all) message->abandon();
    return status;
}

}  // namespace gk::maildir
