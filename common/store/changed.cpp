// SPDX-License-Identifier: MIT
#include <algorithm>
#include <limits>
#include <tuple>

#include "common/store/state.hpp"

// A log of ranges of UIDs, as that of expunges: what changes ten thousand messages at once writes one line. An index
// over the mod-sequences of all rows would be written anew for each of them. The ranges may be too wide, since who asks
// looks at the rows' mod-sequences too; so the older half becomes one line that stands for all UIDs when there are
// many.
namespace gk::store {

namespace {

constexpr std::int64_t kMaxLines = 10'000;
constexpr Uid kGap = 16;  // so many rows in vain cost less than another line

Status shorten(State& state, std::int64_t mailbox) {
    GK_TRY(auto count, state.index.prepare("SELECT count(*) FROM changed WHERE mailbox = ?"));
    GK_TRY(const bool row, count.bind(mailbox).step());
    const std::int64_t lines = row ? count.integer(0) : 0;
    count.reset();
    if (lines <= kMaxLines) return ok();
    GK_TRY(auto middle,
           state.index.prepare("SELECT modseq FROM changed WHERE mailbox = ? ORDER BY modseq LIMIT 1 OFFSET ?"));
    GK_TRY(const bool found, middle.bind(mailbox).bind(lines / 2).step());
    const std::int64_t modseq = found ? middle.integer(0) : 0;
    middle.reset();
    GK_TRY(auto forget, state.index.prepare("DELETE FROM changed WHERE mailbox = ? AND modseq <= ?"));
    GK_CHECK(forget.bind(mailbox).bind(modseq).run());
    GK_TRY(auto insert, state.index.prepare("INSERT INTO changed(mailbox, modseq, first, last) VALUES(?,?,1,?)"));
    return insert.bind(mailbox).bind(modseq).bind(std::int64_t{std::numeric_limits<Uid>::max()}).run();
}

}  // namespace

void note_touched(State& state, std::int64_t mailbox, ModSeq modseq, Uid uid) {
    if (!state.touched.empty()) {
        auto& last = state.touched.back();
        if (last.mailbox == mailbox && last.modseq == modseq && uid >= last.first &&
            uid <= std::uint64_t{last.last} + kGap) {
            last.last = std::max(last.last, uid);
            return;
        }
    }
    state.touched.push_back({mailbox, modseq, uid, uid});
}

Status save_touched(State& state) {
    if (state.touched.empty()) return ok();
    auto all = std::exchange(state.touched, {});
    std::sort(all.begin(), all.end(), [](const State::Touched& a, const State::Touched& b) {
        return std::tie(a.mailbox, a.modseq, a.first) < std::tie(b.mailbox, b.modseq, b.first);
    });
    GK_TRY(auto insert, state.index.prepare("INSERT INTO changed(mailbox, modseq, first, last) VALUES(?,?,?,?) "
                                            "ON CONFLICT DO UPDATE SET last = max(last, excluded.last)"));
    for (std::size_t i = 0; i < all.size();) {
        auto line = all[i];
        for (++i; i < all.size() && all[i].mailbox == line.mailbox && all[i].modseq == line.modseq &&
                  all[i].first <= std::uint64_t{line.last} + kGap;
             ++i)
            line.last = std::max(line.last, all[i].last);
        insert.bind(line.mailbox).bind(static_cast<std::int64_t>(line.modseq));
        GK_CHECK(insert.bind(std::int64_t{line.first}).bind(std::int64_t{line.last}).run());
        // Counting reads the whole log, so not every time.
        const bool last_of_mailbox = i == all.size() || all[i].mailbox != line.mailbox;
        if (last_of_mailbox && line.modseq % 256 == 0) GK_CHECK(shorten(state, line.mailbox));
    }
    return ok();
}

std::vector<UidRange> joined(std::vector<UidRange> ranges) {
    std::sort(ranges.begin(), ranges.end(), [](const UidRange& a, const UidRange& b) { return a.first < b.first; });
    std::vector<UidRange> joined;
    for (const auto& range : ranges) {
        if (!joined.empty() && range.first <= std::uint64_t{joined.back().last} + 1)
            joined.back().last = std::max(joined.back().last, range.last);
        else joined.push_back(range);
    }
    return joined;
}

Result<std::vector<UidRange>> touched_since(State& state, std::int64_t mailbox, ModSeq modseq) {
    GK_TRY(auto query, state.index.prepare("SELECT first, last FROM changed WHERE mailbox = ? AND modseq > ?"));
    query.bind(mailbox).bind(static_cast<std::int64_t>(modseq));
    std::vector<UidRange> ranges;
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) return joined(std::move(ranges));
        ranges.push_back({static_cast<Uid>(query.integer(0)), static_cast<Uid>(query.integer(1))});
    }
}

}  // namespace gk::store
