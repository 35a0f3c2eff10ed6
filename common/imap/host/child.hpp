// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>

#include "common/imap/handover.hpp"
#include "common/imap/host/settings.hpp"
#include "common/os/fd.hpp"

namespace gk::imap {

// What a session's process is born with.
struct Child {
    os::Fd client;  // the front's stream
    os::Fd notes;   // the socketpair to the parent
    Handover handover;
    std::string account, home;
    std::string first_bytes;  // of the client, that came with the SESSION line
    std::string state;        // of the session that wakes in it; else empty
    HostSettings settings;
    store::Quota quota;  // as gk-authd knew it at the login
};

// Right after fork: closes every descriptor that is not its own, closes itself in (the account's home, no sockets, no
// programs), opens the account and serves the client. Returns the exit code.
// CLOSED_IN is called once it is closed in, so that a test can try from there what must not be possible.
int run_child(Child child, const std::function<void()>& closed_in = {});

}  // namespace gk::imap
