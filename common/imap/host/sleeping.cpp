// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <cerrno>
#include <set>

#include "common/base/ids.hpp"
#include "common/base/log.hpp"
#include "common/imap/host/loop.hpp"
#include "common/imap/host/teller.hpp"

// Sessions without a process. What a front may ask for is what it was given: a token is random, good once, and names a
// session whose bytes that front carried.
namespace gk::imap {

namespace {

// The front reads always; one that does not for so long is no front any more.
constexpr timeval kControlTimeout{5, 0};

std::string new_token() {
    std::string token;
    for (const char c : random_bytes(16))
        fmt::format_to(std::back_inserter(token), "{:02x}", static_cast<unsigned char>(c));
    return token;
}

}  // namespace

// Written to without O_NONBLOCK: what is said to the front must arrive before the session that is woken after it.
void Parent::begin_control(StartingAt starting, const Control& first) {
    const std::string name = first.name;
    const int fd = starting->client.get();
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &kControlTimeout, sizeof kControlTimeout);
    const bool taken = !controls_.contains(name) && !draining_;
    if (taken) {
        ControlLine& line = controls_[name];
        line.fd = std::move(starting->client);
        line.heard = std::move(starting->first_bytes);
    }
    starting_.erase(starting);
    if (taken && !watch(fd, EPOLLIN | EPOLLRDHUP, [this, name] { read_control(name); })) controls_.erase(name);
}

void Parent::read_control(const std::string& front) {
    const auto at = controls_.find(front);
    if (at == controls_.end()) return;
    char buffer[16 * 1024];
    const ssize_t count = ::recv(at->second.fd.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) return lose_front(std::string(front));
    std::string heard = std::exchange(at->second.heard, {});
    heard.append(buffer, static_cast<std::size_t>(count));
    std::size_t begin = 0;
    for (std::size_t lf = heard.find('\n'); lf != std::string::npos; lf = heard.find('\n', begin)) {
        const auto control = parse_control(std::string_view(heard).substr(begin, lf - begin));
        begin = lf + 1;
        const auto sleeper = control ? sleepers_.find(control->token) : sleepers_.end();
        if (sleeper == sleepers_.end() || sleeper->second.handover.front != front) continue;
        if (control->verb == Control::Verb::Asleep) {
            sleeper->second.asking = -1;
            if (sleeper->second.stale) mark_stale(sleeper->second.account, sleeper->second, false, kGather);
        } else if (control->verb == Control::Verb::Awake) {
            on_awake(control->token);
        } else if (control->verb == Control::Verb::Gone) {
            forget(control->token);
        }
    }
    heard.erase(0, begin);
    if (heard.size() > kMaxControlLine) return lose_front(std::string(front));
    // Saying something may have lost the front meanwhile.
    if (const auto still = controls_.find(front); still != controls_.end()) still->second.heard = std::move(heard);
}

// Its clients went with it, or it says goodbye to them.
void Parent::lose_front(const std::string& front) {
    const auto at = controls_.find(front);
    if (at == controls_.end()) return;
    const std::string name = front;
    unwatch(at->second.fd.get());
    controls_.erase(at);
    std::vector<std::string> tokens;
    for (const auto& [token, sleeper] : sleepers_)
        if (sleeper.handover.front == name) tokens.push_back(token);
    for (const std::string& token : tokens) {
        if (sleepers_.at(token).asking > 0) on_awake(token);
        else forget(token);
    }
}

