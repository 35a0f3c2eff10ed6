// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/imap/control.hpp"
#include "common/imap/host/agenda.hpp"
#include "common/imap/host/child.hpp"
#include "common/imap/host/notes.hpp"
#include "common/imap/host/watcher.hpp"
#include "common/os/daemon.hpp"

namespace gk::imap {

// The state of gk-imapd's parent. See parent.hpp.
class Parent {
public:
    Parent(config::Config config, os::Signals signals);
    Status run(std::vector<os::ListenFd> sockets);

private:
    using Clock = std::chrono::steady_clock;

    static constexpr std::chrono::milliseconds kAcceptPause{200};  // where descriptors run out
    // So that what comes together is told by one process. Where a file is seen first, its writer, if it is one of ours,
    // is about to say so, and has its row made by then.
    static constexpr std::chrono::milliseconds kGather{20}, kGatherTouched{200};
    static constexpr std::chrono::seconds kPatience{10};          // of a second look, while there is news elsewhere
    static constexpr std::chrono::milliseconds kTellAgain{1000};  // where a teller failed
    static constexpr std::size_t kTellers = 8;  // at the same time: they need the processor, and no more

    // From accept to fork: the SESSION line, then the answer of gk-authd.
    struct Starting {
        os::Fd client, auth;
        std::string heard, answer;  // from the front, from gk-authd
        std::string first_bytes;
        Handover handover;
        Clock::time_point deadline;
    };
    struct Running;
    using RunningAt = std::list<Running>::iterator;
    struct Running {
        pid_t pid = -1;
        os::Fd notes;
        std::string account, home;
        store::Quota quota;
        Handover handover;
        std::string selected, watched;  // mailbox and its directory
        bool watches_account = false;   // tell it of any change
        std::uint64_t notes_sent = 0;
        std::string asking;  // the token of the Sleeper that it would become; it hears no notes meanwhile
    };
    // A session without a process; see control.hpp.
    struct Sleeper {
        std::string account, home;
        store::Quota quota;
        Handover handover;
        std::string state;              // Session::put_to_sleep()
        std::string selected, watched;  // as in Running; empty where it does not idle
        pid_t asking = -1;              // the process that has not ended yet
        bool stale = false;             // something changed that its client was not told
    };
    // What one account has: guards its limit, and finds whom a change concerns.
    struct Present {
        std::vector<RunningAt> running;
        std::vector<std::string> asleep;         // tokens
        bool telling = false, thorough = false;  // telling: it stands in neither agenda
    };
    struct Telling {
        std::string account;
        os::Fd notes;
    };
    struct ControlLine {
        os::Fd fd;
        std::string name, heard;
    };
    using StartingAt = std::list<Starting>::iterator;
    using OnReady = std::function<void()>;

    Status watch(int fd, std::uint32_t events, OnReady on_ready);
    void unwatch(int fd);
    Status watch_listeners();
    void accept_all(int listener);
    void read_front(StartingAt starting);
    void ask_auth(StartingAt starting);
    void read_auth(StartingAt starting);
    void refuse(StartingAt starting, std::string_view code, std::string_view text);
    void drop(StartingAt starting);
    void start(StartingAt starting, const std::string& account, const store::Quota& quota);
    void reap();
    void finish(RunningAt running);
    void read_notes(RunningAt running);
    void select(RunningAt running, const std::string& mailbox, const std::string& directory);
    void look_now(Running& running, bool thorough);
    void read_changes(int fd);
    void on_touched();
    Status watch_directories();
    pid_t start_process(const std::string& account, const std::string& home, const store::Quota& quota,
                        Starting& starting, std::string state);
    // sleeping.cpp
    void begin_control(StartingAt starting, const Control& first);
    void read_control(const std::string& front);
    void lose_front(const std::string& front);
    bool say(const std::string& front, const Control& control);
    void would_sleep(RunningAt running, WouldSleep sleep);
    void release(RunningAt running, GaveUp gave_up);
    void on_awake(const std::string& token);
    void forget(const std::string& token);
    void wake(StartingAt starting, const std::string& token);
    void mark_stale(const std::string& account, Sleeper& sleeper, bool thorough, std::chrono::milliseconds gather);
    void leave(const std::string& account);
    void tell_sleepers();
    void start_teller(const std::string& account, Present& present);
    void read_teller(pid_t pid);
    void end_teller(pid_t pid, bool well);

    void tell(const std::string& account, std::string_view mailbox, const Running* but);
    void tell_watchers(const std::string& directory, bool thorough, bool arrived);
    void on_signal();
    void reload();
    void begin_drain();
    int next_timeout_ms() const;
    void on_time();

    config::Config config_;
    HostSettings settings_;
    os::Signals signals_;
    os::Fd epoll_;
    std::vector<os::ListenFd> sockets_;
    std::unordered_map<int, std::shared_ptr<OnReady>> on_ready_;
    std::list<Starting> starting_;
    std::list<Running> running_;
    std::unordered_map<pid_t, RunningAt> by_pid_;
    std::unordered_map<std::string, Present> present_;       // by account
    std::unordered_map<std::string, Sleeper> sleepers_;      // by token
    std::unordered_map<std::string, ControlLine> controls_;  // by name of the front
    std::unordered_map<pid_t, Telling> telling_;
    Agenda to_tell_, to_check_;  // accounts: with news for sleepers; that want a second look, which waits for those
    Watcher watcher_;
    Agenda look_again_;                                                 // directories: when their mtime can be trusted
    Clock::time_point watchdog_{}, drain_deadline_{}, accept_again_{};  // accept_again_: {} while accepting
    Clock::time_point touched_again_{};                                 // {}: the watcher is listened to
    bool draining_ = false;
};

}  // namespace gk::imap
