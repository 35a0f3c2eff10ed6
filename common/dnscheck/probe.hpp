// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "common/dnscheck/lookups.hpp"
#include "common/dnscheck/site.hpp"

namespace gk::dnscheck {

struct ProbeOptions {
    bool connect = true;
    std::string smtp_at;  // "IP", "IP@PORT"; empty: our addresses, port 25
    std::string ca_file;
    std::uint16_t https_port = 443;
};

// Completes SITE.ours by what its server shows: the greeting and certificate on port 25, else the certificate that is
// configured; and the way to fetch policies. DNS must outlive it.
void look_at_server(Site& site, const ProbeOptions& options, Lookups& dns);

}  // namespace gk::dnscheck
