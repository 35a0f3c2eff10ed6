// SPDX-License-Identifier: MIT
#pragma once

#include "common/store/state.hpp"

// Private to the store: the rows of a great mailbox in a file beside the index, outlines/NUMBER, so that SELECT need
// not read them one by one. The file says how they were at a mod-sequence, and is never changed, only replaced: whoever
// has mapped it keeps what it saw. What happened since is in the index. A cache like that: who deletes it loses time.
namespace gk::store {

inline constexpr std::size_t kOutlinedFrom = 1000;  // messages; fewer are read as quickly

struct Outline {
    Rows rows;
    bool old = false;  // so much has changed since that a new one is worth its while
};
// As RECORD says that the mailbox is, in the read transaction it was read in. Nothing where there is no such file, or
// where it does not lead there; never an error.
std::optional<Outline> read_outline(State& state, const Record& record);
// Of what is committed now.
Status write_outline(State& state, std::int64_t mailbox, std::uint32_t uidvalidity);
// The mailbox is gone, or its rows were changed without a mod-sequence.
void forget_outline(State& state, std::int64_t mailbox);

// mailbox.cpp
Result<Vanished> vanished_in(State& state, const Record& record, ModSeq modseq);
Status read_rows(db::Statement& query, Rows& rows);

}  // namespace gk::store
