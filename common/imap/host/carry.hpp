// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "common/imap/session.hpp"
#include "common/os/daemon.hpp"

namespace gk::imap {

struct CarryOptions {
    int in = 0, out = 1;                       // the client; may be the same
    const os::Signals* signals = nullptr;      // Stop ends the session with BYE
    int notes = -1;                            // readable when the parent has news; -1: nobody tells us
    std::function<bool(Session&)> on_notes;    // reads them; false: the parent is gone
    std::function<void(Session&)> after_turn;  // after every turn of work, before waiting
    std::chrono::milliseconds idle_timeout{30 * 60 * 1000};
    std::chrono::milliseconds write_timeout{5 * 60 * 1000};
    std::chrono::milliseconds look_interval{0};  // where nobody tells us: look so often while the client is silent
};

struct Carried {
    std::uint64_t octets_in = 0, octets_out = 0;
    std::string_view end;  // why it ended: "logout", "closed", "idle", "stop", "write", "parent"
};

// Carries bytes between a client and its session, blocking, until either ends it.
Carried carry(Session& session, CarryOptions options);

}  // namespace gk::imap
