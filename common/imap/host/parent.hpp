// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "common/base/result.hpp"

namespace gk::imap {

// gk-imapd's parent: one thread, one epoll loop. Takes sessions from the front (socket imap-session), has their tickets
// redeemed by gk-authd, forks a confined process for each, and tells them of changes: those that writers report
// (socket changes), those of other sessions, and those of foreign tools. Returns when SIGTERM has drained it.
Status serve_parent(const std::string& root);

}  // namespace gk::imap
