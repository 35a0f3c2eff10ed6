// SPDX-License-Identifier: MIT
#include "common/managesieve/host/settings.hpp"

namespace gk::managesieve {

HostSettings host_settings(const config::Config& config) {
    const auto duration = [&](std::string_view key) {
        return std::chrono::milliseconds(config.duration_s(key) * 1000);
    };
    HostSettings settings;
    settings.session.offered = offered(config);
    settings.scripts = sieve_scripts::Limits::from(config);
    settings.idle_timeout = duration("sieve.idle_timeout");
    settings.start_timeout = duration("sieve.start_timeout");
    settings.drain_timeout = duration("sieve.drain_timeout");
    settings.confine_required = config.string("imap.confine") == "require";
    settings.sessions = static_cast<std::size_t>(config.integer("sieve.sessions"));
    settings.sessions_per_account = static_cast<std::size_t>(config.integer("sieve.sessions_per_account"));
    return settings;
}

}  // namespace gk::managesieve
