// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/config/config.hpp"
#include "common/dns/resolver.hpp"
#include "common/dnscheck/finding.hpp"
#include "common/dnscheck/ours.hpp"

namespace gk::dnscheck {

// What a person says; empty for not said.
struct Said {
    std::string root, host, rua;
    std::vector<std::string> ips;
};

// A gk as gk-dns-check needs to know it. Without a gk.toml only what was said is known.
struct Site {
    std::optional<config::Config> config;
    dns::Options resolver;
    Ours ours;                         // without certificate and greeting, and no way to fetch policies
    std::vector<std::string> domains;  // of the directory
    std::vector<Unknown> unknown;      // what could not be read: permissions, mostly
    std::string hooks;                 // the directory dns.d

    bool hosts(const std::string& domain) const;
};

// Errors: Config for a gk.toml that is wrong, BadInput for what was said.
Result<Site> load_site(const Said& said);
// The certificate that is configured for mail.
Result<Certificate> configured_certificate(const config::Config& config);

}  // namespace gk::dnscheck
