// SPDX-License-Identifier: MIT
#include "common/imap/search/finder.hpp"

#include <algorithm>

namespace gk::imap {

namespace {

// Between two looks at the client: messages that are opened, and rows that are not.
constexpr std::size_t kMessagesInATurn = 64;
constexpr std::uint32_t kRowsInATurn = 20'000;

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
    for (std::uint32_t looked = 0;
         next_ < view.exists() && undecided.size() < kMessagesInATurn && looked < kRowsInATurn; ++next_, ++looked) {
        const store::Row& row = view.rows()[next_];
        const Truth truth = evaluate(key_, {.index = next_, .row = &row, .recent = view.is_recent(row)});
        if (truth == Truth::Yes) found_.push_back(next_);
        if (truth == Truth::Unknown) undecided.push_back(next_);
    }
    if (!undecided.empty()) GK_CHECK(look_into(view, undecided));
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

Status Finder::look_into(View& view, const std::vector<std::uint32_t>& indices) {
    std::vector<store::Uid> uids;
    for (const std::uint32_t index : indices) uids.push_back(view.rows()[index].uid);
    std::size_t at = 0;
    GK_CHECK(view.mailbox().structures(uids, [&](store::Uid, const message::Structure* structure) {
        if (at >= indices.size()) return false;
        const std::uint32_t index = indices[at++];
        if (structure == nullptr) return true;
        const store::Row& row = view.rows()[index];
        Candidate candidate{.index = index, .row = &row, .recent = view.is_recent(row), .structure = structure};
        Truth truth = evaluate(key_, candidate);
        if (truth == Truth::Unknown) {
            const auto file = view.mailbox().open(row.uid);
            if (!file) return true;
            candidate.file = &*file;
            truth = evaluate(key_, candidate);
        }
        if (truth == Truth::Yes) found_.push_back(index);
        return true;
    }));
    // What the rows decided and what the files decided came in turns.
    std::sort(found_.begin(), found_.end());
    return ok();
}

}  // namespace gk::imap
