// SPDX-License-Identifier: MIT
#include "common/spam/features.hpp"

#include <algorithm>
#include <bit>

#include "common/spam/readers.hpp"

namespace gk::spam {

namespace {

constexpr std::size_t kMostValue = 60;  // bytes; a host name or a long word fits

std::string_view cut(std::string_view value) noexcept {
    if (value.size() <= kMostValue) return value;
    std::size_t length = kMostValue;
    while (length > 0 && (static_cast<unsigned char>(value[length]) & 0xc0) == 0x80) --length;
    return value.substr(0, length);
}

// Of MurmurHash3: every bit counts, since the tables use few of them.
std::uint64_t mixed(std::uint64_t h) noexcept {
    h = (h ^ (h >> 33)) * 0xff51afd7ed558ccd;
    h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53;
    return h ^ (h >> 33);
}

}  // namespace

std::uint64_t feature_id(std::string_view text) noexcept {
    std::uint64_t h = 0xcbf29ce484222325;  // FNV-1a
    for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return mixed(h);
}

Features::Features(std::size_t most) : most_(most), table_(std::bit_ceil(std::max<std::size_t>(most * 2, 16))) {
    texts_.reserve(64u << 10);
    entries_.reserve(std::min<std::size_t>(most, 2048));
}

void Features::add(std::string_view kind, std::string_view value, Group group) {
    if (is_full()) return;
    const std::size_t begin = texts_.size();
    ((texts_ += kind) += ':') += cut(value);
    keep(begin, group);
}

void Features::add(std::string_view kind, std::string_view value, std::string_view between, std::string_view and_then,
                   Group group) {
    if (is_full()) return;
    const std::size_t begin = texts_.size();
    (((((texts_ += kind) += ':') += cut(value)) += between) += cut(and_then));
    keep(begin, group);
}

void Features::keep(std::size_t begin, Group group) {
    const std::uint64_t id = feature_id(std::string_view(texts_).substr(begin));
    const std::size_t mask = table_.size() - 1;
    for (std::size_t at = id & mask;; at = (at + 1) & mask) {
        if (table_[at] == 0) {
            const auto length = static_cast<std::uint16_t>(texts_.size() - begin);
            entries_.push_back({id, static_cast<std::uint32_t>(begin), length, group});
            ++counts_[static_cast<std::size_t>(group)];
            table_[at] = static_cast<std::uint32_t>(entries_.size());
            return;
        }
        if (entries_[table_[at] - 1].id == id) break;
    }
    texts_.resize(begin);
}

std::uint64_t identity_of(const Features& features) noexcept {
    std::uint64_t sum = features.size();
    for (std::size_t i = 0; i < features.size(); ++i) sum += mixed(features.id(i) ^ sum);
    return sum;
}

Features read_features(std::string_view file, const message::Structure& structure, const FeatureLimits& limits) {
    Features features(limits.features);
    read_header(file, structure, limits, features);
    read_parts(structure, features);
    read_body(file, structure, limits, features);
    return features;
}

Features features_of(std::string_view file, const FeatureLimits& limits) {
    file = file.substr(0, limits.message);
    return read_features(file, message::scan(file), limits);
}

}  // namespace gk::spam
