// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "common/base/result.hpp"

// The weights of spam.db once more, as a file that is mapped: a message has a thousand features and more, and looking
// them up here costs less than opening a database. A cache: the database is the truth, and makes it again.
namespace gk::spam {

struct Learned {
    std::uint64_t spam = 0, ham = 0;  // messages
};

class Table {
public:
    // NotFound where there is none, or one of another version.
    static Result<Table> open(const std::string& path, bool writable = false);
    // Makes it anew with room for so many more features than FILL puts in, and renames it into place. Not synced.
    static Status create(const std::string& path, std::size_t room,
                         const std::function<Status(const std::function<void(std::uint64_t, std::int64_t)>&)>& fill);
    Table() = default;
    Table(Table&& other) noexcept { *this = std::move(other); }
    Table& operator=(Table&& other) noexcept;
    ~Table();

    // 0 where there is none. Two features are taken for one with a chance of one in 2^32 for each that is there.
    std::int32_t weight(std::uint64_t id) const noexcept;
    Learned learned() const noexcept;
    std::size_t features() const noexcept;

    // Only for who holds the database's write lock. GENERATION is that of the database whose weights these are; 0 while
    // they change, so that after a crash nobody takes them for true.
    std::uint64_t generation() const noexcept;
    void set_generation(std::uint64_t generation, const Learned& learned) noexcept;
    bool has_room_for(std::size_t more) const noexcept;
    void add(std::uint64_t id, std::int64_t weight) noexcept;

private:
    struct Header;
    Header& header() const noexcept;
    std::uint64_t* slots() const noexcept;
    std::uint64_t* find(std::uint64_t id) const noexcept;

    void* mapped_ = nullptr;
    std::size_t size_ = 0, mask_ = 0;
};

}  // namespace gk::spam
