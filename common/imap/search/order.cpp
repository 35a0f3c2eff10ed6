// SPDX-License-Identifier: MIT
#include "common/imap/search/order.hpp"

#include <algorithm>

#include "common/imap/search/columns.hpp"

// Items are sorted by one word of eight bytes at a time: a number, or seven bytes of a text. Only those whose words are
// equal are looked at further, by the next bytes or the next key.
namespace gk::imap {

namespace {

using Kind = SortKey::Kind;

constexpr std::size_t kTextInAWord = 7;  // the eighth byte says how many are left, so that an end is less than a NUL

// More of the text follows.
bool goes_on(std::uint64_t word) { return (word & 0xff) > kTextInAWord; }

}  // namespace

Order::Order(std::vector<SortKey> keys) {
    // What is equal by a key stays so however often the key is named.
    for (const SortKey& key : keys)
        if (std::none_of(values_.begin(), values_.end(), [&](const Values& v) { return v.key.kind == key.kind; }))
            values_.push_back({key, {}, {}});
}

bool Order::needs_envelopes() const noexcept {
    return std::any_of(values_.begin(), values_.end(), [](const Values& values) {
        return values.key.kind == Kind::Date || sorts_by_text(values.key.kind);
    });
}

Status Order::add_values(View& view, Values& values, std::span<const std::uint32_t> indices) {
    const auto& rows = view.rows();
    const auto each_row = [&](auto number) {
        for (const std::uint32_t index : indices) values.numbers.push_back(number(rows[index]));
        return ok();
    };
    switch (values.key.kind) {
        case Kind::Arrival: return each_row([](const store::Row& row) { return row.internal_date; });
        case Kind::Size: return each_row([](const store::Row& row) { return static_cast<std::int64_t>(row.size); });
        case Kind::Relevancy:
            return each_row([this](const store::Row& row) { return score_ ? -score_(row.uid) : std::int64_t{0}; });
        default: break;
    }
    std::vector<store::Uid> uids;
    uids.reserve(indices.size());
    for (const std::uint32_t index : indices) uids.push_back(rows[index].uid);
    if (values.key.kind != Kind::Date)
        return sort_texts(view.mailbox(), values.key.kind, uids, [&](std::string_view text) {
            values.texts.push_back({texts_.size(), static_cast<std::uint32_t>(text.size())});
            texts_ += text;
        });
    // RFC 5256, 2.2: INTERNALDATE where there is no date.
    auto index = indices.begin();
    return sent_dates(view.mailbox(), uids, [&](bool, const std::optional<Sent>& sent) {
        values.numbers.push_back(sent ? sent->utc_s : rows[*index].internal_date);
        ++index;
    });
}

Status Order::add_all(View& view, std::span<const std::uint32_t> indices) {
    for (Values& values : values_) GK_CHECK(add_values(view, values, indices));
    for (const std::uint32_t index : indices)
        items_.push_back({.index = index, .place = static_cast<std::uint32_t>(items_.size())});
    return ok();
}

std::uint64_t Order::word(const Values& values, std::uint32_t place, std::size_t offset) const noexcept {
    if (!sorts_by_text(values.key.kind))
        return static_cast<std::uint64_t>(values.numbers[place]) ^ std::uint64_t{1} << 63;
    const Text& text = values.texts[place];
    const std::size_t left = text.size > offset ? text.size - offset : 0;
    const char* at = texts_.data() + text.begin + offset;
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < kTextInAWord; ++i)
        word = word << 8 | (i < left ? static_cast<unsigned char>(at[i]) : 0u);
    return word << 8 | std::min(left, kTextInAWord + 1);
}

std::vector<std::uint32_t> Order::take() {
    struct Run {
        std::size_t begin, end;  // items that are equal in all that comes before
        std::size_t key, offset;
    };
    std::vector<Run> runs;
    if (!values_.empty()) runs.push_back({0, items_.size(), 0, 0});
    const auto less = [](const Item& a, const Item& b) {
        return a.word != b.word ? a.word < b.word : a.index < b.index;
    };
    while (!runs.empty()) {
        const Run run = runs.back();
        runs.pop_back();
        const Values& values = values_[run.key];
        const auto begin = items_.begin() + static_cast<std::ptrdiff_t>(run.begin),
                   end = items_.begin() + static_cast<std::ptrdiff_t>(run.end);
        for (auto item = begin; item != end; ++item) {
            item->word = word(values, item->place, run.offset);
            if (values.key.reverse) item->word = ~item->word;
        }
        if (!std::is_sorted(begin, end, less)) std::sort(begin, end, less);
        for (auto first = begin; first != end;) {
            const auto last = std::find_if(first, end, [&](const Item& item) { return item.word != first->word; });
            const bool more =
                sorts_by_text(values.key.kind) && goes_on(values.key.reverse ? ~first->word : first->word);
            if (last - first > 1 && (more || run.key + 1 < values_.size()))
                runs.push_back({static_cast<std::size_t>(first - items_.begin()),
                                static_cast<std::size_t>(last - items_.begin()), more ? run.key : run.key + 1,
                                more ? run.offset + kTextInAWord : 0});
            first = last;
        }
    }
    std::vector<std::uint32_t> indices;
    indices.reserve(items_.size());
    for (const Item& item : items_) indices.push_back(item.index);
    return indices;
}

}  // namespace gk::imap
