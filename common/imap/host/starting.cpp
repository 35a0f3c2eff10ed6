// SPDX-License-Identifier: MIT
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cerrno>

#include "common/auth/wire.hpp"
#include "common/base/log.hpp"
#include "common/imap/host/loop.hpp"

// Sessions on their way from the front's connection to a process of their own.
namespace gk::imap {

namespace {

constexpr int kAcceptsInATurn = 32;

// What FD has to say now, appended; false at its end or past LIMIT.
bool read_more(int fd, std::string& heard, std::size_t limit) {
    char buffer[4096];
    const ssize_t count = ::recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    if (count == 0) return false;
    heard.append(buffer, static_cast<std::size_t>(count));
    return heard.size() <= limit;
}

}  // namespace

void Parent::accept_all(int listener) {
    for (int i = 0; i < kAcceptsInATurn; ++i) {
        os::Fd client(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!client) {
            if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return;
            log::Event("imap.accept.failed", log::Level::Error).field("error", os_error(errno, "cannot accept").text);
            // Out of descriptors or memory: it would fail again at once, and again, until a session ends.
            unwatch(listener);
            accept_again_ = Clock::now() + kAcceptPause;
            return;
        }
        const int fd = client.get();
        starting_.emplace_back();
        const StartingAt starting = std::prev(starting_.end());
        starting->client = std::move(client);
        starting->deadline = Clock::now() + settings_.start_timeout;
        if (!watch(fd, EPOLLIN | EPOLLRDHUP, [this, starting] { read_front(starting); })) starting_.erase(starting);
    }
}

void Parent::read_front(StartingAt starting) {
    const bool more = read_more(starting->client.get(), starting->heard, kMaxHandoverLine);
    const std::size_t lf = starting->heard.find('\n');
    if (lf == std::string::npos) {
        if (!more) drop(starting);
        return;
    }
    const std::string line = starting->heard.substr(0, lf);
    if (const auto control = parse_control(line)) {
        starting->first_bytes = starting->heard.substr(lf + 1);
        unwatch(starting->client.get());
        if (control->verb == Control::Verb::Front) return begin_control(starting, *control);
        if (control->verb == Control::Verb::Wake) return wake(starting, control->token);
    }
    auto handover = parse_handover(line);
    if (!handover) {
        log::Event("imap.handover.malformed", log::Level::Error).field("error", handover.error().text);
        return refuse(starting, "temp", "the session was not understood");
    }
    starting->handover = std::move(*handover);
    starting->first_bytes = starting->heard.substr(lf + 1);
    // What the client says from now on waits in the socket for the session.
    unwatch(starting->client.get());
    if (running_.size() >= settings_.sessions) {
        log::Event("imap.session.refused", log::Level::Warning)
            .field("session", starting->handover.session_id)
            .field("reason", "imap.sessions");
        return refuse(starting, "temp", "too many sessions");
    }
    ask_auth(starting);
}

void Parent::ask_auth(StartingAt starting) {
    const std::string path = config_.paths().run + "/auth.sock";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    os::Fd auth(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const std::string request = auth::format_request(auth::Redeem{starting->handover.ticket, "imap"});
    bool asked = auth && path.size() < sizeof address.sun_path;
    if (asked) {
        std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
        // On a UNIX socket both are done at once, or gk-authd is so far behind that it is no use.
        asked = ::connect(auth.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                ::send(auth.get(), request.data(), request.size(), MSG_NOSIGNAL | MSG_DONTWAIT) ==
                    static_cast<ssize_t>(request.size());
    }
    const int fd = auth.get();
    starting->auth = std::move(auth);
    if (!asked || !watch(fd, EPOLLIN | EPOLLRDHUP, [this, starting] { read_auth(starting); })) {
        log::Event("imap.auth.unreachable", log::Level::Error)
            .field("session", starting->handover.session_id)
            .field("socket", path);
        refuse(starting, "temp", "logins are not checked just now");
    }
}

void Parent::read_auth(StartingAt starting) {
    const bool more = read_more(starting->auth.get(), starting->answer, auth::kMaxLine);
    const std::size_t lf = starting->answer.find('\n');
    if (lf == std::string::npos) {
        if (!more) refuse(starting, "temp", "logins are not checked just now");
        return;
    }
    const auto reply = auth::parse_reply(std::string_view(starting->answer).substr(0, lf));
    unwatch(starting->auth.get());
    starting->auth.reset();
    if (!reply || reply->kind != auth::Reply::Kind::Ok) {
        const bool temporary = !reply || reply->code == auth::FailCode::Temp;
        log::Event("imap.ticket.refused", log::Level::Warning)
            .field("session", starting->handover.session_id)
            .field("error", reply ? reply->text : reply.error().text);
        return refuse(starting, temporary ? "temp" : "auth", "the login could not be confirmed");
    }
    start(starting, reply->user, {reply->quota_octets, reply->quota_messages});
}

void Parent::refuse(StartingAt starting, std::string_view code, std::string_view text) {
    const std::string line = format_handover_answer({false, std::string(code), std::string(text)});
    static_cast<void>(::send(starting->client.get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
    drop(starting);
}

void Parent::drop(StartingAt starting) {
    unwatch(starting->client.get());
    if (starting->auth) unwatch(starting->auth.get());
    starting_.erase(starting);
}

void Parent::start(StartingAt starting, const std::string& account, const store::Quota& quota) {
    const auto home = home_of(config_.paths().mail, account);
    const auto open = present_.find(account);
    if (!home) return refuse(starting, "temp", "the account has no mailboxes");
    if (open != present_.end() &&
        open->second.running.size() + open->second.asleep.size() >= settings_.sessions_per_account) {
        log::Event("imap.session.refused", log::Level::Warning)
            .field("session", starting->handover.session_id)
            .field("actor", account)
            .field("reason", "imap.sessions_per_account");
        return refuse(starting, "temp", "too many sessions of this account");
    }
    const pid_t pid = start_process(account, *home, quota, *starting, "");
    if (pid < 0) return refuse(starting, "temp", "too many sessions");
    drop(starting);  // the process has its own copy of the connection
}

pid_t Parent::start_process(const std::string& account, const std::string& home, const store::Quota& quota,
                            Starting& starting, std::string state) {
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) return -1;
    os::Fd ours(pair[0]), theirs(pair[1]);
    const pid_t pid = ::fork();
    if (pid < 0) {
        log::Event("imap.fork.failed", log::Level::Error)
            .field("error", os_error(errno, "cannot start a session").text);
        return -1;
    }
    if (pid == 0) {
        Child child;
        child.client = std::move(starting.client);
        child.notes = std::move(theirs);
        child.handover = std::move(starting.handover);
        child.account = account;
        child.home = home;
        child.first_bytes = std::move(starting.first_bytes);
        child.state = std::move(state);
        child.settings = settings_;
        child.quota = quota;
        ::_exit(run_child(std::move(child)));
    }
    running_.emplace_back();
    const RunningAt running = std::prev(running_.end());
    running->pid = pid;
    running->notes = std::move(ours);
    running->account = account;
    running->home = home;
    running->quota = quota;
    running->handover = starting.handover;
    by_pid_[pid] = running;
    present_[account].running.push_back(running);
    const int notes = running->notes.get();
    if (const Status watched = watch(notes, EPOLLIN, [this, running] { read_notes(running); }); !watched)
        log::Event("imap.watch.failed", log::Level::Error)
            .field("session", running->handover.session_id)
            .field("error", watched.error().text);
    return pid;
}

}  // namespace gk::imap
