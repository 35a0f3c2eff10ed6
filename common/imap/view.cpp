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
      told_modseq_(snapshot.highest_modseq),
      keywords_(std::move(snapshot.keywords)),
      rows_(std::move(snapshot.rows)) {}

void View::go_on(store::Uid recent_floor, bool keywords_differ) noexcept {
    recent_floor_ = recent_floor;
    tell_all_ = true;
    tell_keywords_ = keywords_differ;
}

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

std::vector<IndexRange> View::changed_since(store::ModSeq modseq, const std::vector<IndexRange>& ranges) const {
    std::vector<IndexRange> changed;
    for (const IndexRange& range : ranges) {
        for (std::uint32_t i = range.first; i <= range.last; ++i) {
            if (rows_[i].modseq <= modseq) continue;
            if (!changed.empty() && changed.back().last + 1 == i) changed.back().last = i;
            else changed.push_back({i, i});
        }
    }
    return changed;
}

std::vector<store::UidRange> View::without_rows(const std::vector<store::UidRange>& ranges) const {
    std::vector<store::UidRange> left;
    for (store::UidRange range : ranges) {
        auto row = std::lower_bound(rows_.begin(), rows_.end(), range.first,
                                    [](const store::Row& r, store::Uid uid) { return r.uid < uid; });
        for (; row != rows_.end() && row->uid <= range.last; ++row) {
            if (row->uid > range.first) left.push_back({range.first, row->uid - 1});
            range.first = row->uid + 1;
        }
        if (range.first != 0 && range.first <= range.last) left.push_back(range);
    }
    return left;
}

View::News View::apply(store::Changes changes, bool with_modseq) {
    News news;
    before_modseq_ = told_modseq_;
    modseq_ = changes.highest_modseq;
    uidnext_ = std::max(uidnext_, changes.uidnext);
    news.keywords = set_keywords(std::move(changes.keywords)) || std::exchange(tell_keywords_, false);
    const bool tell_all = std::exchange(tell_all_, false);
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
        if (tell_all || mine.flags != row.flags || mine.keywords != row.keywords ||
            (with_modseq && mine.modseq != row.modseq))
            news.changed.push_back(*index);
        mine = row;
    }
    add_vanished(std::move(changes.vanished.ranges));
    if (vanished_.empty()) told_modseq_ = modseq_;
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

std::vector<store::Uid> View::vanished() const {
    std::vector<store::Uid> uids;
    auto range = vanished_.begin();
    for (const store::Row& row : rows_) {
        while (range != vanished_.end() && range->last < row.uid) ++range;
        if (range == vanished_.end()) break;
        if (range->first <= row.uid) uids.push_back(row.uid);
    }
    return uids;
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

std::vector<store::UidRange> uid_ranges(const SequenceSet& set, const std::vector<store::Uid>& saved) {
    std::vector<store::UidRange> ranges;
    if (set.saved)
        for (const store::Uid uid : saved) ranges.push_back({uid, uid});
    for (const SequenceRange& range : set.ranges) {
        store::Uid first = range.first == kLargest ? UINT32_MAX : range.first;
        store::Uid last = range.last == kLargest ? UINT32_MAX : range.last;
        if (first > last) std::swap(first, last);
        ranges.push_back({first, last});
    }
    std::sort(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<store::UidRange> merged;
    for (const store::UidRange& range : ranges) {
        if (!merged.empty() && range.first <= merged.back().last)
            merged.back().last = std::max(merged.back().last, range.last);
        else merged.push_back(range);
    }
    return merged;
}

std::vector<store::UidRange> common_ranges(const std::vector<store::UidRange>& a,
                                           const std::vector<store::UidRange>& b) {
    std::vector<store::UidRange> both;
    for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
        const store::Uid first = std::max(a[i].first, b[j].first), last = std::min(a[i].last, b[j].last);
        if (first <= last) both.push_back({first, last});
        if (a[i].last < b[j].last) ++i;
        else ++j;
    }
    return both;
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

void append_uid_ranges(std::string& out, std::span<const store::UidRange> ranges) {
    const char* separator = "";
    for (const store::UidRange& range : ranges) {
        out += std::exchange(separator, ",");
        if (range.first == range.last) fmt::format_to(std::back_inserter(out), "{}", range.first);
        else fmt::format_to(std::back_inserter(out), "{}:{}", range.first, range.last);
    }
}

}  // namespace gk::imap
