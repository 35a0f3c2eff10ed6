// SPDX-License-Identifier: MIT
#include "common/up/supervisor.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <ctime>

#include "common/base/log.hpp"
#include "common/base/text.hpp"
#include "common/os/file.hpp"
#include "common/os/process.hpp"

extern char** environ;

namespace gk::up {

namespace {

// What a daemon inherits: everything but what the service manager sets for it (sd_listen_fds(3), sd_notify(3)).
std::vector<std::string> clean_environment(bool own_log) {
    std::vector<std::string> out;
    for (char** variable = environ; *variable != nullptr; ++variable) {
        const std::string_view v = *variable;
        if (v.starts_with("LISTEN_") || v.starts_with("NOTIFY_SOCKET=") || v.starts_with("WATCHDOG_")) continue;
        if (own_log && v.starts_with("JOURNAL_STREAM=")) continue;
        out.emplace_back(v);
    }
    return out;
}

Result<os::Fd> take_lock(const std::string& run) {
    const std::string path = run + "/up.lock";
    os::Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!fd) return fail_errno(fmt::format("cannot open '{}'", path));
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) return fail(Errc::Temporary, fmt::format("gk-up runs already in '{}'", run));
        return fail_errno(fmt::format("cannot lock '{}'", path));
    }
    return fd;
}

}  // namespace

Usec monotonic_usec() noexcept {
    timespec t{};
    ::clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<Usec>(t.tv_sec) * 1'000'000 + static_cast<Usec>(t.tv_nsec) / 1000;
}

