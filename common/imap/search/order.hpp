// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/imap/grammar/command.hpp"
#include "common/imap/view.hpp"

// The order that SORT asks for (RFC 5256, 3; RFC 5957, 3).
namespace gk::imap {

class Order {
public:
    explicit Order(std::vector<SortKey> keys);

    // What RELEVANCY sorts by, the best first (RFC 6203, 5). Set before anything is added.
    void rank_by(std::function<std::int64_t(store::Uid)> score) { score_ = std::move(score); }
    // False: rows are enough.
    bool needs_envelopes() const noexcept;
    // INDICES ascend, from one call to the next too: their order decides where all keys are equal.
    Status add_all(View& view, std::span<const std::uint32_t> indices);
    // The indices, in order. Ends the use of this.
    std::vector<std::uint32_t> take();

private:
    struct Item {
        std::uint64_t word = 0;  // the part of its values that is compared just now
        std::uint32_t index = 0, place = 0;
    };
    struct Text {
        std::size_t begin = 0;
        std::uint32_t size = 0;
    };
    // Of one key, a value for each item, by its place: numbers or texts.
    struct Values {
        SortKey key;
        std::vector<std::int64_t> numbers;
        std::vector<Text> texts;
    };
    Status add_values(View& view, Values& values, std::span<const std::uint32_t> indices);
    std::uint64_t word(const Values& values, std::uint32_t place, std::size_t offset) const noexcept;

    std::vector<Values> values_;
    std::function<std::int64_t(store::Uid)> score_;
    std::vector<Item> items_;
    std::string texts_;
};

}  // namespace gk::imap
