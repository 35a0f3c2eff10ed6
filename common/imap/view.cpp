// SPDX-License-Identifier: MIT
#include "common/imap/view.hpp"

#include <fmt/format.h>

namespace gk::imap {

View::View(store::Mailbox mailbox, store::Snapshot snapshot, bool read_only)
    : mailbox_(std::move(mailbox)),
      read_only_(read_only),
      uidvalidity_(snapshot.uidvalidity),
      uidnext_(snapshot.uidnext),
      recent_floor_(snapshot.recent_floor),
      modseq_(snapshot.highest_modseq),
      keywords_(std::move(snapshot.keywords)),
      rows_(std::move(snapshot.rows)) {}

std::uint32_t View::recent() const noexcept {
    const auto first = std::lower_bound(rows_.begin(), rows_.end(), recent_floor_,
                                        [](const store::Row& row, store::Uid uid) { return row.uid < uid; });
    return static_cast<std::uint32_t>(rows_.end() - first);
}

std::optional<std::uint32_t> View::find(store::Uid uid) const noexcept {
    const auto at = std::lower_bound(rows_.begin(), rows_.end(), uid,
                                     [](const store::Row& row, store::Uid u) { return row.uid < u; });
    if (at == rows_.end() || at->uid != uid) return std::nullopt;
    return static_cast<std::uint32_t>(at - rows_.begin());
}

std::optional<std::vector<IndexRange>> View::resolve(const SequenceSet& set, bool uid,
                                                     const std::vector<store::Uid>& saved) const {
    std::vector<IndexRange> ranges;
    if (set.saved) {
        for (const store::Uid one : saved)
            if (const auto index = find(one)) ranges.push_back({*index, *index});
    } else if (uid) {
        const store::Uid largest = rows_.empty() ? 0 : rows_.back().uid;
        for (const SequenceRange& range : set.ranges) {
            store::Uid first = range.first == kLargest ? largest : range.first;
            store::Uid last = range.last == kLargest ? largest : range.last;
            if (first > last) std::swap(first, last);
            const auto less = [](const store::Row& row, store::Uid u) { return row.uid < u; };
            const auto from = std::lower_bound(rows_.begin(), rows_.end(), first, less);
            const auto to =
                last == UINT32_MAX ? rows_.end() : std::lower_bound(rows_.begin(), rows_.end(), last + 1, less);
            if (from >= to) continue;
            ranges.push_back(
                {static_cast<std::uint32_t>(from - rows_.begin()), static_cast<std::uint32_t>(to - rows_.begin() - 1)});
        }
    } else {
        for (const SequenceRange& range : set.ranges) {
            std::uint32_t first = range.first == kLargest ? exists() : range.first;
            std::uint32_t last = range.last == kLargest ? exists() : range.last;
            if (first > last) std::swap(first, last);
            // RFC 9051, 9: a sequence number past the mailbox's size is an error of the client.
            if (last > exists() || first == 0) return std::nullopt;
            ranges.push_back({first - 1, last - 1});
        }
    }
    std::sort(ranges.begin(), ranges.end(), [](const IndexRange& a, const IndexRange& b) { return a.first < b.first; });
    std::vector<IndexRange> merged;
    for (const IndexRange& range : ranges) {
        if (!merged.empty() && range.first <= merged.back().last + 1)
            merged.back().last = std::max(merged.back().last, range.last);
        else merged.push_back(range);
    }
    return merged;
}

std::vector<store::Uid> View::uids_of(const std::vector<IndexRange>& ranges) const {
    std::vector<store::Uid> uids;
    for (const IndexRange& range : ranges)
        for (std::uint32_t i = range.first; i <= range.last; ++i) uids.push_back(rows_[i].uid);
    return uids;
}

View::News View::apply(store::Changes changes) {
    News news;
    modseq_ = changes.highest_modseq;
    uidnext_ = std::max(uidnext_, changes.uidnext);
    news.keywords = set_keywords(std::move(changes.keywords));
    const store::Uid known = rows_.empty() ? 0 : rows_.back().uid;
    for (const store::Row& row : changes.rows) {
        if (row.uid > known) {
            rows_.push_back(row);
            news.grown = true;
            continue;
        }
        const auto index = find(row.uid);
        if (!index) continue;  // expunged here, told to the client, and so gone for this session
        store::Row& mine = rows_[*index];
        if (mine.flags != row.flags || mine.keywords != row.keywords) news.changed.push_back(*index);
        mine = row;
    }
    add_vanished(std::move(changes.vanished));
    return news;
}

bool View::set_keywords(std::vector<std::string> keywords) {
    if (keywords == keywords_) return false;
    keywords_ = std::move(keywords);
    return true;
}

void View::vanish(const std::vector<store::Uid>& uids) {
    std::vector<store::UidRange> ranges;
    for (const store::Uid uid : uids) {
        if (!ranges.empty() && ranges.back().last + 1 == uid) ranges.back().last = uid;
        else ranges.push_back({uid, uid});
    }
    add_vanished(std::move(ranges));
}

void View::add_vanished(std::vector<store::UidRange> ranges) {
    // Only what a row exists for is worth keeping; ranges may span UIDs that never were.
    std::erase_if(ranges, [&](const store::UidRange& range) {
        const auto at = std::lower_bound(rows_.begin(), rows_.end(), range.first,
                                         [](const store::Row& row, store::Uid uid) { return row.uid < uid; });
        return at == rows_.end() || at->uid > range.last;
    });
    if (ranges.empty()) return;
    vanished_.insert(vanished_.end(), ranges.begin(), ranges.end());
    std::sort(vanished_.begin(), vanished_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<store::UidRange> merged;
    for (const store::UidRange& range : vanished_) {
        if (!merged.empty() && range.first <= merged.back().last)
            merged.back().last = std::max(merged.back().last, range.last);
        else merged.push_back(range);
    }
    vanished_ = std::move(merged);
}

void append_uid_set(std::string& out, const std::vector<store::Uid>& uids) {
    for (std::size_t i = 0; i < uids.size();) {
        std::size_t last = i;
        while (last + 1 < uids.size() && uids[last + 1] == uids[last] + 1) ++last;
        if (i > 0) out += ',';
        if (last == i) fmt::format_to(std::back_inserter(out), "{}", uids[i]);
        else fmt::format_to(std::back_inserter(out), "{}:{}", uids[i], uids[last]);
        i = last + 1;
    }
}

}  // namespace gk::imap
