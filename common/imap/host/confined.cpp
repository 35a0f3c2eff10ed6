// SPDX-License-Identifier: MIT
#include "common/imap/host/confined.hpp"

#include <fmt/format.h>
#include <cstdlib>
#include <vector>

namespace gk::imap {

namespace {

// Time zones, and what glibc loads when a charset is first met.
const std::vector<std::string> kReadable = {"/usr/lib",       "/usr/lib64",  "/lib", "/lib64", "/usr/share/zoneinfo",
                                            "/etc/localtime", "/dev/urandom"};

}  // namespace

Result<Opened> open_confined(const std::string& account, const std::string& home, const HostSettings& settings,
                             const store::Quota& quota, store::ChangeSink& sink,
                             const std::function<void()>& closed_in) {
    // SQLite's temporary files, should it need one, belong to what is reachable.
    ::setenv("SQLITE_TMPDIR", home.c_str(), 1);
    os::Sandbox sandbox;
    sandbox.read_only = kReadable;
    sandbox.read_write = {home};
    Opened opened;
    GK_TRY(opened.confined, os::enter(sandbox));
    if (settings.confine_required && !(opened.confined.files_confined && opened.confined.calls_confined))
        return fail(Errc::Unsupported,
                    fmt::format("this kernel cannot confine a session as imap.confine = \"require\" wants it: {}",
                                opened.confined.describe()));
    if (closed_in) closed_in();
    store::AccountOptions options;
    options.name = account;
    options.message_limits = settings.message;
    options.sink = &sink;
    options.quota = quota;
    GK_TRY(opened.account, store::Account::open(home, options));
    return opened;
}

}  // namespace gk::imap
