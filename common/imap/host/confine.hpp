// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "common/os/sandbox.hpp"

namespace gk::imap {

// Closes this process in, for good: of the file system only HOME and what libc reads, no new sockets, no programs, no
// processes. REQUIRE: an error where the kernel lacks Landlock or seccomp; else the report says what is missing.
Result<os::SandboxReport> confine_session(const std::string& home, bool require);

}  // namespace gk::imap
