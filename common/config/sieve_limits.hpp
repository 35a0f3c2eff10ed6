// SPDX-License-Identifier: MIT
#pragma once

#include "common/config/config.hpp"

namespace gk::config {

// The settings sieve.* that bound a script; LIMITS is sieve::Limits, which lies on a higher floor.
template <class Limits>
void read_sieve_limits(const Config& config, Limits& limits) {
    const auto number = [&](std::string_view key) { return static_cast<std::uint32_t>(config.integer(key)); };
    limits.script_size = config.size("sieve.max_script_size");
    limits.program_size = config.size("sieve.max_program_size");
    limits.nesting = number("sieve.max_nesting");
    limits.problems = number("sieve.max_problems");
    limits.include_depth = number("sieve.max_include_depth");
    limits.includes = number("sieve.max_includes");
    limits.steps = static_cast<std::uint64_t>(config.integer("sieve.max_steps"));
    limits.variables = number("sieve.max_variables");
    limits.variable_size = config.size("sieve.max_variable_size");
    limits.memory = config.size("sieve.max_memory");
    limits.actions = number("sieve.max_actions");
    limits.redirects = number("sieve.max_redirects");
    limits.notifications = number("sieve.max_notifications");
    limits.regex_memory = config.size("sieve.max_regex_memory");
    limits.body_size = config.size("sieve.max_body_size");
    limits.vacation_least_s = config.duration_s("sieve.vacation_least");
    limits.vacation_default_s = config.duration_s("sieve.vacation_default");
    limits.vacation_most_s = config.duration_s("sieve.vacation_most");
    limits.duplicate_default_s = config.duration_s("sieve.duplicate_default");
    limits.duplicate_most_s = config.duration_s("sieve.duplicate_most");
}

}  // namespace gk::config
