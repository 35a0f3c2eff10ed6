// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.hpp"
#include "common/os/fd.hpp"

namespace gk::delivery {

// A message while it is read: in memory up to a limit, past it in a file without a name, so that the memory of a
// program does not follow the size of a message. One thread.
class Content {
public:
    // The unnamed file goes into SPILL_DIRECTORY.
    Content(std::size_t memory_limit, std::string spill_directory)
        : memory_limit_(memory_limit), spill_directory_(std::move(spill_directory)) {}
    Content(const Content&) = delete;
    Content& operator=(const Content&) = delete;
    ~Content() { clear(); }

    // The first error stays and is returned by bytes() too.
    Status write(std::string_view bytes);
    std::uint64_t size() const noexcept { return size_; }
    // All of it; valid until the next write() or clear().
    Result<std::string_view> bytes();
    void clear() noexcept;  // ready for the next message

private:
    Status spill();
    Status append_to_file(std::string_view bytes);
    void unmap() noexcept;

    std::size_t memory_limit_;
    std::string spill_directory_, memory_;
    os::Fd file_;
    std::uint64_t size_ = 0;
    void* mapped_ = nullptr;
    std::size_t mapped_size_ = 0;
    Status status_;
};

}  // namespace gk::delivery
