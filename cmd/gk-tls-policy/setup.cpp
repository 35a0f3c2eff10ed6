// SPDX-License-Identifier: MIT
#include "cmd/gk-tls-policy/tls_policy.hpp"
#include "common/address/list.hpp"
#include "common/address/path.hpp"
#include "common/base/text.hpp"
#include "common/os/file.hpp"

namespace gk::tls_policy_tool {

Result<std::string> ascii_domain(const std::string& domain) {
    std::string_view name = domain;
    if (name.ends_with('.')) name.remove_suffix(1);
    GK_TRY(const std::string ascii, address::to_a_labels(name));
    return text::lower(ascii);
}

Result<Setup> set_up(const Arguments& arguments, bool may_store) {
    const auto paths = config::Paths::under(arguments.root);
    Setup setup;
    // Anybody may ask about the world: without a configuration the defaults hold.
    auto config = os::exists(paths.toml) ? config::Config::load(paths) : config::Config::parse("", paths);
    if (!config && config.error().code == Errc::Denied) config = config::Config::parse("", paths);
    if (!config) return fail(config.error());
    setup.config = std::move(*config);
    dns::Options dns;
    dns.servers = arguments.servers.empty() ? setup.config.strings("dns.resolver") : arguments.servers;
    dns.stubs = setup.config.table("dns.stubs");
    dns.trust_anchor_file = setup.config.string("dns.trust_anchor_file");
    dns.timeout = std::chrono::milliseconds(setup.config.duration_s("dns.timeout") * 1000);
    GK_TRY(setup.resolver, dns::Resolver::create(dns));
    GK_TRY(auto settings, tlspolicy::Settings::from(setup.config));
    settings.sts.may_store = may_store;
    setup.ca_file = settings.fetch.ca_file;
    setup.port = static_cast<std::uint16_t>(setup.config.integer("queue.port"));
    setup.planner = std::make_unique<tlspolicy::Planner>(std::move(settings), *setup.resolver);
    return setup;
}

}  // namespace gk::tls_policy_tool