bool Parent::say(const std::string& front, const Control& control) {
    const auto at = controls_.find(front);
    if (at == controls_.end()) return false;
    const std::string line = format_control(control);
    std::string_view left = line;
    while (!left.empty()) {
        const ssize_t count = ::send(at->second.fd.get(), left.data(), left.size(), MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) {
            lose_front(front);
            return false;
        }
        left.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

void Parent::would_sleep(RunningAt running, WouldSleep sleep) {
    const std::string front = running->handover.front;
    if (!running->asking.empty() || draining_) return;
    // It has not seen all that it was sent: let it look first.
    if (sleep.heard != running->notes_sent || !controls_.contains(front)) {
        running->notes_sent = sleep.heard;  // one may have been dropped
        return look_now(*running, false);
    }
    const std::string token = new_token();
    Sleeper& sleeper = sleepers_[token];
    sleeper.account = running->account;
    sleeper.home = running->home;
    sleeper.quota = running->quota;
    sleeper.handover = running->handover;
    sleeper.state = std::move(sleep.state);
    sleeper.asking = running->pid;
    if (sleep.idling) {
        sleeper.selected = running->selected;
        sleeper.watched = running->watched;
        if (!sleeper.watched.empty()) watcher_.add(sleeper.watched);
    }
    present_[running->account].asleep.push_back(token);
    running->asking = token;
    Control control;
    control.verb = Control::Verb::Sleep;
    control.at = running->handover.at;
    control.token = token;
    control.read = sleep.read;
    control.written = sleep.written;
    control.left_ms = sleep.left_ms;
    if (!say(front, control) && sleepers_.contains(token)) on_awake(token);
}

// The front takes the connection back before login, and closes the stream for which the process waits.
void Parent::release(RunningAt running, GaveUp gave_up) {
    Control control;
    control.verb = Control::Verb::Release;
    control.at = running->handover.at;
    control.read = gave_up.read;
    control.written = gave_up.written;
    control.text = std::move(gave_up.rest);
    const std::string front = running->handover.front;
    say(front, control);
}

// It stays in its process, which now looks at what it was not told.
void Parent::on_awake(const std::string& token) {
    const auto sleeper = sleepers_.find(token);
    if (sleeper == sleepers_.end()) return;
    const auto running = by_pid_.find(sleeper->second.asking);
    if (running != by_pid_.end() && running->second->asking == token) {
        running->second->asking.clear();
        look_now(*running->second, true);
    }
    forget(token);
}

void Parent::forget(const std::string& token) {
    const auto sleeper = sleepers_.find(token);
    if (sleeper == sleepers_.end()) return;
    if (!sleeper->second.watched.empty()) watcher_.remove(sleeper->second.watched);
    const auto present = present_.find(sleeper->second.account);
    sleepers_.erase(sleeper);
    std::erase(present->second.asleep, token);
    leave(present->first);
}

// Where nobody of ACCOUNT is left, so is nothing to be told.
void Parent::leave(const std::string& account) {
    const auto present = present_.find(account);
    if (present == present_.end() || present->second.telling || !present->second.running.empty() ||
        !present->second.asleep.empty())
        return;
    to_tell_.erase(account);
    to_check_.erase(account);
    present_.erase(present);
}

void Parent::wake(StartingAt starting, const std::string& token) {
    const auto sleeper = sleepers_.find(token);
    if (sleeper == sleepers_.end()) return refuse(starting, "temp", "no such session sleeps");
    if (running_.size() >= settings_.sessions) {
        log::Event("imap.session.refused", log::Level::Warning)
            .field("session", sleeper->second.handover.session_id)
            .field("reason", "imap.sessions");
        return refuse(starting, "temp", "too many sessions");
    }
    starting->handover = sleeper->second.handover;
    const pid_t pid = start_process(sleeper->second.account, sleeper->second.home, sleeper->second.quota, *starting,
                                    sleeper->second.state);
    // Watched without a gap: it looks before it tells us what it selected.
    if (pid > 0) select(by_pid_.at(pid), sleeper->second.selected, sleeper->second.watched);
    forget(token);
    if (pid < 0) return refuse(starting, "temp", "too many sessions");
    drop(starting);
}

void Parent::mark_stale(const std::string& account, Sleeper& sleeper, bool thorough, std::chrono::milliseconds gather) {
    sleeper.stale = true;
    Present& present = present_.at(account);
    present.thorough = present.thorough || thorough;
    if (sleeper.asking > 0 || present.telling) return;
    (thorough ? to_check_ : to_tell_).no_later(account, Clock::now() + gather);
}

void Parent::tell_sleepers() {
    const auto now = Clock::now();
    while (telling_.size() < kTellers && !draining_) {
        const bool patient = to_check_.next() > now - kPatience;
        const auto account = (patient && to_tell_.next() <= now ? to_tell_ : to_check_).take(now);
        if (!account) return;
        start_teller(*account, present_.at(*account));
    }
}

void Parent::start_teller(const std::string& account, Present& present) {
    to_tell_.erase(account);
    to_check_.erase(account);
    Teller teller;
    for (const std::string& token : present.asleep) {
        Sleeper& sleeper = sleepers_.at(token);
        if (!sleeper.stale || sleeper.asking > 0) continue;
        sleeper.stale = false;
        teller.home = sleeper.home;
        teller.sleepers.push_back({token, sleeper.state});
    }
    teller.thorough = std::exchange(present.thorough, false);
    if (teller.sleepers.empty()) return;
    int pair[2];
    const bool paired = ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0;
    os::Fd ours(paired ? pair[0] : -1), theirs(paired ? pair[1] : -1);
    const pid_t pid = paired ? ::fork() : -1;
    if (pid == 0) {
        teller.notes = std::move(theirs);
        teller.account = account;
        teller.settings = settings_;
        ::_exit(run_teller(std::move(teller)));
    }
    if (pid < 0) {
        log::Event("imap.fork.failed", log::Level::Error)
            .field("error", os_error(errno, "cannot tell of a change").text);
        for (const auto& [token, state] : teller.sleepers) sleepers_.at(token).stale = true;
        to_tell_.no_later(account, Clock::now() + kTellAgain);
        return;
    }
    present.telling = true;
    const int notes = ours.get();
    telling_[pid] = {account, std::move(ours)};
    static_cast<void>(watch(notes, EPOLLIN, [this, pid] { read_teller(pid); }));
}

void Parent::read_teller(pid_t pid) {
    const auto at = telling_.find(pid);
    if (at == telling_.end()) return;
    const std::string account = at->second.account;
    const int notes = at->second.notes.get();
    bool closed = false;
    while (auto note = receive_note(notes, closed)) {
        if (const auto* change = std::get_if<OwnChange>(&*note)) tell(account, change->mailbox, nullptr);
        auto* told = std::get_if<Told>(&*note);
        const auto sleeper = told != nullptr ? sleepers_.find(told->token) : sleepers_.end();
        // Woken meanwhile: then it tells its client itself.
        if (sleeper == sleepers_.end() || sleeper->second.account != account) continue;
        Control control;
        control.verb = told->text.empty() ? Control::Verb::Rouse : Control::Verb::Say;
        control.at = sleeper->second.handover.at;
        control.token = told->token;
        control.text = std::move(told->text);
        control.end = told->end;
        if (!told->state.empty()) sleeper->second.state = std::move(told->state);
        const std::string front = sleeper->second.handover.front;
        if (control.end) forget(control.token);
        say(front, control);
    }
    if (closed) unwatch(notes);
}

void Parent::end_teller(pid_t pid, bool well) {
    read_teller(pid);
    on_touched();  // what it touched itself is known for that only while it is there
    const auto at = telling_.find(pid);
    if (at == telling_.end()) return;
    const std::string account = at->second.account;
    unwatch(at->second.notes.get());
    telling_.erase(at);
    const auto present = present_.find(account);
    if (present == present_.end()) return;
    present->second.telling = false;
    std::set<std::string_view> directories;
    for (const std::string& token : present->second.asleep) directories.insert(sleepers_.at(token).watched);
    for (const std::string_view directory : directories) watcher_.overlook(std::string(directory));
    if (!well)
        for (const std::string& token : present->second.asleep)
            if (Sleeper& sleeper = sleepers_.at(token); !sleeper.selected.empty()) sleeper.stale = true;
    const bool more = std::any_of(present->second.asleep.begin(), present->second.asleep.end(),
                                  [&](const std::string& token) { return sleepers_.at(token).stale; });
    if (more) to_tell_.no_later(account, Clock::now() + (well ? kGather : kTellAgain));
    leave(account);
}

}  // namespace gk::imap
