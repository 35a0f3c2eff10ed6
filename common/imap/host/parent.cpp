// SPDX-License-Identifier: MIT
#include "common/imap/host/parent.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>

#include "common/base/log.hpp"
#include "common/base/text.hpp"
#include "common/charset/charset.hpp"
#include "common/imap/host/loop.hpp"
#include "common/imap/host/notes.hpp"
#include "common/os/sandbox.hpp"
#include "common/store/account.hpp"
#include "common/store/change_socket.hpp"

namespace gk::imap {

namespace {

// The store trusts a directory's mtime once it is older than 2 s.
constexpr std::chrono::milliseconds kTrustAfter{2100};
// What happens to directories right after something did is told in one go: a STORE of ten thousand messages is as many
// renames, and each would wake us, who would wake the session that makes them.
constexpr std::chrono::milliseconds kTouchPause{50};

}  // namespace

Status serve_parent(const std::string& root) {
    GK_TRY(config::Config config, config::Config::load(config::Paths::under(root)));
    GK_TRY(os::Signals signals, os::Signals::install());
    GK_TRY(auto sockets, os::take_listen_fds());
    store::warm_up();
    GK_CHECK(os::prepare({}));
    charset::preload();  // sessions close themselves off from the files that converters are
    return Parent(std::move(config), std::move(signals)).run(std::move(sockets));
}

Parent::Parent(config::Config config, os::Signals signals)
    : config_(std::move(config)),
      settings_(host_settings(config_)),
      signals_(std::move(signals)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

Status Parent::watch(int fd, std::uint32_t events, OnReady on_ready) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return fail_errno("cannot watch a descriptor");
    on_ready_[fd] = std::make_shared<OnReady>(std::move(on_ready));
    return ok();
}

void Parent::unwatch(int fd) {
    if (on_ready_.erase(fd) > 0) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

Status Parent::run(std::vector<os::ListenFd> sockets) {
    if (!epoll_) return fail_errno("cannot create an epoll instance");
    sockets_ = std::move(sockets);
    bool listens = false;
    for (const os::ListenFd& socket : sockets_) {
        const int fd = socket.fd.get();
        if (socket.name == "imap-session") {
            if (::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK) != 0)
                return fail_errno("cannot set up a listening socket");
            listens = true;
        } else if (socket.name == "changes") {
            GK_CHECK(watch(fd, EPOLLIN, [this, fd] { read_changes(fd); }));
        } else {
            log::Event("socket.unknown", log::Level::Warning).field("name", socket.name);
        }
    }
    if (!listens) return fail(Errc::Config, "the service manager handed over no socket named imap-session");
    GK_CHECK(watch_listeners());
    GK_CHECK(watch(signals_.fd(), EPOLLIN, [this] { on_signal(); }));
    if (watcher_.fd() >= 0) GK_CHECK(watch_directories());
    else log::Event("imap.watch.failed", log::Level::Warning).field("error", "the kernel gave no inotify instance");
    log::Event("daemon.ready");
    os::notify_ready();

    while (!draining_ || !running_.empty()) {
        epoll_event events[64];
        const int count = ::epoll_wait(epoll_.get(), events, 64, next_timeout_ms());
        if (count < 0 && errno != EINTR) return fail_errno("cannot wait for events");
        for (int i = 0; i < count; ++i) {
            // An earlier event of this round may have ended it; and the handler may end itself.
            const auto at = on_ready_.find(events[i].data.fd);
            if (at == on_ready_.end()) continue;
            const std::shared_ptr<OnReady> on_ready = at->second;
            (*on_ready)();
        }
        on_time();
    }
    log::Event("daemon.stopped");
    return ok();
}

Status Parent::watch_listeners() {
    accept_again_ = {};
    for (const os::ListenFd& socket : sockets_)
        if (const int fd = socket.fd.get(); socket.name == "imap-session" && !on_ready_.contains(fd))
            GK_CHECK(watch(fd, EPOLLIN, [this, fd] { accept_all(fd); }));
    return ok();
}

int Parent::next_timeout_ms() const {
    auto next = Clock::now() + std::chrono::hours(1);
    for (const Starting& starting : starting_) next = std::min(next, starting.deadline);
    next = std::min(next, look_again_.next());
    if (touched_again_ != Clock::time_point{}) next = std::min(next, touched_again_);
    if (telling_.size() < kTellers) next = std::min({next, to_tell_.next(), to_check_.next()});
    if (draining_) next = std::min(next, drain_deadline_);
    else if (accept_again_ != Clock::time_point{}) next = std::min(next, accept_again_);
    if (os::watchdog_interval_ms() > 0)
        next = std::min(next, watchdog_ + std::chrono::milliseconds(os::watchdog_interval_ms()));
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(wait, 0, 3'600'000));
}

