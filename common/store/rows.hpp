// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <utility>
#include <vector>

namespace gk::store {

using Uid = std::uint32_t;
using ModSeq = std::uint64_t;

// System flags as a bitmask. \Recent is not one: a message is recent to a session while its UID is not below the
// floor that the session was given (Snapshot::recent_floor).
using Flags = std::uint8_t;
inline constexpr Flags kSeen = 1, kAnswered = 2, kFlagged = 4, kDeleted = 8, kDraft = 16;
inline constexpr Flags kAllFlags = 31;

// Keywords are bits of a mask; which name a bit has is the mailbox's own (Snapshot::keywords).
using KeywordMask = std::uint64_t;
inline constexpr unsigned kMaxKeywords = 64;

// What is known of every message without opening it. Sizes are octets with CRLF line ends, dates Unix seconds.
struct Row {
    Uid uid = 0;
    Flags flags = 0;
    ModSeq modseq = 0;
    KeywordMask keywords = 0;
    std::int64_t internal_date = 0;
    std::int64_t saved_date = 0;
    std::uint64_t size = 0;

    bool operator==(const Row&) const = default;
};

// Rows of a mailbox, sorted by UID, as a session keeps them. Those of a great mailbox may lie in a file that was mapped
// (see outline.hpp): only what is looked at is read, and only what is changed takes memory of this process.
class Rows {
public:
    Rows() = default;
    Rows(Rows&& other) noexcept { *this = std::move(other); }
    Rows& operator=(Rows&& other) noexcept {
        own_.swap(other.own_);
        std::swap(mapped_, other.mapped_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
        std::swap(region_bytes_, other.region_bytes_);
        return *this;
    }
    ~Rows();

    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    const Row* begin() const noexcept { return mapped_ != nullptr ? mapped_ : own_.data(); }
    const Row* end() const noexcept { return begin() + size_; }
    Row* begin() noexcept { return mapped_ != nullptr ? mapped_ : own_.data(); }
    Row* end() noexcept { return begin() + size_; }
    const Row& operator[](std::size_t i) const noexcept { return begin()[i]; }
    Row& operator[](std::size_t i) noexcept { return begin()[i]; }
    const Row& at(std::size_t i) const {
        if (i >= size_) throw std::out_of_range("no such row");
        return begin()[i];
    }
    const Row& back() const noexcept { return begin()[size_ - 1]; }

    void reserve(std::size_t count) {
        if (mapped_ == nullptr) own_.reserve(count);
    }
    void push_back(const Row& row);
    void truncate(std::size_t count) noexcept;

    // COUNT rows of FD from OFFSET on, a multiple of the page size: the file is never changed in place. Empty where it
    // cannot be mapped.
    static Rows map(int fd, std::uint64_t offset, std::size_t count) noexcept;

private:
    std::vector<Row> own_;
    Row* mapped_ = nullptr;
    std::size_t size_ = 0, capacity_ = 0, region_bytes_ = 0;  // the latter two of what is mapped
};

}  // namespace gk::store
