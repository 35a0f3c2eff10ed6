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

#include "common/imap/host/child.hpp"
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

    // From accept to fork: the SESSION line, then the answer of gk-authd.
    struct Starting {
        os::Fd client, auth;
        std::string heard, answer;  // from the front, from gk-authd
        std::string first_bytes;
        Handover handover;
        Clock::time_point deadline;
    };
    struct Running {
        pid_t pid = -1;
        os::Fd notes;
        std::string session_id, account, home;
        std::string selected, watched;  // mailbox and its directory
        bool watches_account = false;   // tell it of any change
    };
    using StartingAt = std::list<Starting>::iterator;
    using RunningAt = std::list<Running>::iterator;
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
    void read_changes(int fd);
    void on_touched();
    void tell(const std::string& account, std::string_view mailbox, const Running* but);
    void tell_watchers(const std::string& directory, bool thorough);
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
    std::unordered_map<std::string, std::size_t> sessions_of_;
    Watcher watcher_;
    std::map<std::string, Clock::time_point> look_again_;               // directory: when its mtime can be trusted
    Clock::time_point watchdog_{}, drain_deadline_{}, accept_again_{};  // accept_again_: {} while accepting
    bool draining_ = false;
};

}  // namespace gk::imap
