// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "common/base/result.hpp"

namespace gk::imap {

struct StdioSession {
    std::string root, account;
};

// One session for ACCOUNT on descriptors 0 and 1, already logged in (PREAUTH), with the rights of the caller: for
// mbsync's Tunnel, ssh and tests. Returns when it is over.
Status serve_stdio(const StdioSession& what);

}  // namespace gk::imap
