// SPDX-License-Identifier: MIT
#include "common/os/daemon.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include "common/base/log.hpp"

namespace gk::os {

Result<std::vector<ListenFd>> take_listen_fds() {
    char** names = nullptr;
    const int count = ::sd_listen_fds_with_names(1, &names);
    if (count < 0) return tl::unexpected<Error>(os_error(-count, "cannot take the sockets of the service manager"));
    std::vector<ListenFd> fds;
    for (int i = 0; i < count; ++i) {
        fds.push_back({Fd(SD_LISTEN_FDS_START + i), names != nullptr && names[i] != nullptr ? names[i] : ""});
        if (names != nullptr) std::free(names[i]);
    }
    std::free(names);
    return fds;
}

void notify_ready(std::string_view status) {
    ::sd_notifyf(0, "READY=1%s%.*s", status.empty() ? "" : "\nSTATUS=", static_cast<int>(status.size()), status.data());
}

void notify_status(std::string_view status) {
    ::sd_notifyf(0, "STATUS=%.*s", static_cast<int>(status.size()), status.data());
}

void notify_reloading() {
    timespec t{};
    ::clock_gettime(CLOCK_MONOTONIC, &t);
    ::sd_notify(0, fmt::format("RELOADING=1\nMONOTONIC_USEC={}", t.tv_sec * 1'000'000 + t.tv_nsec / 1000).c_str());
}

void notify_stopping() { ::sd_notify(0, "STOPPING=1"); }

int watchdog_interval_ms() {
    std::uint64_t usec = 0;
    if (::sd_watchdog_enabled(0, &usec) <= 0) return 0;
    return static_cast<int>(usec / 2000);
}

void notify_watchdog() { ::sd_notify(0, "WATCHDOG=1"); }

Result<Signals> Signals::install() {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) ::sigaddset(&set, number);
    if (const int error = ::pthread_sigmask(SIG_BLOCK, &set, nullptr); error != 0)
        return tl::unexpected<Error>(os_error(error, "cannot block signals"));
    std::signal(SIGPIPE, SIG_IGN);
    Signals signals;
    signals.fd_ = Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals.fd_) return fail_errno("cannot watch signals");
    return signals;
}

Signals::Kind Signals::next() {
    signalfd_siginfo received{};
    if (::read(fd_.get(), &received, sizeof received) != sizeof received) return Kind::None;
    switch (received.ssi_signo) {
        case SIGHUP: return Kind::Reload;
        case SIGCHLD: return Kind::Child;
        default: return Kind::Stop;
    }
}

void run_until_stopped(Signals& signals, const std::function<Status()>& reload) {
    const int watchdog_ms = watchdog_interval_ms();
    for (;;) {
        pollfd wait{signals.fd(), POLLIN, 0};
        (void)::poll(&wait, 1, watchdog_ms > 0 ? watchdog_ms : -1);
        if (watchdog_ms > 0) notify_watchdog();
        const auto kind = signals.next();
        if (kind == Signals::Kind::Stop) break;
        if (kind != Signals::Kind::Reload) continue;
        notify_reloading();
        if (const auto reloaded = reload(); reloaded) log::Event("daemon.reloaded");
        else log::Event("daemon.reload_failed", log::Level::Error).field("error", reloaded.error().text);
        notify_ready();
    }
    notify_stopping();
}

}  // namespace gk::os
