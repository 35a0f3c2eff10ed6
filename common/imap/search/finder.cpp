// SPDX-License-Identifier: MIT
#include "common/imap/search/finder.hpp"

#include <algorithm>
#include <utility>

namespace gk::imap {

namespace {

// Between two looks at the client: messages that are opened, that only the index knows, whose date is looked up, and
// that are in memory.
constexpr std::size_t kMessagesInATurn = 64;
constexpr std::size_t kEnvelopesInATurn = 1000;
constexpr std::size_t kDatesInATurn = 8192;
constexpr std::uint32_t kRowsInATurn = 20'000;

// Decides what the rows do not, and adds what is found to FOUND.
Status look_into(View& view, const Prepared& key, std::vector<std::uint32_t> indices,
                 std::vector<std::uint32_t>& found) {
    struct Undecided {
        std::uint32_t index;
        std::optional<Sent> sent;
    };
    std::vector<Undecided> messages;
    for (const std::uint32_t index : indices) messages.push_back({index, {}});
    std::vector<store::Uid> uids;
    const auto uids_of = [&] {
        uids.clear();
        for (const Undecided& one : messages) uids.push_back(view.rows()[one.index].uid);
    };
    const auto candidate = [&](const Undecided& one) {
        const store::Row& row = view.rows()[one.index];
        return Candidate{
            .index = one.index, .row = &row, .recent = view.is_recent(row), .sent = key.sent ? &one.sent : nullptr};
    };
    std::vector<Undecided> left;
    const auto decide = [&](const Undecided& one, const Candidate& c) {
        const Truth truth = evaluate(key, c);
        if (truth == Truth::Yes) found.push_back(c.index);
        if (truth == Truth::Unknown) left.push_back(one);
    };
    auto at = messages.begin();
    const auto next_stage = [&] {
        messages = std::exchange(left, {});
        at = messages.begin();
        uids_of();
    };
    uids_of();
    if (key.sent) {
        GK_CHECK(sent_dates(view.mailbox(), uids, [&](bool there, const std::optional<Sent>& sent) {
            Undecided& one = *at++;
            one.sent = sent;
            if (there) decide(one, candidate(one));
        }));
        next_stage();
    }
    if (key.fields != 0 && !messages.empty()) {
        GK_CHECK(view.mailbox().envelopes(
            uids,
            [&](store::Uid, const message::Envelope* envelope) {
                const Undecided& one = *at++;
                if (envelope == nullptr) return true;
                Candidate c = candidate(one);
                c.envelope = envelope;
                decide(one, c);
                return true;
            },
            key.fields));
        next_stage();
    }
    if (messages.empty()) return ok();
    return view.mailbox().messages(
        uids, [&](store::Uid, const message::Structure* structure, const store::OpenMessage* file) {
            const Undecided& one = *at++;
            if (file == nullptr) return true;
            Candidate c = candidate(one);
            c.envelope = &structure->envelope();
            c.structure = structure;
            c.file = file;
            decide(one, c);
            return true;
        });
}

}  // namespace

Finder::Finder(const SearchKey& key, const SearchContext& context) : key_(prepare(key, context)) {
    if (contains(key, SearchKey::Kind::ThreadId)) threading_.emplace(context.view.mailbox().account());
}

Result<bool> Finder::resume(View& view) {
    if (threading_) {
        GK_TRY(const bool done, threading_->resume());
        if (!done) return false;
        threading_.reset();
    }
    if (!std::exchange(ids_found_, true)) GK_CHECK(find_object_ids(key_, view));
    std::vector<std::uint32_t> undecided;
    const std::size_t before = found_.size();
    const std::size_t most = key_.cost == Cost::File   ? kMessagesInATurn
                             : key_.cost == Cost::Sent ? kDatesInATurn
                                                       : kEnvelopesInATurn;
    for (std::uint32_t looked = 0; next_ < view.exists() && undecided.size() < most && looked < kRowsInATurn;
         ++next_, ++looked) {
        const store::Row& row = view.rows()[next_];
        const Truth truth = evaluate(key_, {.index = next_, .row = &row, .recent = view.is_recent(row)});
        if (truth == Truth::Yes) found_.push_back(next_);
        if (truth == Truth::Unknown) undecided.push_back(next_);
    }
    if (!undecided.empty()) {
        GK_CHECK(look_into(view, key_, std::move(undecided), found_));
        // What the rows, the index and the files decided of this turn came one after the other.
        std::sort(found_.begin() + static_cast<std::ptrdiff_t>(before), found_.end());
    }
    return next_ >= view.exists();
}

std::vector<unsigned> Finder::relevancies(const std::vector<store::Uid>& uids) const {
    std::vector<std::int64_t> scores;
    std::int64_t best = 1;
    for (const auto uid : uids) {
        scores.push_back(std::max<std::int64_t>(fuzzy_score(key_, uid), 0));
        best = std::max(best, scores.back());
    }
    std::vector<unsigned> relevancies;
    for (const auto score : scores) relevancies.push_back(static_cast<unsigned>(1 + score * 99 / best));
    return relevancies;
}

Result<std::vector<std::uint32_t>> find_among(View& view, const Prepared& key,
                                              const std::vector<std::uint32_t>& indices) {
    std::vector<std::uint32_t> found, undecided;
    for (const std::uint32_t index : indices) {
        const store::Row& row = view.rows()[index];
        const Truth truth = evaluate(key, {.index = index, .row = &row, .recent = view.is_recent(row)});
        if (truth == Truth::Yes) found.push_back(index);
        if (truth == Truth::Unknown) undecided.push_back(index);
    }
    if (!undecided.empty()) GK_CHECK(look_into(view, key, std::move(undecided), found));
    std::sort(found.begin(), found.end());
    return found;
}

}  // namespace gk::imap
