// SPDX-License-Identifier: MIT
#include "common/delivery/content.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cerrno>
#include <cstdlib>

namespace gk::delivery {

namespace {
constexpr std::size_t kFileBuffer = 256 * 1024;
constexpr std::size_t kKeepAllocated = 64 * 1024;  // what an idle connection may hold on to
}  // namespace

Status Content::write(std::string_view bytes) {
    if (!status_) return status_;
    unmap();
    size_ += bytes.size();
    if (!file_ && memory_.size() + bytes.size() > memory_limit_) status_ = spill();
    if (status_ && file_) {
        if (memory_.size() + bytes.size() > kFileBuffer) status_ = append_to_file(std::exchange(memory_, {}));
        if (status_ && bytes.size() > kFileBuffer) return status_ = append_to_file(bytes);
    }
    if (status_) memory_.append(bytes);
    return status_;
}

Status Content::spill() {
    file_ = os::Fd(::open(spill_directory_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (!file_ && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {  // a file system without O_TMPFILE
        std::string name = spill_directory_ + "/.gk-content-XXXXXX";
        file_ = os::Fd(::mkostemp(name.data(), O_CLOEXEC));
        if (file_) ::unlink(name.c_str());
    }
    if (!file_) return fail_errno(fmt::format("cannot create a file in '{}'", spill_directory_));
    return ok();
}

Status Content::append_to_file(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(file_.get(), bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            Error error = os_error(errno, fmt::format("cannot write to a file in '{}'", spill_directory_));
            error.code = Errc::Temporary;
            return fail(std::move(error));
        }
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return ok();
}

Result<std::string_view> Content::bytes() {
    if (!status_) return fail(status_.error());
    if (!file_) return std::string_view(memory_);
    if (mapped_ == nullptr) {
        if (status_ = append_to_file(std::exchange(memory_, {})); !status_) return fail(status_.error());
        void* const at = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file_.get(), 0);
        if (at == MAP_FAILED) return fail_errno("cannot map a message");
        mapped_ = at;
        mapped_size_ = size_;
    }
    return std::string_view(static_cast<const char*>(mapped_), mapped_size_);
}

void Content::unmap() noexcept {
    if (mapped_ != nullptr) ::munmap(std::exchange(mapped_, nullptr), mapped_size_);
}

void Content::clear() noexcept {
    unmap();
    file_.reset();
    memory_.clear();
    if (memory_.capacity() > kKeepAllocated) memory_.shrink_to_fit();
    size_ = 0;
    status_ = ok();
}

}  // namespace gk::delivery
