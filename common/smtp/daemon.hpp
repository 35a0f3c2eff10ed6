// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "common/base/result.hpp"

namespace gk::smtp {

// gk-smtpd: takes the sockets of the service manager and serves until SIGTERM; SIGHUP reloads configuration and
// certificates, and connections keep what they began with. ROOT as config::Paths::under takes it.
Status run_daemon(const std::string& root);

}  // namespace gk::smtp
