// SPDX-License-Identifier: MIT
#include "common/managesieve/host/serve.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <map>

#include "common/base/log.hpp"
#include "common/base/text.hpp"
#include "common/directory/directory.hpp"
#include "common/managesieve/host/child.hpp"
#include "common/os/file.hpp"
#include "common/os/owner.hpp"
#include "common/os/sandbox.hpp"

namespace gk::managesieve {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kAcceptPause{200};  // where descriptors or processes run out

// Scripts are changed a few times a year: a loop over all descriptors serves as many sessions as there will be.
class Parent {
public:
    Parent(config::Config config, os::Signals signals, os::Fd listener)
        : config_(std::move(config)),
          settings_(host_settings(config_)),
          signals_(std::move(signals)),
          listener_(std::move(listener)) {}

    Status run() {
        log::Event("daemon.ready");
        os::notify_ready();
        while (listener_ || !running_.empty()) {
            std::vector<pollfd> watched{{signals_.fd(), POLLIN, 0}};
            std::vector<pid_t> pids;
            for (const auto& [pid, session] : running_) {
                watched.push_back({session.notes ? session.notes.get() : -1, POLLIN, 0});
                pids.push_back(pid);
            }
            const bool accepts = listener_ && Clock::now() >= accept_again_ && running_.size() < settings_.sessions;
            if (accepts) watched.push_back({listener_.get(), POLLIN, 0});
            const int count = ::poll(watched.data(), watched.size(), wait_ms());
            if (count < 0 && errno != EINTR) return fail_errno("cannot wait for events");
            if (count > 0) {
                for (std::size_t i = 0; i < pids.size(); ++i)
                    if (watched[i + 1].revents != 0) on_note(running_.at(pids[i]));
                if (accepts && watched.back().revents != 0) accept_one();
                if (watched[0].revents != 0) on_signal();
            }
            on_time();
        }
        log::Event("daemon.stopped");
        return ok();
    }

private:
    struct Running {
        os::Fd notes;
        std::string account;  // empty until it is known
    };

    int wait_ms() const {
        auto next = Clock::now() + std::chrono::hours(1);
        if (!listener_) next = std::min(next, drain_deadline_);
        else if (accept_again_ > Clock::now()) next = std::min(next, accept_again_);
        if (const int interval = os::watchdog_interval_ms(); interval > 0)
            next = std::min(next, watchdog_ + std::chrono::milliseconds(interval));
        const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now()).count();
        return static_cast<int>(std::clamp<std::int64_t>(wait, 0, 3'600'000));
    }

    void on_time() {
        const auto now = Clock::now();
        if (const int interval = os::watchdog_interval_ms();
            interval > 0 && now >= watchdog_ + std::chrono::milliseconds(interval)) {
            os::notify_watchdog();
            watchdog_ = now;
        }
        if (!listener_ && now >= drain_deadline_) {
            for (const auto& [pid, session] : running_) ::kill(pid, SIGKILL);
            drain_deadline_ = now + std::chrono::seconds(1);
        }
    }

