// SPDX-License-Identifier: MIT
#include "common/imap/host/confine.hpp"

#include <fmt/format.h>

namespace gk::imap {

namespace {

// Time zones, and what glibc loads when a charset is first met.
const std::vector<std::string> kReadable = {"/usr/lib",       "/usr/lib64",  "/lib", "/lib64", "/usr/share/zoneinfo",
                                            "/etc/localtime", "/dev/urandom"};

}  // namespace

Result<os::SandboxReport> confine_session(const std::string& home, bool require) {
    os::Sandbox sandbox;
    sandbox.read_only = kReadable;
    sandbox.read_write = {home};
    GK_TRY(auto report, os::enter(sandbox));
    if (require && !(report.files_confined && report.calls_confined))
        return fail(Errc::Unsupported,
                    fmt::format("this kernel cannot confine a session as imap.confine = \"require\" wants it: {}",
                                report.describe()));
    return report;
}

}  // namespace gk::imap
