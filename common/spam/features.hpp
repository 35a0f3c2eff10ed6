// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/message/structure.hpp"

// What a message is judged by: short texts like "subject:invoice", "word:click here" or "link-host:a.test", each
// counted once a message, however often it stands there.
namespace gk::spam {

// A change to what features a message has makes models that were learned before worth less; then this grows, and the
// store begins anew (store.cpp).
inline constexpr int kFeaturesVersion = 1;

struct FeatureLimits {
    std::size_t message = 1u << 20;  // bytes of it, as it is stored; the rest is not read
    std::size_t text = 64u << 10;    // bytes of decoded text of one message that are looked at
    std::size_t html = 256u << 10;   // and of HTML source
    std::size_t header = 64u << 10;
    std::size_t features = 6000;  // of one message; what comes later is not taken
    std::size_t links = 200;
};

// Features of a kind that messages have many of must not drown the others, so each group is weighed by itself
// (score.hpp).
enum class Group : unsigned char { Trait, Word, Pair };
inline constexpr std::size_t kGroups = 3;

// The id of a feature's text; the same on every machine and in every version.
std::uint64_t feature_id(std::string_view text) noexcept;

// A set that keeps the texts in one piece of memory.
class Features {
public:
    explicit Features(std::size_t most);

    // KIND names what the feature is about ("subject"); VALUE and AND_THEN, in that order, what is there. Long values
    // are cut: a line of base64 is no word.
    void add(std::string_view kind, std::string_view value, Group group = Group::Trait);
    void add(std::string_view kind, std::string_view value, std::string_view between, std::string_view and_then,
             Group group = Group::Trait);

    std::size_t size() const noexcept { return entries_.size(); }
    std::uint64_t id(std::size_t index) const noexcept { return entries_[index].id; }
    std::string_view text(std::size_t index) const noexcept {
        return std::string_view(texts_).substr(entries_[index].begin, entries_[index].length);
    }
    Group group(std::size_t index) const noexcept { return entries_[index].group; }
    std::size_t count(Group group) const noexcept { return counts_[static_cast<std::size_t>(group)]; }
    bool is_full() const noexcept { return entries_.size() >= most_; }

private:
    struct Entry {
        std::uint64_t id;
        std::uint32_t begin;
        std::uint16_t length;
        Group group;
    };
    void keep(std::size_t begin, Group group);

    std::size_t most_;
    std::string texts_;
    std::vector<Entry> entries_;
    std::array<std::size_t, kGroups> counts_{};
    std::vector<std::uint32_t> table_;  // open addressing: index + 1 into entries_
};

// Of a message with these features: what its learning is remembered by. Messages with the same features are one to the
// models, so that what one of them added another takes away exactly.
std::uint64_t identity_of(const Features& features) noexcept;

// FILE is the whole message and STRUCTURE what was found in it. Never fails; time is linear in the bytes that LIMITS
// permit.
Features read_features(std::string_view file, const message::Structure& structure, const FeatureLimits& limits = {});
// The same of a message that nobody has looked into yet.
Features features_of(std::string_view file, const FeatureLimits& limits = {});

}  // namespace gk::spam
