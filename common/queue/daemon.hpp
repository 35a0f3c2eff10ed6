// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "common/base/result.hpp"

namespace gk::queue {

// gk-queue serve: the engine and its control socket, until SIGTERM. SIGHUP reads the configuration again; sessions
// under way end first.
Status run_daemon(const std::string& root);

}  // namespace gk::queue
