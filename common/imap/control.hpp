// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.hpp"

// What gk-frontd and gk-imapd's parent say of sessions that sleep, a line each, over a connection of their own that
// begins with FRONT. A sleeping session has no process: the front has the client, the parent knows how to go on. It is
// woken over a new connection to the parent's socket, whose first line is WAKE and which goes on like that of SESSION
// (handover.hpp). Lines are "VERB TAB key=value …", values percent-encoded.
namespace gk::imap {

constexpr std::size_t kMaxControlLine = 128 * 1024;  // a text of SAY, percent-encoded

struct Control {
    enum class Verb {
        Front,    // front: my sessions name me so (Handover::front)
        Sleep,    // imapd: this session would sleep, having read and written so many bytes; answered by Asleep or Awake
        Say,      // imapd: tell the sleeping client this; with END, then end the connection
        Rouse,    // imapd: wake it, there is much to tell
        Asleep,   // front: its connection is closed, the client is mine
        Awake,    // front: no, bytes are on the way
        Gone,     // front: the client of a sleeping session went away
        Wake,     // front, as the first line of a new connection: go on with this session here
        Release,  // imapd: the client logged out of its account (UNAUTHENTICATE), but stays connected; fields as of
                  // Sleep
    };
    Verb verb = Verb::Front;
    std::string name = {};   // Front
    std::uint64_t at = 0;    // the front's own name for the connection
    std::string token = {};  // names a sleeping session; not to be guessed, and good for one waking
    std::uint64_t read = 0, written = 0;
    std::uint64_t left_ms = 0;  // Sleep: so long the client may stay silent
    std::string text = {};
    bool end = false;
};

// With its LF on the way out, without it on the way in.
std::string format_control(const Control& control);
Result<Control> parse_control(std::string_view line);

}  // namespace gk::imap
