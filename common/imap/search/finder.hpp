// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/result.hpp"
#include "common/imap/search/program.hpp"
#include "common/store/threads.hpp"

namespace gk::imap {

// Goes through a view and keeps what a search program finds, a bounded piece at a time, so that a job can rest between
// two pieces. The view must have the same rows, in the same places, until it is done.
class Finder {
public:
    Finder(const SearchKey& key, const SearchContext& context);

    // True: every message was looked at. What was expunged meanwhile finds nothing.
    Result<bool> resume(View& view);
    // Of the view's messages, so many.
    std::uint32_t looked_at() const noexcept { return next_; }
    // Indices into View::rows(), sorted.
    const std::vector<std::uint32_t>& found() const noexcept { return found_; }
    std::int64_t score(store::Uid uid) const { return fuzzy_score(key_, uid); }
    // How relevant each of UIDS is, from 1 to 100, the best of them 100 (RFC 6203, 4).
    std::vector<unsigned> relevancies(const std::vector<store::Uid>& uids) const;

private:
    Prepared key_;
    std::optional<store::Threading> threading_;  // to be done first, where the program asks for threads
    bool ids_found_ = false;
    std::uint32_t next_ = 0;
    std::vector<std::uint32_t> found_;
};

// Those of INDICES that KEY finds, sorted; all at once.
Result<std::vector<std::uint32_t>> find_among(View& view, const Prepared& key,
                                              const std::vector<std::uint32_t>& indices);

}  // namespace gk::imap
