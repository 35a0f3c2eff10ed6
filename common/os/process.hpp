// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.hpp"

namespace gk::os {

// The numbers behind a user and group name.
struct Identity {
    uid_t uid = 0;
    gid_t gid = 0;
    std::string user;  // for initgroups
    std::vector<gid_t> supplementary = {};
};
// GROUP empty: the user's own group. NotFound where a name is unknown.
Result<Identity> find_identity(const std::string& user, const std::string& group = "",
                               const std::vector<std::string>& supplementary = {});

// A program to start.
struct Spawn {
    std::vector<std::string> argv;          // argv[0] is a path
    std::vector<std::string> environment;   // "NAME=value"; nothing is inherited
    std::vector<int> descriptors = {};      // become 3, 4, … in the child; all others are closed
    bool tell_listen_pid = false;           // adds LISTEN_PID=<the child's pid>, known only after the fork
    int standard_input = -1;                // -1: /dev/null
    int standard_output = -1;               // -1: /dev/null
    int standard_error = -1;                // -1: ours
    std::optional<Identity> identity = {};  // needs root
    std::string directory = "/";
    int umask = -1;                // -1: ours
    std::uint64_t open_files = 0;  // RLIMIT_NOFILE, as far as ours allows; 0: ours
    int signal_when_we_die = 0;    // PR_SET_PDEATHSIG; 0: none
};

// Starts it with default signals and an empty signal mask, in a session of its own. When exec itself fails, that is the
// error here. Call from a program with one thread.
Result<pid_t> spawn(const Spawn& what);

}  // namespace gk::os
