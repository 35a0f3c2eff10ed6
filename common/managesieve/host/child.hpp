// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>

#include "common/config/config.hpp"
#include "common/managesieve/host/settings.hpp"
#include "common/os/daemon.hpp"
#include "common/os/fd.hpp"

namespace gk::managesieve {

// What a session's process is born with.
struct Child {
    os::Fd client;  // the front's stream; it says SESSION first (imap/handover.hpp)
    os::Fd parent;  // a socketpair: we name our account there, and are told by one octet whether it may have a session
    config::Config config;
    HostSettings settings;
};
constexpr char kGranted = 'y', kFull = 'n';

// Right after fork. CLOSED_IN is called once it is closed in, so that a test can try from there what must not be
// possible. Returns the exit code.
int run_child(Child child, const std::function<void()>& closed_in = {});

// OPTIONS for ACCOUNT, whose changes of scripts go to the log.
SessionOptions session_options(const HostSettings& settings, const std::string& account);

// Carries bytes between a client and its session until either ends it; why it ended.
std::string_view carry(Session& session, int in, int out, os::Signals& signals, std::chrono::milliseconds idle);

}  // namespace gk::managesieve
