// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

namespace gk::config {
class Config;
}

namespace gk::auth {

// The SASL mechanisms to offer, strongest first. HAS_CB: the host can give channel binding bytes for this
// connection; SCRAM-SHA-256-PLUS is offered only then. Without TLS, PLAIN and LOGIN only where configured.
std::vector<std::string> mechanisms(const config::Config& config, bool tls, bool has_cb);
// The same with every setting at its default.
std::vector<std::string> mechanisms(bool tls, bool has_cb);

}  // namespace gk::auth
