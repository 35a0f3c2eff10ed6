// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"

// What is in a mailbox directory's new/ and cur/, read quickly: names only, no stat.
namespace gk::maildir {

class Listing {
public:
    // Appends the message names of DIRECTORY ("…/cur"). Names that are no messages are counted, not kept.
    Status read(const std::string& directory, bool is_new);

    std::size_t size() const noexcept { return entries_.size(); }
    std::string_view name(std::size_t i) const noexcept {
        return {bytes_.data() + entries_[i].offset, entries_[i].length};
    }
    std::string_view base(std::size_t i) const noexcept {
        return {bytes_.data() + entries_[i].offset, entries_[i].base};
    }
    bool is_new(std::size_t i) const noexcept { return entries_[i].is_new; }
    std::size_t ignored() const noexcept { return ignored_; }

private:
    struct Entry {
        std::uint64_t offset;
        std::uint16_t length, base;
        bool is_new;
    };
    std::string bytes_;
    std::vector<Entry> entries_;
    std::size_t ignored_ = 0;
};

// A path's identity and age, for noticing that it was changed or replaced. All zero where it does not exist.
struct Stamp {
    std::int64_t inode = 0, size = 0, mtime_ns = 0;
    bool operator==(const Stamp&) const = default;
};
Stamp stamp_of(const std::string& path) noexcept;

}  // namespace gk::maildir
