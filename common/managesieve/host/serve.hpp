// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "common/base/result.hpp"

namespace gk::managesieve {

// gk-sieved's parent: takes sessions from the front (socket sieve-session) and forks a process for each, which has its
// ticket redeemed by gk-authd, closes itself in to the scripts of its account, and only then reads the client. Returns
// when SIGTERM has drained it.
Status serve_parent(const std::string& root);

// One session for ACCOUNT on descriptors 0 and 1, already logged in, with the rights of the caller. Returns when it is
// over.
Status serve_stdio(const std::string& root, const std::string& account);

}  // namespace gk::managesieve
