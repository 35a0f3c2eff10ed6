// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <string>

#include "common/config/config.hpp"
#include "common/managesieve/session.hpp"

namespace gk::managesieve {

struct HostSettings {
    SessionOptions session;
    sieve_scripts::Limits scripts;
    std::chrono::milliseconds idle_timeout{}, start_timeout{}, drain_timeout{};
    bool confine_required = false;
    std::size_t sessions = 0, sessions_per_account = 0;
};
HostSettings host_settings(const config::Config& config);

// What we offer, the login apart.
Offered offered(const config::Config& config);
// Compiles scripts as delivery does, with what they include of STORE, which outlives it. A script that is included and
// not there is a warning: it may come later (RFC 6609, 3.2).
Judge judge(const config::Config& config, const sieve_scripts::Store& store);

}  // namespace gk::managesieve
