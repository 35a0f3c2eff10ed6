// SPDX-License-Identifier: MIT
#include "common/os/file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>

#include "common/base/ids.hpp"

namespace gk::os {

void Fd::reset() noexcept {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

namespace {

std::string quoted(std::string_view action, const std::string& path) {
    return fmt::format("cannot {} '{}'", action, path);
}

Status write_all(int fd, std::string_view bytes, const std::string& path) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_errno(quoted("write", path));
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return ok();
}

std::string parent_of(const std::string& path) {
    const auto slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

Result<NewFile> NewFile::create(const std::string& path, unsigned mode) {
    NewFile file;
    file.fd_ = Fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (!file.fd_) return fail_errno(quoted("create", path));
    file.path_ = path;
    return file;
}

Status NewFile::write(std::string_view bytes) { return write_all(fd_.get(), bytes, path_); }

Status NewFile::write_at(std::uint64_t offset, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_errno(quoted("write", path_));
        bytes.remove_prefix(static_cast<std::size_t>(n));
        offset += static_cast<std::uint64_t>(n);
    }
    return ok();
}

Status NewFile::sync() {
    if (::fsync(fd_.get()) != 0) return fail_errno(quoted("sync", path_));
    return ok();
}

Status NewFile::close() {
    if (::close(fd_.release()) != 0) return fail_errno(quoted("close", path_));
    return ok();
}

void NewFile::unlink() noexcept { ::unlink(path_.c_str()); }

Result<std::string> read_file(const std::string& path, std::uint64_t limit) {
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return fail_errno(quoted("open", path));
    std::string bytes;
    char buffer[65536];
    for (;;) {
        const ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_errno(quoted("read", path));
        if (n == 0) return bytes;
        bytes.append(buffer, static_cast<std::size_t>(n));
        if (bytes.size() > limit)
            return fail(Errc::BadInput, fmt::format("cannot read '{}': larger than {} bytes", path, limit));
    }
}

Status replace_file(const std::string& path, std::string_view bytes, unsigned mode) {
    GK_TRY(NewFile file, NewFile::create(fmt::format("{}.{}.tmp", path, new_id()), mode));
    Status done = file.write(bytes);
    if (done) done = file.sync();
    if (done) done = file.close();
    if (done) done = rename(file.path(), path);
    if (!done) {
        file.unlink();
        return done;
    }
    return sync_directory(parent_of(path));
}

Status append_file(const std::string& path, std::string_view bytes, bool sync, unsigned mode) {
    const Fd fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, mode));
    if (!fd) return fail_errno(quoted("open", path));
    GK_CHECK(write_all(fd.get(), bytes, path));
    if (sync && ::fdatasync(fd.get()) != 0) return fail_errno(quoted("sync", path));
    return ok();
}

Status append_regular_file(const std::string& path, std::string_view bytes, unsigned mode) {
    const Fd fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, mode));
    if (!fd) return fail_errno(quoted("open", path));
    struct stat st;
    if (::fstat(fd.get(), &st) != 0) return fail_errno(quoted("stat", path));
    if (!S_ISREG(st.st_mode)) return fail(Errc::BadInput, "'" + path + "' is no regular file");
    return write_all(fd.get(), bytes, path);
}

Status sync_directory(const std::string& path) {
    const Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) return fail_errno(quoted("open", path));
    if (::fsync(fd.get()) != 0) return fail_errno(quoted("sync", path));
    return ok();
}

