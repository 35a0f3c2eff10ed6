// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <string>

#include "common/config/config.hpp"
#include "common/imap/session.hpp"

namespace gk::imap {

struct HostSettings {
    SessionOptions session;
    message::Limits message;
    std::chrono::milliseconds idle_timeout{}, write_timeout{}, start_timeout{}, drain_timeout{};
    bool confine_required = false;
    std::chrono::milliseconds sleep_after{}, sleep_silent_after{};  // 0: never
    std::size_t sessions = 0, sessions_per_account = 0;
};
HostSettings host_settings(const config::Config& config);

// Where the mail of an account lives: MAIL/DOMAIN/USER. BadInput for what is not a canonical account name, or would
// leave MAIL.
Result<std::string> home_of(const std::string& mail, std::string_view account);
// The other way round: whose DIRECTORY, at or below a home, this is; empty where nobody's.
std::string account_of(std::string_view mail, std::string_view directory);

}  // namespace gk::imap
