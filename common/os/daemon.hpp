// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/os/fd.hpp"

// What a daemon shares with the service manager that started it (systemd or gk-up): sockets handed
// over, readiness, watchdog, reload and stop. See sd_listen_fds(3), sd_notify(3).
namespace gk::os {

// A listening socket from the service manager; NAME is its FileDescriptorName and chooses the role.
struct ListenFd {
    Fd fd;
    std::string name;
};
// All sockets handed over (LISTEN_FDS); empty when started by hand. Call once.
Result<std::vector<ListenFd>> take_listen_fds();

void notify_ready(std::string_view status = "");
void notify_status(std::string_view status);
void notify_reloading();
void notify_stopping();
// The watchdog's interval in milliseconds (half of what the manager wants), 0 for none.
int watchdog_interval_ms();
void notify_watchdog();

// SIGTERM and SIGINT ask to stop, SIGHUP asks to reload; SIGPIPE is ignored. Blocks these signals in
// the calling thread, so call it before threads start; then read events from fd() with poll.
class Signals {
public:
    static Result<Signals> install();
    int fd() const noexcept { return fd_.get(); }  // readable when a signal waits (signalfd)
    enum class Kind { None, Stop, Reload, Child };
    Kind next();  // without blocking

private:
    Fd fd_;
};

// A daemon's main thread once it serves: feeds the watchdog, calls RELOAD at each reload signal, tells the service
// manager and the log what came of it, and returns when it is told to stop.
void run_until_stopped(Signals& signals, const std::function<Status()>& reload);

}  // namespace gk::os
