// SPDX-License-Identifier: MIT
#include "common/store/rows.hpp"

#include <sys/mman.h>
#include <type_traits>

namespace gk::store {

namespace {

static_assert(std::is_trivially_copyable_v<Row>);

// Room behind what is mapped, for what arrives while the mailbox is selected: memory only once it is used.
constexpr std::size_t kRoom = 8192;

}  // namespace

Rows::~Rows() {
    if (mapped_ != nullptr) ::munmap(mapped_, region_bytes_);
}

Rows Rows::map(int fd, std::uint64_t offset, std::size_t count) noexcept {
    Rows rows;
    const std::size_t bytes = count * sizeof(Row), region = bytes + kRoom * sizeof(Row);
    void* const at =
        ::mmap(nullptr, region, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) return rows;
    if (::mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, static_cast<off_t>(offset)) ==
        MAP_FAILED) {
        ::munmap(at, region);
        return rows;
    }
    rows.mapped_ = static_cast<Row*>(at);
    rows.size_ = count;
    rows.capacity_ = count + kRoom;
    rows.region_bytes_ = region;
    return rows;
}

void Rows::push_back(const Row& row) {
    if (mapped_ != nullptr && size_ < capacity_) {
        mapped_[size_++] = row;
        return;
    }
    if (mapped_ != nullptr) {
        own_.reserve(size_ + size_ / 8);
        own_.assign(mapped_, mapped_ + size_);
        ::munmap(std::exchange(mapped_, nullptr), region_bytes_);
    }
    own_.push_back(row);
    size_ = own_.size();
}

void Rows::truncate(std::size_t count) noexcept {
    if (count >= size_) return;
    size_ = count;
    if (mapped_ == nullptr) own_.erase(own_.begin() + static_cast<std::ptrdiff_t>(count), own_.end());
}

}  // namespace gk::store
