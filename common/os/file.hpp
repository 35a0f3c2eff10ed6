// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/base/time.hpp"
#include "common/os/fd.hpp"

// The seam to the disk: every durable write of gk goes through this file and nowhere else, so that
// a test can watch or break it. All paths are plain strings. Nothing here is retried after a
// failed fsync: the descriptor is poisoned, the caller unlinks and reports (Errc::Temporary).
namespace gk::os {

// A new file being written: exclusive create, mode 0600 unless told. Not thread-safe.
class NewFile {
public:
    static Result<NewFile> create(const std::string& path, unsigned mode = 0600);
    NewFile() = default;
    NewFile(NewFile&&) noexcept = default;
    NewFile& operator=(NewFile&&) noexcept = default;

    Status write(std::string_view bytes);                           // all of them, or an error
    Status write_at(std::uint64_t offset, std::string_view bytes);  // over what was written before
    Status sync();                                                  // fsync; once
    Status close();                                                 // reports what close says
    const std::string& path() const noexcept { return path_; }
    int fd() const noexcept { return fd_.get(); }
    void unlink() noexcept;  // removes the name; for giving up

private:
    Fd fd_;
    std::string path_;
};

Result<std::string> read_file(const std::string& path, std::uint64_t limit = 64u << 20);
// Atomic and durable replacement: temporary name beside PATH, fsync, rename, fsync of the directory.
Status replace_file(const std::string& path, std::string_view bytes, unsigned mode = 0600);
Status append_file(const std::string& path, std::string_view bytes, bool sync, unsigned mode = 0600);
// The same, not synced, in a directory where others may write: neither follows a link nor waits for a pipe's reader.
// BadInput where PATH is no regular file.
Status append_regular_file(const std::string& path, std::string_view bytes, unsigned mode = 0600);
Status sync_directory(const std::string& path);
Status sync_filesystem(const std::string& path_on_it);  // syncfs
Status rename(const std::string& from, const std::string& to);
Status rename_new(const std::string& from, const std::string& to);  // Exists where TO is there already
Status link(const std::string& from, const std::string& to);
Status unlink(const std::string& path);
Status make_directories(const std::string& path, unsigned mode = 0700);  // like mkdir -p; not synced
Status remove_tree(const std::string& path);
bool exists(const std::string& path) noexcept;

struct DirEntry {
    std::string name;
    bool is_directory;
};
Result<std::vector<DirEntry>> list_directory(const std::string& path);  // without . and ..; unsorted

// The bytes of a whole file, valid while this lives: a small one is read, a large one mapped. A mapped file that
// shrinks meanwhile would fault, so only for files that are never changed in place (messages).
class MappedFile {
public:
    static Result<MappedFile> open(const std::string& path) { return open_at(-1, path); }
    // PATH below DIRECTORY, which the kernel then need not look up; -1: as it is.
    static Result<MappedFile> open_at(int directory, const std::string& path);
    MappedFile() = default;
    MappedFile(MappedFile&& other) noexcept { *this = std::move(other); }
    MappedFile& operator=(MappedFile&& other) noexcept {
        std::swap(read_, other.read_);
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~MappedFile();
    std::string_view bytes() const noexcept { return {data_, size_}; }
    bool is_mapped() const noexcept { return data_ != nullptr && !read_; }

private:
    std::unique_ptr<char[]> read_;  // where it was read
    const char* data_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace gk::os
