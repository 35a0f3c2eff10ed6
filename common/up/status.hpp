// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/config/config.hpp"

namespace gk::up {

struct DaemonStatus {
    std::string name;   // "gk-smtpd"
    std::string state;  // of gk-up: waiting, starting, ready, stopping, ended; of systemd: its ActiveState
    bool ready = false;
    std::int64_t pid = 0;  // 0: none
    std::string since;     // RFC 3339
    std::int64_t restarts = 0;
    std::string status;    // what the daemon says of itself
    std::string last_end;  // how the run before ended
};

struct StatusReport {
    std::string manager;  // "gk-up", "systemd", or empty: nothing runs here
    std::vector<DaemonStatus> daemons;
};

// Asks gk-up by its socket PATHS.run/up.sock; where none answers and PATHS are the system's, asks systemctl.
Result<StatusReport> read_status(const config::Paths& paths);

// The parts, for tests: gk-up's line of JSON, and what `systemctl show` prints (units divided by empty lines).
Result<StatusReport> parse_up_status(std::string_view json);
StatusReport parse_systemctl_show(std::string_view text);

}  // namespace gk::up