Result<Supervisor> Supervisor::open(std::vector<DaemonPlan> plan, Options options) {
    Supervisor up;
    up.options_ = std::move(options);
    up.since_ = now();
    GK_CHECK(os::make_directories(up.options_.run, 0755));
    if (!up.options_.log.empty()) GK_CHECK(os::make_directories(up.options_.log, 0750));
    GK_TRY(up.lock_, take_lock(up.options_.run));
    up.environment_ = clean_environment(!up.options_.log.empty());

    // Daemons that run as other users must reach the first; the second tells no secrets.
    GK_TRY(up.notify_, open_socket({.unit = "",
                                    .name = "",
                                    .datagram = true,
                                    .ip = "",
                                    .path = up.options_.run + "/notify.sock",
                                    .mode = 0622,
                                    .user = "",
                                    .group = ""}));
    GK_TRY(up.status_, open_socket({.unit = "",
                                    .name = "",
                                    .ip = "",
                                    .path = up.options_.run + "/up.sock",
                                    .mode = 0666,
                                    .user = "",
                                    .group = ""}));
    const int on = 1;
    ::setsockopt(up.notify_.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
    ::fcntl(up.status_.get(), F_SETFL, O_NONBLOCK);

    for (auto& daemon : plan) {
        const std::string program = up.options_.programs + "/" + daemon.command[0];
        if (::access(program.c_str(), X_OK) != 0)
            return fail(Errc::NotFound,
                        fmt::format("cannot run '{}': {} (--only names what to start)", program, std::strerror(errno)));
        std::vector<os::Fd> sockets;
        for (const auto& socket : daemon.sockets) {
            GK_TRY(auto fd, open_socket(socket));
            if (!socket.path.empty() && up.options_.change_user && !socket.user.empty()) {
                GK_TRY(const auto owner, os::find_identity(socket.user, socket.group));
                if (::chown(socket.path.c_str(), owner.uid, owner.gid) != 0)
                    return fail_errno(fmt::format("cannot give away '{}'", socket.path));
            }
            sockets.push_back(std::move(fd));
        }
        up.entries_.push_back({Child(std::move(daemon)), std::move(sockets), 0});
    }
    return up;
}

Supervisor::~Supervisor() {
    for (auto& entry : entries_)
        if (entry.child.pid() > 0) ::kill(entry.child.pid(), SIGKILL);
    if (!lock_) return;
    for (const auto& entry : entries_)
        for (const auto& socket : entry.child.plan().sockets)
            if (!socket.path.empty()) ::unlink(socket.path.c_str());
    for (const char* name : {"/notify.sock", "/up.sock"}) ::unlink((options_.run + name).c_str());
}

void Supervisor::say(const std::string& text) const {
    if (options_.notice) options_.notice(text);
}

void Supervisor::start(Entry& entry, Usec now) {
    const auto& plan = entry.child.plan();
    os::Spawn what;
    what.argv = plan.command;
    what.argv[0] = options_.programs + "/" + plan.command[0];
    if (!options_.root.empty()) what.argv.insert(what.argv.end(), {"--root", options_.root});
    what.environment = environment_;
    std::vector<std::string> names;
    for (std::size_t i = 0; i < entry.sockets.size(); ++i) {
        what.descriptors.push_back(entry.sockets[i].get());
        names.push_back(plan.sockets[i].name);
    }
    if (!names.empty()) {
        what.environment.push_back(fmt::format("LISTEN_FDS={}", names.size()));
        what.environment.push_back("LISTEN_FDNAMES=" + text::join(names, ":"));
        what.tell_listen_pid = true;
    }
    if (plan.notifies) what.environment.push_back("NOTIFY_SOCKET=" + options_.run + "/notify.sock");
    if (plan.watchdog_usec > 0) what.environment.push_back(fmt::format("WATCHDOG_USEC={}", plan.watchdog_usec));
    what.umask = plan.umask;
    what.open_files = plan.open_files;
    what.signal_when_we_die = SIGKILL;  // nothing runs on that nobody watches, and the sockets are free again

    os::Fd log;
    if (!options_.log.empty()) {
        const std::string path = options_.log + "/" + plan.name + ".log";
        log = os::Fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
        struct stat status {};
        if (log && ::fstat(log.get(), &status) == 0) entry.log_start = static_cast<std::uint64_t>(status.st_size);
        what.standard_error = log.get();
    }
    if (options_.change_user && !plan.user.empty()) {
        auto identity = os::find_identity(plan.user, plan.group, plan.supplementary_groups);
        if (!identity) return entry.child.failed_to_start(identity.error().text, now);
        what.identity = std::move(*identity);
    }
    auto pid = os::spawn(what);
    if (!pid) return entry.child.failed_to_start(pid.error().text, now);
    entry.child.started(*pid, now);
    log::Event("daemon.started")
        .field("daemon", plan.name)
        .field("daemon_pid", *pid)
        .field("restarts", entry.child.restarts());
}

Usec Supervisor::act() {
    const Usec now = monotonic_usec();
    if (stopping_) stop_next(now);
    Usec next = kNever;
    for (auto& entry : entries_) {
        switch (entry.child.due(now)) {
            case Child::Action::Start: start(entry, now); break;
            case Child::Action::Terminate: ::kill(entry.child.pid(), SIGTERM); break;
            case Child::Action::Abort:
                log::Event("daemon.silent", log::Level::Error).field("daemon", entry.child.plan().name);
                ::kill(entry.child.pid(), SIGABRT);
                break;
            case Child::Action::Kill:
                log::Event("daemon.killed", log::Level::Error).field("daemon", entry.child.plan().name);
                ::kill(-entry.child.pid(), SIGKILL);  // with the sessions it forked
                ::kill(entry.child.pid(), SIGKILL);
                break;
            case Child::Action::None: break;
        }
        if (!ready_ && !stopping_ && !entry.child.was_ready() && entry.child.pid() == 0 &&
            !entry.child.last_end().empty()) {
            failure_ = why_not_ready(entry);
            exit_code_ =
                entry.child.exit_status() >= 64 && entry.child.exit_status() <= 78 ? entry.child.exit_status() : 70;
            stopping_ = true;
            return now;
        }
        next = std::min(next, entry.child.next_due());
    }
    return next;
}

// Those at the front stop first: a daemon hears SIGTERM once nobody who was started after it is left, so that what
// it still serves can end well.
void Supervisor::stop_next(Usec now) {
    for (auto& entry : entries_) {
        if (entry.child.state() == Child::State::Stopping || entry.child.state() == Child::State::Ended) continue;
        const bool needed = std::any_of(entries_.begin(), entries_.end(), [&](const Entry& other) {
            const auto& after = other.child.plan().after;
            return other.child.state() != Child::State::Ended &&
                   std::find(after.begin(), after.end(), entry.child.plan().name) != after.end();
        });
        // Without a pid it serves nobody, and must not be started again.
        if (!needed || entry.child.pid() == 0) entry.child.stop(now);
    }
}

Supervisor::Entry* Supervisor::by_pid(pid_t pid) {
    const auto found =
        std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.child.pid() == pid; });
    return found == entries_.end() ? nullptr : &*found;
}

void Supervisor::reap() {
    int status = 0;
    // Any child: as the first process of a container we inherit orphans, too.
    for (pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
        Entry* entry = by_pid(pid);
        if (entry == nullptr) continue;
        auto& child = entry->child;
        child.ended(status, monotonic_usec());
        const bool wanted = stopping_ && WIFEXITED(status) && WEXITSTATUS(status) == 0;
        log::Event(wanted ? "daemon.stopped" : "daemon.died", wanted ? log::Level::Info : log::Level::Error)
            .field("daemon", child.plan().name)
            .field("daemon_pid", pid)
            .field("end", child.last_end());
        if (!wanted && ready_)
            say(fmt::format("{} ended: {}{}", child.plan().name, child.last_end(),
                            stopping_ ? "" : "; starting it again"));
    }
}

