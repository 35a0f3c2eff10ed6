// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/imap/host/settings.hpp"
#include "common/os/sandbox.hpp"
#include "common/store/account.hpp"

namespace gk::imap {

struct Opened {
    os::SandboxReport confined;
    std::shared_ptr<store::Account> account;
};

// In a process that is to serve one account: closes itself in (the account's home, no sockets, no programs) and opens
// the account. What else it has open was closed before. SINK outlives it. Where imap.confine says "require", an error
// if the kernel lacks Landlock or seccomp; else the report says what is missing. CLOSED_IN is called in between, so
// that a test can try from there what must not be possible.
Result<Opened> open_confined(const std::string& account, const std::string& home, const HostSettings& settings,
                             const store::Quota& quota, store::ChangeSink& sink,
                             const std::function<void()>& closed_in = {});

}  // namespace gk::imap
