// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/queue/envelope.hpp"
#include "common/queue/spool_file.hpp"
#include "common/queue/state.hpp"

// What a person orders about one message, and what a person is told about it. Pure: the files are others' work.
namespace gk::queue {

enum class Action { Hold, Release, Retry, Delete, Bounce, Redirect, Reroute };

struct Command {
    Command(Action a = Action::Hold) : action(a) {}  // NOLINT: an action alone is a command
    Action action;
    std::vector<std::string> to;  // Redirect: who gets it in place of those who wait
    std::string via;              // Reroute: a route, or "mx" for what the settings say
    std::string reason;           // Bounce: what the sender is told
};
std::string_view action_name(Action action) noexcept;

// The outcomes that COMMAND, which is not Delete, adds to the message's file. BadInput for an address or route that
// is none, for a loop, and where nobody is left to whom the command could apply.
Result<std::vector<Outcome>> outcomes_of(const Command& command, const Envelope& envelope, const MessageState& state,
                                         TimePoint at);

struct Detail {
    Envelope envelope;
    std::vector<Outcome> outcomes;
    std::uint64_t size = 0;
    std::string status;
};

// How things stand with the destination of one recipient that waits.
struct Hop {
    std::size_t recipient = 0;
    std::string route;  // "b.test", "[192.0.2.1]:25"
    bool drained = false;
    unsigned sessions = 0, most_sessions = 0;
    std::size_t waiting = 0;     // groups of recipients before a free session
    unsigned most_a_minute = 0;  // messages, by queue.limits; 0: as many as go
    std::string state;           // as Stat::state, but for "drained"; empty: nothing is known of it
    TimePoint down_until{};      // nothing is sent before
    unsigned failures = 0;       // in a row, to reach it
    unsigned refusals = 0;       // in a row, to take anything from us now
    std::string reason, peer;    // of the last failure
};

// What is known of why a message is still there.
struct Facts {
    Detail detail;
    bool running = false;  // a daemon answered
    TimePoint gives_up{};  // unset: not known
    TimePoint warns{};     // unset: never, or not known
    std::vector<Hop> hops;
};
// Plain sentences: why it is here, what happens next and when, and when it ends.
std::vector<std::string> explain(const Facts& facts, TimePoint at);

}  // namespace gk::queue
