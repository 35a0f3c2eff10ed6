// SPDX-License-Identifier: MIT
#pragma once

#include "common/config/config.hpp"
#include "common/sieve/sieve.hpp"

namespace gk::sieve_scripts {

// The language as it is configured, the same for whoever checks a script and for whoever runs it.
sieve::Limits language_limits(const config::Config& config);
sieve::Extensions extensions(const config::Config& config);

}  // namespace gk::sieve_scripts