    void accept_one() {
        os::Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        int pair[2];
        if (!client && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)) return;
        pid_t pid = -1;
        os::Fd ours, theirs;
        if (client && ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0) {
            ours = os::Fd(pair[0]);
            theirs = os::Fd(pair[1]);
            pid = ::fork();
        }
        if (pid == 0) ::_exit(run_child({std::move(client), std::move(theirs), config_, settings_}));
        if (pid < 0) {
            log::Event("sieve.accept_failed", log::Level::Error)
                .field("error", os_error(errno, "cannot start a session").text);
            accept_again_ = Clock::now() + kAcceptPause;
            return;
        }
        running_[pid].notes = std::move(ours);
    }

    void on_note(Running& session) {
        char name[1024];
        const ssize_t count = ::recv(session.notes.get(), name, sizeof name, MSG_DONTWAIT);
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (count <= 0) return session.notes.reset();  // it is ending; SIGCHLD follows
        const std::string account(name, static_cast<std::size_t>(count));
        const auto has = std::count_if(running_.begin(), running_.end(),
                                       [&](const auto& one) { return one.second.account == account; });
        const bool room = static_cast<std::size_t>(has) < settings_.sessions_per_account;
        if (room) session.account = account;
        const char answer = room ? kGranted : kFull;
        static_cast<void>(::send(session.notes.get(), &answer, 1, MSG_NOSIGNAL | MSG_DONTWAIT));
    }

    void on_signal() {
        for (;;) {
            switch (signals_.next()) {
                case os::Signals::Kind::None: return;
                case os::Signals::Kind::Child: reap(); break;
                case os::Signals::Kind::Reload: reload(); break;
                case os::Signals::Kind::Stop:
                    if (!listener_) break;
                    listener_.reset();
                    drain_deadline_ = Clock::now() + settings_.drain_timeout;
                    os::notify_stopping();
                    for (const auto& [pid, session] : running_) ::kill(pid, SIGTERM);
                    break;
            }
        }
    }

    void reap() {
        int status = 0;
        for (pid_t pid = ::waitpid(-1, &status, WNOHANG); pid > 0; pid = ::waitpid(-1, &status, WNOHANG)) {
            if (WIFSIGNALED(status))
                log::Event("sieve.session_died", log::Level::Error)
                    .field("actor", running_[pid].account)
                    .field("signal", WTERMSIG(status));
            running_.erase(pid);
        }
    }

    void reload() {
        os::notify_reloading();
        auto config = config::Config::load(config_.paths());
        if (config) {
            config_ = std::move(*config);
            settings_ = host_settings(config_);
            log::Event("daemon.reloaded");
        } else {
            log::Event("daemon.reload_failed", log::Level::Error).field("error", config.error().text);
        }
        os::notify_ready();
    }

    config::Config config_;
    HostSettings settings_;
    os::Signals signals_;
    os::Fd listener_;
    std::map<pid_t, Running> running_;
    Clock::time_point watchdog_{}, accept_again_{}, drain_deadline_{};
};

}  // namespace

Status serve_parent(const std::string& root) {
    GK_TRY(auto config, config::Config::load(config::Paths::under(root)));
    GK_TRY(auto signals, os::Signals::install());
    GK_TRY(auto sockets, os::take_listen_fds());
    os::Fd listener;
    for (auto& socket : sockets) {
        if (socket.name == "sieve-session") listener = std::move(socket.fd);
        else log::Event("socket.unknown", log::Level::Warning).field("name", socket.name);
    }
    if (!listener) return fail(Errc::Config, "the service manager handed over no socket named sieve-session");
    if (::fcntl(listener.get(), F_SETFL, ::fcntl(listener.get(), F_GETFL) | O_NONBLOCK) != 0)
        return fail_errno("cannot set up a listening socket");
    GK_CHECK(os::prepare({}));
    return Parent(std::move(config), std::move(signals), std::move(listener)).run();
}

Status serve_stdio(const std::string& root, const std::string& name) {
    GK_TRY(const auto config, config::Config::load(config::Paths::under(root)));
    GK_TRY(const std::string account, directory::canonical_account(name));
    GK_CHECK(os::become_owner_of(config.paths().mail));
    GK_TRY(auto signals, os::Signals::install());
    const auto settings = host_settings(config);
    sieve_scripts::Store store(directory::home_of(config.paths(), account), settings.scripts);
    Session session(store, judge(config, store), session_options(settings, account));
    const std::string greeting = session.greet_preauthenticated();
    if (::write(STDOUT_FILENO, greeting.data(), greeting.size()) < 0) return fail_errno("cannot greet");
    carry(session, STDIN_FILENO, STDOUT_FILENO, signals, settings.idle_timeout);
    return ok();
}

}  // namespace gk::managesieve
