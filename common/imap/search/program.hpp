// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/imap/format/match.hpp"
#include "common/imap/grammar/command.hpp"
#include "common/imap/search/columns.hpp"
#include "common/imap/search/words.hpp"
#include "common/imap/view.hpp"

// A search program made ready for many messages, and the truth of it about one. Everything that searches (SEARCH, SORT,
// THREAD, ESEARCH) goes this way; see finder.hpp for how a mailbox is gone through.
namespace gk::imap {

// What a key has to look at, cheapest first.
enum class Cost { Row, Sent, Envelope, File };

enum class Truth { No, Yes, Unknown };

// What a program means may depend on these.
struct SearchContext {
    const View& view;                      // sets and keywords are this mailbox's
    const std::vector<store::Uid>& saved;  // "$"
    std::int64_t now_s = 0;                // OLDER and YOUNGER count from here
    Words* words = nullptr;                // FUZZY asks them; without, it means nothing
};

// A key with its set resolved, its text folded, its children sorted by cost. Refers to nothing else.
struct Prepared {
    SearchKey::Kind kind = SearchKey::Kind::All;
    Cost cost = Cost::Row;
    bool sent = false;                   // it or a child asks for the Date field
    message::EnvelopeFields fields = 0;  // that they ask for besides, which may decide before the file is read
    std::vector<IndexRange> ranges;
    store::Flags flag = 0;
    store::KeywordMask keyword = 0;
    std::uint64_t number = 0;
    std::int64_t day = 0;  // of OLDER and YOUNGER: the second that they compare with
    std::string field;
    std::unique_ptr<Needle> needle;
    std::optional<FuzzyResult> fuzzy;  // of Fuzzy: what the index says; its child is for the rest
    std::vector<Prepared> children;
};
Prepared prepare(const SearchKey& key, const SearchContext& context);

// Finds the messages that EMAILID and THREADID name (RFC 8474, 6): once for a program, before it is evaluated.
Status find_object_ids(Prepared& key, View& view);

// A message as far as it was looked at.
struct Candidate {
    std::uint32_t index;  // in the view
    const store::Row* row;
    bool recent;
    const std::optional<Sent>* sent = nullptr;
    const message::Envelope* envelope = nullptr;
    const message::Structure* structure = nullptr;
    const store::OpenMessage* file = nullptr;
};

// Unknown: what the candidate has does not decide it. Never so once envelope, structure and file are there.
Truth evaluate(const Prepared& key, const Candidate& candidate);

// How well what was found fits the FUZZY keys outside of negations: BM25 in thousandths, their sum.
std::int64_t fuzzy_score(const Prepared& key, store::Uid uid);

}  // namespace gk::imap
