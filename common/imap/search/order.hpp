// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "common/imap/grammar/command.hpp"
#include "common/imap/view.hpp"
#include "common/message/structure.hpp"

// The order that SORT asks for (RFC 5256, 3; RFC 5957, 3).
namespace gk::imap {

// Of a text to sort by, so much counts: no sender can make a mailbox expensive to sort.
constexpr std::size_t kMaxSortText = 1024;

class Order {
public:
    explicit Order(std::vector<SortKey> keys);

    // What RELEVANCY sorts by, the best first (RFC 6203, 5). Set before anything is added.
    void rank_by(std::function<std::int64_t(store::Uid)> score) { score_ = std::move(score); }
    // False: rows are enough.
    bool needs_envelopes() const noexcept { return fields_ != 0; }
    // In the order of INDEX, which decides where all keys are equal. ENVELOPE: nullptr where not needed.
    void add(std::uint32_t index, const store::Row& row, const message::Envelope* envelope);
    Status add_all(View& view, std::span<const std::uint32_t> indices);
    // The indices, in order. Ends the use of this.
    std::vector<std::uint32_t> take();

private:
    struct Value {
        std::int64_t number = 0;
        std::string text;
    };
    struct Item {
        std::uint32_t index;
        std::size_t values;  // where its values begin
    };
    bool less(const Item& a, const Item& b) const noexcept;

    std::vector<SortKey> keys_;
    std::function<std::int64_t(store::Uid)> score_;
    message::EnvelopeFields fields_ = 0;  // that the keys ask for
    std::vector<Item> items_;
    std::vector<Value> values_;
};

// RFC 5256, 2.2: the Date field in UTC, else INTERNALDATE; Unix seconds.
std::int64_t sent_time(const store::Row& row, const message::Envelope& envelope);

}  // namespace gk::imap
