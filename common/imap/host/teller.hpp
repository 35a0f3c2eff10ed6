// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "common/imap/host/settings.hpp"
#include "common/os/fd.hpp"

namespace gk::imap {

constexpr std::size_t kMaxTold = 12 * 1024;  // of one text; percent-encoded, it and a state fit a note

// What a process is born with that tells all sleeping clients of one account of a change, and ends: one process for
// however many clients, and none of them wakes.
struct Teller {
    struct Sleeper {
        std::string token, state;
    };
    os::Fd notes;  // to the parent, which gets a Told for each session that has news
    std::string account, home;
    std::vector<Sleeper> sleepers;
    bool thorough = false;  // a foreign tool may have hidden behind a change of our own
    HostSettings settings;
};

// Right after fork; confined like a session. Returns the exit code.
int run_teller(Teller teller);

}  // namespace gk::imap
