// SPDX-License-Identifier: MIT
#include "common/smtp/body.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <cerrno>
#include <cstdlib>

namespace gk::smtp {
namespace {

// Not every file system knows O_TMPFILE (overlays of containers do not).
Result<os::Fd> open_unnamed(const std::string& dir) {
    os::Fd fd(::open(dir.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (fd) return fd;
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL && errno != ENOENT)
        return fail_errno("cannot create a file in '" + dir + "'");
    std::string path = dir + "/body.XXXXXX";
    os::Fd named(::mkostemp(path.data(), O_CLOEXEC));
    if (!named) return fail_errno("cannot create a file in '" + dir + "'");
    ::unlink(path.c_str());
    return named;
}

}  // namespace

bool MemoryBudget::take(std::size_t bytes) noexcept {
    const auto wanted = static_cast<std::int64_t>(bytes);
    if (left_.fetch_sub(wanted) >= wanted) return true;
    left_ += wanted;
    return false;
}

Status MessageBody::write(std::string_view bytes) {
    size_ += bytes.size();
    if (!file_ && memory_.size() + bytes.size() <= memory_limit_) {
        // Taken in steps: one addition for a message of the usual size.
        constexpr std::size_t kStep = 32 * 1024;
        const std::size_t wanted = memory_.size() + bytes.size();
        bool granted = wanted <= taken_;
        if (!granted) {
            const std::size_t more = (wanted - taken_ + kStep - 1) / kStep * kStep;
            granted = budget_.take(more);
            if (granted) taken_ += more;
        }
        if (granted) {
            memory_.append(bytes);
            return ok();
        }
    }
    return spill(bytes);
}

Status MessageBody::spill(std::string_view bytes) {
    if (!file_) {
        GK_TRY(file_, open_unnamed(dir_));
    }
    while (!bytes.empty()) {
        const ssize_t count = ::write(file_.get(), bytes.data(), bytes.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return fail_errno("cannot write a message that arrives");
        bytes.remove_prefix(static_cast<std::size_t>(count));
        file_size_ += static_cast<std::uint64_t>(count);
    }
    return ok();
}

void MessageBody::clear() noexcept {
    file_.reset();
    file_size_ = size_ = 0;
    budget_.give(std::exchange(taken_, 0));
    // A usual message's buffer is kept for the next one; a large one's is not.
    constexpr std::size_t kKeep = 32 * 1024;
    if (memory_.capacity() > kKeep) std::string().swap(memory_);
    memory_.clear();
}

}  // namespace gk::smtp
