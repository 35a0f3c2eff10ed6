// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "common/maildir/writer.hpp"
#include "common/store/state.hpp"

// Private to the store: several messages that come in one step, all or none, whatever ends the program or the power.
namespace gk::store {

// What is about to happen is written down in a file beside the mailbox before the first name changes, and that file is
// removed after the last. All of it is done in one write transaction of the index, so that no look at the directories
// comes between, and whoever finds such a file knows that its writer is dead.
struct Together {
    State& state;
    Arrival arrival;  // its messages get their UIDs
    std::vector<maildir::Placement> placements;
    std::uint32_t uidvalidity = 0;  // of the target
    // Where REPLACED is not 0: a message that goes in the same step.
    std::int64_t source = 0;
    std::uint32_t source_uidvalidity = 0;
    Uid replaced = 0;

    Status run();
};

// What a dead writer left: completed where the first of its names had changed, else taken back. In a write transaction,
// before the directories are read.
Status finish_what_was_begun(State& state, const Record& record);

}  // namespace gk::store
