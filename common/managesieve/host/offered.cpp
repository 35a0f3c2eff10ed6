// SPDX-License-Identifier: MIT
#include "common/managesieve/host/settings.hpp"
#include "common/sieve_scripts/settings.hpp"

namespace gk::managesieve {

Offered offered(const config::Config& config) {
    const auto extensions = sieve_scripts::extensions(config);
    Offered offered;
    offered.extensions = extensions.joined();
    if (extensions.has("enotify")) offered.notify = "mailto";
    offered.max_redirects = static_cast<std::uint64_t>(config.integer("sieve.max_redirects"));
    return offered;
}

}  // namespace gk::managesieve