void Parent::on_time() {
    const auto now = Clock::now();
    if (const int interval = os::watchdog_interval_ms();
        interval > 0 && now >= watchdog_ + std::chrono::milliseconds(interval)) {
        os::notify_watchdog();
        watchdog_ = now;
    }
    if (!draining_ && accept_again_ != Clock::time_point{} && now >= accept_again_)
        if (const Status watched = watch_listeners(); !watched) accept_again_ = now + kAcceptPause;
    for (auto at = starting_.begin(); at != starting_.end();) {
        const auto starting = at++;
        if (now >= starting->deadline) refuse(starting, "temp", "the session took too long to start");
    }
    if (touched_again_ != Clock::time_point{} && now >= touched_again_)
        if (const Status watched = watch_directories(); !watched) touched_again_ = now + kTouchPause;
    while (const auto directory = look_again_.take(now)) tell_watchers(*directory, true, false);
    tell_sleepers();
    if (draining_ && now >= drain_deadline_) {
        for (const Running& running : running_) ::kill(running.pid, SIGKILL);
        drain_deadline_ = now + std::chrono::seconds(1);
    }
}

void Parent::on_signal() {
    for (;;) {
        switch (signals_.next()) {
            case os::Signals::Kind::None: return;
            case os::Signals::Kind::Child: reap(); break;
            case os::Signals::Kind::Reload: reload(); break;
            case os::Signals::Kind::Stop: begin_drain(); break;
        }
    }
}

