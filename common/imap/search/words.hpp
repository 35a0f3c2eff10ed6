// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/imap/grammar/command.hpp"
#include "common/search/index.hpp"
#include "common/store/mailbox.hpp"

// The account's index of words, as SEARCH=FUZZY (RFC 6203) asks it.
namespace gk::imap {

// What FUZZY found of one key.
struct FuzzyResult {
    std::vector<search::Hit> hits;      // ascending by UID
    std::vector<store::Uid> unindexed;  // ascending: to be looked at as if FUZZY was not there
};

class Words {
public:
    Words(std::string home, search::IndexOptions options) : home_(std::move(home)), options_(options) {}

    // Before a search: what came to MAILBOX since is taken in, a bounded piece with each call, and no more than a
    // bounded number for one search, the latest first. True: go on with the search.
    bool take_in(store::Mailbox& mailbox);
    // Nothing where the index does not help (it cannot be had, the key has no words or is none of text).
    std::optional<FuzzyResult> look_up(const SearchKey& key);

private:
    bool ready(store::Mailbox& mailbox);

    std::string home_;
    search::IndexOptions options_;
    std::optional<search::Index> index_;
    std::int64_t box_ = 0;
    std::size_t taken_in_ = 0;
    bool searching_ = false;
};

}  // namespace gk::imap