void Supervisor::read_notifications() {
    for (int i = 0; i < 64; ++i) {  // then give others their turn
        char text[4096], control[CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(16 * sizeof(int))];
        iovec part{text, sizeof text};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        const ssize_t n = ::recvmsg(notify_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n < 0) return;
        pid_t sender = 0;
        for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
            if (c->cmsg_level != SOL_SOCKET) continue;
            if (c->cmsg_type == SCM_CREDENTIALS) {
                ucred who{};
                std::memcpy(&who, CMSG_DATA(c), sizeof who);
                sender = who.pid;
            } else if (c->cmsg_type == SCM_RIGHTS) {
                // sd_notify_barrier(3) waits for its descriptor to be closed; nothing is stored here.
                for (std::size_t at = 0; at + sizeof(int) <= c->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
                    int fd = -1;
                    std::memcpy(&fd, CMSG_DATA(c) + at, sizeof fd);
                    ::close(fd);
                }
            }
        }
        if (Entry* entry = sender > 0 ? by_pid(sender) : nullptr; entry != nullptr)
            entry->child.notified(std::string_view(text, static_cast<std::size_t>(n)), monotonic_usec());
    }
}

void Supervisor::answer_status() {
    const os::Fd peer(::accept4(status_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!peer) return;
    // Fits the socket's buffer; a peer that does not read loses its answer, not our time.
    const std::string line = status_json() + "\n";
    (void)!::send(peer.get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void Supervisor::reload() {
    log::Event("up.reload");
    for (const auto& entry : entries_)
        if (entry.child.state() == Child::State::Ready) ::kill(entry.child.pid(), SIGHUP);
}

// The last thing it said that is meant for people, else the last event.
Status Supervisor::why_not_ready(const Entry& entry) const {
    const auto& child = entry.child;
    std::string said;
    if (!options_.log.empty()) {
        if (auto text = os::read_file(options_.log + "/" + child.plan().name + ".log");
            text && text->size() > entry.log_start) {
            std::string event;
            for (const auto line : text::split(std::string_view(*text).substr(entry.log_start), '\n')) {
                if (line.empty()) continue;
                (line[0] == '{' ? event : said) = line;
            }
            if (said.empty()) said = event;
        }
    }
    if (said.starts_with(child.plan().name + ": ")) said.erase(0, child.plan().name.size() + 2);
    return fail(Errc::Permanent, fmt::format("{} did not become ready: {}{}{}", child.plan().name,
                                             said.empty() ? "" : text::printable(said, 500), said.empty() ? "" : "; ",
                                             child.last_end()));
}

Status Supervisor::run(os::Signals& signals, const std::function<void()>& on_ready) {
    for (;;) {
        const Usec next = act();
        if (!ready_ && !stopping_ && std::all_of(entries_.begin(), entries_.end(), [](const Entry& e) {
                return e.child.state() == Child::State::Ready;
            })) {
            ready_ = true;
            log::Event("up.ready").field("daemons", entries_.size());
            on_ready();
        }
        if (stopping_ && std::all_of(entries_.begin(), entries_.end(),
                                     [](const Entry& e) { return e.child.state() == Child::State::Ended; }))
            break;

        const Usec now = monotonic_usec();
        const int timeout_ms = next == kNever ? -1
                               : next <= now  ? 0
                                              : static_cast<int>(std::min<Usec>((next - now + 999) / 1000, 60'000));
        pollfd polled[] = {{signals.fd(), POLLIN, 0}, {notify_.get(), POLLIN, 0}, {status_.get(), POLLIN, 0}};
        if (::poll(polled, 3, timeout_ms) < 0 && errno != EINTR) return fail_errno("cannot wait");
        if (polled[1].revents != 0) read_notifications();  // before reap: a last READY=1 counts
        if (polled[2].revents != 0) answer_status();
        if (polled[0].revents == 0) continue;
        switch (signals.next()) {
            case os::Signals::Kind::Stop:
                if (stopping_)  // asked twice: no more patience
                    for (const auto& entry : entries_)
                        if (entry.child.pid() > 0) ::kill(entry.child.pid(), SIGKILL);
                if (!stopping_) log::Event("up.stopping");
                stopping_ = true;
                break;
            case os::Signals::Kind::Reload: reload(); break;
            case os::Signals::Kind::Child: reap(); break;
            case os::Signals::Kind::None: break;
        }
    }
    log::Event("up.stopped");
    return failure_;
}

}  // namespace gk::up
