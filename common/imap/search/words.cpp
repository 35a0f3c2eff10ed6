// SPDX-License-Identifier: MIT
#include "common/imap/search/words.hpp"

#include "common/base/text.hpp"

namespace gk::imap {

namespace {

// Between two looks at the client, and for one search: a client waits seconds for the first, not minutes. What is left
// is looked at without the index, and taken in by gk-search's timer or the next search.
constexpr std::size_t kMessagesInATurn = 50, kMessagesForASearch = 2'000;

unsigned columns_of(const SearchKey& key) {
    using Kind = SearchKey::Kind;
    switch (key.kind) {
        case Kind::Subject: return search::kSubject;
        case Kind::From: return search::kFrom;
        case Kind::To: return search::kTo;
        case Kind::Cc: return search::kCc;
        case Kind::Bcc: return search::kBcc;
        case Kind::Body: return search::kBody | search::kNames;
        case Kind::Text: return search::kAllColumns;
        case Kind::Header:
            if (text::equals_nocase(key.field, "subject")) return search::kSubject;
            if (text::equals_nocase(key.field, "from")) return search::kFrom;
            if (text::equals_nocase(key.field, "to")) return search::kTo;
            if (text::equals_nocase(key.field, "cc")) return search::kCc;
            return 0;
        default: return 0;
    }
}

}  // namespace

bool Words::ready(store::Mailbox& mailbox) {
    if (index_ && !index_->is_current()) index_.reset();
    if (!index_) {
        auto opened = search::Index::open(home_, options_);
        if (!opened) return false;
        index_ = std::move(*opened);
    }
    const auto box = index_->sync(mailbox);
    if (!box || !index_->set_limit(*mailbox.account())) return false;
    box_ = *box;
    return true;
}

bool Words::take_in(store::Mailbox& mailbox) {
    if (!searching_) {
        taken_in_ = 0;
        if (!ready(mailbox)) {
            index_.reset();
            return true;
        }
    }
    const auto added = index_->add(mailbox, box_, kMessagesInATurn);
    // A full disk, or another that writes for long: what is there is still of use.
    taken_in_ += added ? *added : 0;
    searching_ = added && *added > 0 && taken_in_ < kMessagesForASearch;
    return !searching_;
}

std::optional<FuzzyResult> Words::look_up(const SearchKey& key) {
    const unsigned columns = columns_of(key);
    if (!index_ || columns == 0) return std::nullopt;
    const std::string expression = search::expression_for_words(columns, key.text);
    if (expression.empty()) return std::nullopt;
    auto hits = index_->find_in(box_, expression);
    auto unindexed = index_->waiting_uids(box_);
    if (!hits || !unindexed) return std::nullopt;
    return FuzzyResult{std::move(*hits), std::move(*unindexed)};
}

}  // namespace gk::imap
