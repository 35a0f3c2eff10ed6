// SPDX-License-Identifier: MIT
#include "common/dnscheck/probe.hpp"

namespace gk::dnscheck {

void look_at_server(Site& site, const ProbeOptions& options, Lookups& dns) {
    (void)options, (void)dns;
    if (!site.config) return;
    auto configured = configured_certificate(*site.config);
    if (configured) site.ours.certificate = std::move(*configured);
    else site.ours.certificate_error = configured.error().text;
}

}  // namespace gk::dnscheck