void Parent::reload() {
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

void Parent::begin_drain() {
    if (draining_) return;
    draining_ = true;
    drain_deadline_ = Clock::now() + settings_.drain_timeout;
    os::notify_stopping();
    for (const os::ListenFd& socket : sockets_)
        if (socket.name == "imap-session") unwatch(socket.fd.get());
    while (!starting_.empty()) refuse(starting_.begin(), "temp", "the server is stopping");
    while (!controls_.empty()) lose_front(controls_.begin()->first);
    for (const Running& running : running_) ::kill(running.pid, SIGTERM);
}

void Parent::reap() {
    int status = 0;
    for (pid_t pid = ::waitpid(-1, &status, WNOHANG); pid > 0; pid = ::waitpid(-1, &status, WNOHANG)) {
        const auto at = by_pid_.find(pid);
        if (at == by_pid_.end()) {
            end_teller(pid, WIFEXITED(status) && WEXITSTATUS(status) == 0);
            continue;
        }
        if (WIFSIGNALED(status))
            log::Event("imap.session.died", log::Level::Error)
                .field("session", at->second->handover.session_id)
                .field("actor", at->second->account)
                .field("signal", WTERMSIG(status));
        finish(at->second);
    }
}

void Parent::finish(RunningAt running) {
    select(running, "", "");
    unwatch(running->notes.get());
    by_pid_.erase(running->pid);
    const auto present = present_.find(running->account);
    std::erase(present->second.running, running);
    leave(present->first);
    running_.erase(running);
}

void Parent::read_notes(RunningAt running) {
    bool closed = false;
    while (auto note = receive_note(running->notes.get(), closed)) {
        if (const auto* selected = std::get_if<Selected>(&*note))
            select(running, selected->mailbox, selected->directory);
        else if (const auto* watches = std::get_if<Watches>(&*note)) running->watches_account = watches->account;
        else if (const auto* change = std::get_if<OwnChange>(&*note))
            tell(running->account, change->mailbox, &*running);
        else if (auto* gave_up = std::get_if<GaveUp>(&*note)) release(running, std::move(*gave_up));
        else if (auto* sleep = std::get_if<WouldSleep>(&*note)) would_sleep(running, std::move(*sleep));
    }
    if (closed) unwatch(running->notes.get());  // it is ending; SIGCHLD follows
}

void Parent::select(RunningAt running, const std::string& mailbox, const std::string& directory) {
    if (!running->watched.empty()) watcher_.remove(running->watched);
    running->watched.clear();
    running->selected = mailbox;
    // What a session says is believed only within its account.
    const std::string below = running->home + "/Maildir";
    const bool inside =
        directory == below || (directory.starts_with(below + "/") && directory.find("/../") == std::string::npos &&
                               !directory.ends_with("/.."));
    if (directory.empty() || !inside) return;
    running->watched = directory;
    watcher_.add(directory);
}

void Parent::read_changes(int fd) {
    char buffer[16 * 1024];
    for (;;) {
        const ssize_t count = ::recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
        if (count < 0) return;
        if (const auto change = store::parse_change({buffer, static_cast<std::size_t>(count)}))
            tell(change->account, change->mailbox, nullptr);
    }
}

// Not while it would sleep: it reads nothing then, and what became of it decides who is told.
void Parent::look_now(Running& running, bool thorough) {
    if (!running.asking.empty()) return;
    ++running.notes_sent;
    send_note(running.notes.get(), LookNow{thorough});
}

void Parent::tell(const std::string& account, std::string_view mailbox, const Running* but) {
    const auto present = present_.find(account);
    if (present == present_.end()) return;
    for (const RunningAt running : present->second.running)
        if (&*running != but && (running->selected == mailbox || running->watches_account)) look_now(*running, false);
    for (const std::string& token : present->second.asleep)
        if (Sleeper& sleeper = sleepers_.at(token); sleeper.selected == mailbox)
            mark_stale(account, sleeper, false, kGather);
}

Status Parent::watch_directories() {
    touched_again_ = {};
    for (const auto& directory : watcher_.listen_again()) {
        tell_watchers(directory, false, false);
        look_again_.put(directory, Clock::now() + kTrustAfter);
    }
    return watch(watcher_.fd(), EPOLLIN, [this] { on_touched(); });
}

void Parent::on_touched() {
    for (const auto& [directory, arrived] : watcher_.touched()) {
        tell_watchers(directory, false, arrived);
        look_again_.put(directory, Clock::now() + kTrustAfter);
    }
    unwatch(watcher_.fd());
    touched_again_ = Clock::now() + kTouchPause;
}

// Who tells the sleepers of an account moves what is new to cur/, and that touches the mailbox too: only what arrives
// meanwhile, or is reported, is news then; anything else is found by the second look.
void Parent::tell_watchers(const std::string& directory, bool thorough, bool arrived) {
    const auto present = present_.find(account_of(config_.paths().mail, directory));
    if (present == present_.end()) return;
    for (const RunningAt running : present->second.running)
        if (running->watched == directory) look_now(*running, thorough);
    if (present->second.telling && !thorough && !arrived) return;
    for (const std::string& token : present->second.asleep)
        if (Sleeper& sleeper = sleepers_.at(token); sleeper.watched == directory)
            mark_stale(present->first, sleeper, thorough, thorough ? std::chrono::milliseconds(0) : kGatherTouched);
}

}  // namespace gk::imap
