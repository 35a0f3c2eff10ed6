// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/time.hpp"
#include "common/up/plan.hpp"

namespace gk::up {

using Usec = std::uint64_t;  // of the monotonic clock
constexpr Usec kNever = UINT64_MAX;

// One daemon's life as a value: what happened goes in, what to do next comes out. Holds no descriptor, reads no clock.
class Child {
public:
    enum class State { Waiting, Starting, Ready, Stopping, Ended };
    enum class Action {
        None,
        Start,      // start the program, then call started() or failed_to_start()
        Terminate,  // SIGTERM
        Abort,      // SIGABRT: its watchdog is silent; a core tells why
        Kill,       // SIGKILL
    };

    explicit Child(DaemonPlan plan) : plan_(std::move(plan)) {}

    // What is due at NOW; each action is asked for once. next_due() is when to ask again.
    Action due(Usec now);
    Usec next_due() const noexcept { return due_at_; }

    void started(pid_t pid, Usec now);
    void failed_to_start(std::string why, Usec now);
    // One datagram of sd_notify(3) from this daemon.
    void notified(std::string_view message, Usec now);
    // Its process ended; STATUS as from waitpid(2).
    void ended(int status, Usec now);
    void stop(Usec now);  // wanted no more; due() says Terminate next

    const DaemonPlan& plan() const noexcept { return plan_; }
    State state() const noexcept { return state_; }
    pid_t pid() const noexcept { return pid_; }          // 0: none
    TimePoint since() const noexcept { return since_; }  // of the state
    int restarts() const noexcept { return restarts_; }
    bool was_ready() const noexcept { return was_ready_; }                    // once at least
    const std::string& status_text() const noexcept { return status_text_; }  // its STATUS=
    const std::string& last_end() const noexcept { return last_end_; }        // "signal 9 (Killed)", "exit status 78"
    int exit_status() const noexcept { return exit_status_; }                 // the last one; -1 for a signal

private:
    void enter(State state, Usec due_at);
    void back_off(Usec now);

    DaemonPlan plan_;
    State state_ = State::Waiting;
    pid_t pid_ = 0;
    TimePoint since_{};
    Usec due_at_ = 0;  // in Waiting: when to start; else when patience ends
    Usec ready_at_ = 0;
    int restarts_ = 0, failures_ = 0, exit_status_ = 0;
    bool was_ready_ = false, stop_wanted_ = false, terminated_ = false, aborted_ = false;
    std::string status_text_, last_end_;
};

std::string_view state_name(Child::State state) noexcept;  // "waiting", "starting", "ready", "stopping", "ended"

}  // namespace gk::up
