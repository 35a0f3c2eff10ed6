// SPDX-License-Identifier: MIT
#include "common/spam/table.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>
#include <limits>

#include "common/os/fd.hpp"
#include "common/os/file.hpp"
#include "common/spam/features.hpp"

namespace gk::spam {

namespace {

constexpr std::uint64_t kMagic = 0x6c62616d70736b67;  // "gkspmabl", in the order of this machine
constexpr std::size_t kLeastSlots = 1024;

using Slot = std::atomic_ref<std::uint64_t>;

// A slot is the upper half of a feature's id and its weight; one number, so that readers never see half of a change.
std::uint64_t packed(std::uint32_t check, std::int32_t weight) noexcept {
    return std::uint64_t{check} << 32 | static_cast<std::uint32_t>(weight);
}
std::uint32_t check_of_slot(std::uint64_t slot) noexcept { return static_cast<std::uint32_t>(slot >> 32); }
std::int32_t weight_of_slot(std::uint64_t slot) noexcept { return static_cast<std::int32_t>(slot & 0xffffffff); }
// 0 is an empty slot's.
std::uint32_t check_of(std::uint64_t id) noexcept {
    return std::max<std::uint32_t>(static_cast<std::uint32_t>(id >> 32), 1);
}

std::int32_t saturated(std::int64_t weight) noexcept {
    return static_cast<std::int32_t>(std::clamp<std::int64_t>(weight, std::numeric_limits<std::int32_t>::min(),
                                                              std::numeric_limits<std::int32_t>::max()));
}

}  // namespace

struct Table::Header {
    std::uint64_t magic, version, slots, generation, used, spam, ham, unused;
};

Table& Table::operator=(Table&& other) noexcept {
    std::swap(mapped_, other.mapped_);
    std::swap(size_, other.size_);
    std::swap(mask_, other.mask_);
    return *this;
}

Table::~Table() {
    if (mapped_ != nullptr) ::munmap(mapped_, size_);
}

Table::Header& Table::header() const noexcept { return *static_cast<Header*>(mapped_); }
std::uint64_t* Table::slots() const noexcept {
    return reinterpret_cast<std::uint64_t*>(static_cast<char*>(mapped_) + sizeof(Header));
}

Result<Table> Table::open(const std::string& path, bool writable) {
    const os::Fd file(::open(path.c_str(), (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW));
    if (!file) return fail_errno("cannot open '" + path + "'");
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) return fail_errno("cannot look at '" + path + "'");
    const auto size = static_cast<std::size_t>(status.st_size);
    if (size < sizeof(Header)) return fail(Errc::NotFound, "'" + path + "' is no table of weights");
    void* const mapped = ::mmap(nullptr, size, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, file.get(), 0);
    if (mapped == MAP_FAILED) return fail_errno("cannot map '" + path + "'");
    Table table;
    table.mapped_ = mapped;
    table.size_ = size;
    const Header& header = table.header();
    const bool fits = header.magic == kMagic && header.version == kFeaturesVersion &&
                      std::has_single_bit(header.slots) && header.slots < size &&
                      sizeof(Header) + header.slots * sizeof(std::uint64_t) == size && header.used < header.slots;
    if (!fits) return fail(Errc::NotFound, "'" + path + "' is no table of weights of this version");
    table.mask_ = header.slots - 1;
    return table;
}

Status Table::create(const std::string& path, std::size_t room,
                     const std::function<Status(const std::function<void(std::uint64_t, std::int64_t)>&)>& fill) {
    std::vector<std::pair<std::uint64_t, std::int64_t>> features;
    GK_CHECK(fill([&](std::uint64_t id, std::int64_t weight) { features.emplace_back(id, weight); }));
    const std::size_t slots = std::bit_ceil(std::max((features.size() + room) * 2, kLeastSlots));
    std::vector<std::uint64_t> memory(sizeof(Header) / sizeof(std::uint64_t) + slots);
    Table table;
    table.mapped_ = memory.data();
    table.mask_ = slots - 1;
    table.header() = Header{kMagic, kFeaturesVersion, slots, 0, 0, 0, 0, 0};
    for (const auto& [id, weight] : features) table.add(id, weight);
    table.mapped_ = nullptr;

    const std::string temporary = path + ".new";
    // Left behind by a crash; who makes a table holds the database's lock.
    if (const auto gone = os::unlink(temporary); !gone && gone.error().code != Errc::NotFound) return gone;
    GK_TRY(auto file, os::NewFile::create(temporary));
    GK_CHECK(file.write({reinterpret_cast<const char*>(memory.data()), memory.size() * sizeof(std::uint64_t)}));
    GK_CHECK(file.close());
    return os::rename(temporary, path);
}

std::uint64_t* Table::find(std::uint64_t id) const noexcept {
    const std::uint32_t check = check_of(id);
    std::size_t at = id & mask_;
    // A full table, which only a broken file can be, must not be searched for ever.
    for (std::size_t seen = 0; seen < mask_; ++seen, at = (at + 1) & mask_) {
        const std::uint64_t value = Slot(slots()[at]).load(std::memory_order_relaxed);
        if (value == 0 || check_of_slot(value) == check) break;
    }
    return slots() + at;
}

std::int32_t Table::weight(std::uint64_t id) const noexcept {
    if (mapped_ == nullptr) return 0;
    return weight_of_slot(Slot(*find(id)).load(std::memory_order_relaxed));
}

Learned Table::learned() const noexcept {
    return mapped_ == nullptr ? Learned{} : Learned{header().spam, header().ham};
}
std::size_t Table::features() const noexcept { return mapped_ == nullptr ? 0 : header().used; }
std::uint64_t Table::generation() const noexcept { return mapped_ == nullptr ? 0 : header().generation; }

void Table::set_generation(std::uint64_t generation, const Learned& learned) noexcept {
    header().spam = learned.spam;
    header().ham = learned.ham;
    Slot(header().generation).store(generation, std::memory_order_release);
}

// Half empty at least: then a search ends after two slots, and always.
bool Table::has_room_for(std::size_t more) const noexcept {
    return mapped_ != nullptr && (header().used + more) * 4 <= header().slots * 3;
}

void Table::add(std::uint64_t id, std::int64_t weight) noexcept {
    std::uint64_t* const slot = find(id);
    const std::uint64_t before = Slot(*slot).load(std::memory_order_relaxed);
    if (before == 0) ++header().used;
    const auto sum = saturated(weight_of_slot(before) + weight);
    Slot(*slot).store(packed(check_of(id), sum), std::memory_order_relaxed);
}

}  // namespace gk::spam
