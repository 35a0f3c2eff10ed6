// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "common/base/result.hpp"
#include "common/os/daemon.hpp"
#include "common/os/fd.hpp"
#include "common/up/child.hpp"

namespace gk::up {

// Starts the daemons of a plan with their sockets, as systemd would: LISTEN_FDS and names, readiness and watchdog by
// notify socket; restarts with back-off, reloads, and stops in order. One thread; run() is its loop.
class Supervisor {
public:
    struct Options {
        std::string root;          // passed on as --root; empty: the system's places
        std::string programs;      // the directory of the daemons
        std::string run;           // notify.sock and up.sock, and the lock against a second gk-up
        std::string log;           // PROGRAM.log; empty: our own stderr
        bool change_user = false;  // each as its User=, Group= and SupplementaryGroups=
        std::function<void(const std::string&)> notice = {};  // for people: one line, no line end
    };

    // Takes the lock and opens every socket; nothing runs yet.
    static Result<Supervisor> open(std::vector<DaemonPlan> plan, Options options);
    ~Supervisor();
    Supervisor(Supervisor&&) = default;

    // Until told to stop and all have ended. ON_READY is called once, when all are ready. The error: why a daemon did
    // not become ready the first time (everything that ran was stopped), with an exit code of sysexits in exit_code().
    Status run(os::Signals& signals, const std::function<void()>& on_ready);
    int exit_code() const noexcept { return exit_code_; }

    // One line of JSON without line end: what runs, since when. Also what a connection to RUN/up.sock reads.
    std::string status_json() const;
    // The line that --json prints: {"schema":1,"root":…,"pid":…,"addresses":{"smtp":"127.0.0.1:20025",…}}
    std::string ready_json() const;
    std::vector<std::pair<std::string, std::string>> addresses() const;  // role and address, in order of the units

private:
    struct Entry {
        Child child;
        std::vector<os::Fd> sockets;
        std::uint64_t log_start = 0;  // where this run's lines begin
    };
    Supervisor() = default;
    Usec act();  // does what is due; when to come back
    void start(Entry& entry, Usec now);
    void reap();
    void read_notifications();
    void answer_status();
    void reload();
    void stop_next(Usec now);
    Status why_not_ready(const Entry& entry) const;
    Entry* by_pid(pid_t pid);
    void say(const std::string& text) const;

    Options options_;
    std::vector<Entry> entries_;
    std::vector<std::string> environment_;
    os::Fd lock_, notify_, status_;
    TimePoint since_{};
    bool stopping_ = false, ready_ = false;
    Status failure_ = ok();
    int exit_code_ = 0;
};

Usec monotonic_usec() noexcept;

}  // namespace gk::up
