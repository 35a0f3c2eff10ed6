// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <optional>
#include <string>

#include "common/mailauth/dmarc/evaluate.hpp"

namespace gk::mailauth::dmarc {

// Whether identifiers are aligned with one author domain (RFC 9989, 4.10.2). Walks only where the answer depends on it.
//
// With a public suffix list, it is asked in two cases: a record at a suffix that does not say psd=y (see walk); and,
// for an author whose record is of the form of RFC 7489, where the walk finds no alignment and met neither psd=y nor
// psd=n: then two names with the same registered domain are aligned, as they were for those who wrote that record.
class Aligner {
public:
    Aligner(std::string author, const Record& policy, Records& records, const SuffixList* suffixes)
        : author_(std::move(author)), policy_(policy), records_(records), suffixes_(suffixes) {}

    // The author's walk, where discovery made it already.
    void set_walk(Walk walk) { author_walk_ = std::move(walk); }
    const std::optional<Walk>& author_walk() const noexcept { return author_walk_; }

    void align(Identifier& identifier);

private:
    const Walk& walk_of_author();
    void relaxed(Identifier& identifier);
    bool fall_back(Identifier& identifier);

    const std::string author_;
    const Record& policy_;
    Records& records_;
    const SuffixList* suffixes_;
    std::optional<Walk> author_walk_;
};

}  // namespace gk::mailauth::dmarc
