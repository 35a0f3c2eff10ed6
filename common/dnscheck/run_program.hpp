// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"

namespace gk::dnscheck {

struct Ran {
    int code = -1;       // exit code; -1 where a signal ended it
    std::string output;  // of standard output and error together, cut at 64 KiB
};
// Runs a program with INPUT on its standard input, and ends it when TIME is over (Timeout). Call from a program with
// one thread.
Result<Ran> run_program(const std::vector<std::string>& argv, std::string_view input, std::chrono::milliseconds time);
// The first of NAMES in $PATH or the system's directories; empty where there is none.
std::string find_program(const std::vector<std::string>& names);

}  // namespace gk::dnscheck
