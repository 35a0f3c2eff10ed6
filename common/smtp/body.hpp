// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.hpp"
#include "common/os/fd.hpp"

namespace gk::smtp {

// Memory that the messages of all connections share. Must outlive its bodies.
class MemoryBudget {
public:
    explicit MemoryBudget(std::uint64_t bytes) : left_(static_cast<std::int64_t>(bytes)) {}
    bool take(std::size_t bytes) noexcept;
    void give(std::size_t bytes) noexcept { left_ += static_cast<std::int64_t>(bytes); }
    void resize(std::uint64_t from, std::uint64_t to) noexcept {
        left_ += static_cast<std::int64_t>(to) - static_cast<std::int64_t>(from);
    }

private:
    std::atomic<std::int64_t> left_;
};

// A message while it arrives: its beginning in memory, all past that in a file without a name in DIR. It is not
// durable and needs not be: nothing was promised for it yet.
class MessageBody {
public:
    MessageBody(MemoryBudget& budget, std::size_t memory_limit, std::string dir)
        : budget_(budget), memory_limit_(memory_limit), dir_(std::move(dir)) {}
    ~MessageBody() { clear(); }
    MessageBody(const MessageBody&) = delete;
    MessageBody& operator=(const MessageBody&) = delete;

    Status write(std::string_view bytes);
    void clear() noexcept;

    std::uint64_t size() const noexcept { return size_; }
    std::string_view memory() const noexcept { return memory_; }
    int file() const noexcept { return file_.get(); }
    std::uint64_t file_size() const noexcept { return file_size_; }

private:
    Status spill(std::string_view bytes);

    MemoryBudget& budget_;
    std::size_t memory_limit_, taken_ = 0;
    std::string dir_, memory_;
    os::Fd file_;
    std::uint64_t file_size_ = 0, size_ = 0;
};

}  // namespace gk::smtp
