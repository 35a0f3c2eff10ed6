// SPDX-License-Identifier: MIT
#include "common/sieve_scripts/settings.hpp"

#include "common/config/sieve_limits.hpp"

namespace gk::sieve_scripts {

sieve::Limits language_limits(const config::Config& config) {
    sieve::Limits limits;
    config::read_sieve_limits(config, limits);
    return limits;
}

sieve::Extensions extensions(const config::Config& config) {
    auto extensions = sieve::Extensions::all();
    // No list of addresses is kept, and the queue promises no time (RFC 2852).
    for (const auto* missing : {"extlists", "redirect-deliverby"}) extensions.set(missing, false);
    for (const auto& unwanted : config.strings("sieve.disabled_extensions")) extensions.set(unwanted, false);
    return extensions;
}

}  // namespace gk::sieve_scripts
