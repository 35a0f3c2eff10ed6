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
    int in = 0, out = 1;                     // the client; may be the same
    const os::Signals* signals = nullptr;    // Stop ends the session with BYE
    int notes = -1;                          // readable when the parent has news; -1: nobody tells us
    std::function<bool(Session&)> on_notes;  // reads them; false: the parent is gone
    // Asks the parent to let this process end and the session sleep; false: it must stay awake. The answer is the end
    // of the client's stream, or else a note or a byte of the client.
    struct Counts {
        std::uint64_t read = 0, written = 0;  // of the stream, since this process has it
        std::chrono::milliseconds left{};     // that the client may stay silent
    };
    std::function<bool(Session&, const Counts&)> would_sleep;
    std::chrono::milliseconds sleep_after{0}, sleep_silent_after{0};  // in IDLE, and without; 0: never
    std::uint64_t read_before = 0;                                    // of the stream, by others
    std::function<void(Session&)> after_turn;                         // after every turn of work, before waiting
    std::chrono::milliseconds idle_timeout{30 * 60 * 1000};
    std::chrono::milliseconds write_timeout{5 * 60 * 1000};
    std::chrono::milliseconds look_interval{0};  // where nobody tells us: look so often while the client is silent
};

struct Carried {
    std::uint64_t octets_in = 0, octets_out = 0;
    std::string_view
        end;  // why it ended: "logout", "closed", "idle", "stop", "write", "parent", "asleep", "unauthenticated"
};

// Carries bytes between a client and its session, blocking, until either ends it.
Carried carry(Session& session, CarryOptions options);

}  // namespace gk::imap