Status sync_filesystem(const std::string& path_on_it) {
    const Fd fd(::open(path_on_it.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return fail_errno(quoted("open", path_on_it));
    if (::syncfs(fd.get()) != 0) return fail_errno(quoted("sync the file system of", path_on_it));
    return ok();
}

Status rename(const std::string& from, const std::string& to) {
    if (::rename(from.c_str(), to.c_str()) != 0) return fail_errno(fmt::format("cannot rename '{}' to '{}'", from, to));
    return ok();
}

Status rename_new(const std::string& from, const std::string& to) {
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return ok();
    const std::string what = fmt::format("cannot rename '{}' to '{}'", from, to);
    if (errno != EINVAL) return fail_errno(what);
    // The file system cannot do this in one step (some network and FUSE ones).
    if (::link(from.c_str(), to.c_str()) != 0 || ::unlink(from.c_str()) != 0) return fail_errno(what);
    return ok();
}

Status link(const std::string& from, const std::string& to) {
    if (::link(from.c_str(), to.c_str()) != 0) return fail_errno(fmt::format("cannot link '{}' to '{}'", from, to));
    return ok();
}

Status unlink(const std::string& path) {
    if (::unlink(path.c_str()) != 0) return fail_errno(quoted("remove", path));
    return ok();
}

Status make_directories(const std::string& path, unsigned mode) {
    if (::mkdir(path.c_str(), mode) == 0) return ok();
    if (errno == EEXIST) {
        struct stat status {};
        if (::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return ok();
        return fail(Errc::Exists, fmt::format("cannot create directory '{}': a file is in its place", path));
    }
    if (errno != ENOENT) return fail_errno(quoted("create directory", path));
    GK_CHECK(make_directories(parent_of(path), mode));
    if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return fail_errno(quoted("create directory", path));
    return ok();
}

Status remove_tree(const std::string& path) {
    auto entries = list_directory(path);
    if (!entries) return entries.error().code == Errc::NotFound ? ok() : fail(entries.error());
    for (const auto& entry : *entries) {
        const std::string inside = path + '/' + entry.name;
        if (entry.is_directory) GK_CHECK(remove_tree(inside));
        else GK_CHECK(unlink(inside));
    }
    if (::rmdir(path.c_str()) != 0) return fail_errno(quoted("remove directory", path));
    return ok();
}

bool exists(const std::string& path) noexcept { return ::access(path.c_str(), F_OK) == 0; }

Result<std::vector<DirEntry>> list_directory(const std::string& path) {
    DIR* stream = ::opendir(path.c_str());
    if (stream == nullptr) return fail_errno(quoted("open directory", path));
    const std::unique_ptr<DIR, int (*)(DIR*)> closer(stream, ::closedir);
    std::vector<DirEntry> entries;
    for (;;) {
        errno = 0;
        const dirent* entry = ::readdir(stream);
        if (entry == nullptr) break;
        const std::string_view name = entry->d_name;
        if (name == "." || name == "..") continue;
        bool is_directory = entry->d_type == DT_DIR;
        if (entry->d_type == DT_UNKNOWN) {  // file systems that keep no type in the directory
            struct stat status {};
            is_directory = ::lstat((path + '/' + entry->d_name).c_str(), &status) == 0 && S_ISDIR(status.st_mode);
        }
        entries.push_back({std::string(name), is_directory});
    }
    if (errno != 0) return fail_errno(quoted("read directory", path));
    return entries;
}

Result<MappedFile> MappedFile::open_at(int directory, const std::string& path) {
    // Below this a copy costs less than page faults and the flush of their translations.
    constexpr off_t kMostRead = 256 * 1024;
    const Fd fd(::openat(directory < 0 ? AT_FDCWD : directory, path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return fail_errno(quoted("open", path));
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return fail_errno(quoted("stat", path));
    if (S_ISDIR(status.st_mode)) return fail(Errc::NotFound, quoted("open", path) + ": it is a directory");
    MappedFile file;
    if (status.st_size == 0) return file;
    const auto size = static_cast<std::size_t>(status.st_size);
    if (status.st_size <= kMostRead) {
        file.read_.reset(new char[size]);
        while (file.size_ < size) {
            const ssize_t count = ::read(fd.get(), file.read_.get() + file.size_, size - file.size_);
            if (count < 0 && errno == EINTR) continue;
            if (count < 0) return fail_errno(quoted("read", path));
            if (count == 0) break;
            file.size_ += static_cast<std::size_t>(count);
        }
        file.data_ = file.read_.get();
        return file;
    }
    void* const at = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (at == MAP_FAILED) return fail_errno(quoted("map", path));
    file.data_ = static_cast<const char*>(at);
    file.size_ = size;
    return file;
}

MappedFile::~MappedFile() {
    if (is_mapped()) ::munmap(const_cast<char*>(data_), size_);
}

}  // namespace gk::os
