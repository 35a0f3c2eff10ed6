// SPDX-License-Identifier: MIT
#include "common/up/child.hpp"

#include <fmt/format.h>
#include <sys/wait.h>
#include <algorithm>
#include <csignal>
#include <cstring>

#include "common/base/text.hpp"

namespace gk::up {

namespace {

constexpr Usec kSecond = 1'000'000;
constexpr Usec kFirstDelay = kSecond / 10;    // doubling: by default ten deaths a minute at worst
constexpr Usec kLongEnough = 30 * kSecond;    // ran that long: the next death is a new story
constexpr Usec kAbortPatience = 5 * kSecond;  // for the core to be written

Usec later(Usec now, Usec span) { return span >= kNever - now ? kNever : now + span; }

}  // namespace

std::string_view state_name(Child::State state) noexcept {
    switch (state) {
        case Child::State::Waiting: return "waiting";
        case Child::State::Starting: return "starting";
        case Child::State::Ready: return "ready";
        case Child::State::Stopping: return "stopping";
        case Child::State::Ended: return "ended";
    }
    return "";
}

void Child::enter(State state, Usec due_at) {
    if (state != state_ || since_ == TimePoint{}) since_ = gk::now();
    state_ = state;
    due_at_ = due_at;
}

Child::Action Child::due(Usec now) {
    if (now < due_at_) return Action::None;
    switch (state_) {
        case State::Waiting: due_at_ = kNever; return Action::Start;
        case State::Starting:
        case State::Ready:
            if (!aborted_) {
                aborted_ = true;
                due_at_ = later(now, kAbortPatience);
                return state_ == State::Ready ? Action::Abort : Action::Terminate;
            }
            due_at_ = later(now, kSecond);
            return Action::Kill;
        case State::Stopping:
            if (!terminated_) {
                terminated_ = true;
                due_at_ = later(now, plan_.stop_timeout_usec);
                return Action::Terminate;
            }
            due_at_ = later(now, kSecond);
            return Action::Kill;
        case State::Ended: break;
    }
    due_at_ = kNever;
    return Action::None;
}

void Child::started(pid_t pid, Usec now) {
    pid_ = pid;
    aborted_ = terminated_ = false;
    status_text_.clear();
    if (was_ready_) ++restarts_;
    if (stop_wanted_) return enter(State::Stopping, now);
    ready_at_ = now;
    if (plan_.notifies) return enter(State::Starting, later(now, plan_.start_timeout_usec));
    was_ready_ = true;
    enter(State::Ready, kNever);
}

void Child::failed_to_start(std::string why, Usec now) {
    last_end_ = std::move(why);
    exit_status_ = 127;
    back_off(now);
}

void Child::notified(std::string_view message, Usec now) {
    for (const auto line : text::split(message, '\n')) {
        if (line == "READY=1") {
            was_ready_ = true;
            ready_at_ = now;
            if (state_ == State::Starting)
                enter(State::Ready, plan_.watchdog_usec > 0 ? later(now, plan_.watchdog_usec) : kNever);
        } else if (line == "WATCHDOG=1") {
            if (state_ == State::Ready && plan_.watchdog_usec > 0 && !aborted_)
                due_at_ = later(now, plan_.watchdog_usec);
        } else if (line == "WATCHDOG=trigger") {
            if (state_ == State::Ready && !aborted_) due_at_ = now;
        } else if (line.starts_with("STATUS=")) {
            const auto status = line.substr(7);
            status_text_ = text::is_utf8(status) ? std::string(status.substr(0, 500)) : text::printable(status, 500);
        }
    }
}

void Child::ended(int status, Usec now) {
    pid_ = 0;
    if (WIFSIGNALED(status)) {
        const char* name = ::strsignal(WTERMSIG(status));
        last_end_ = fmt::format("{}signal {} ({})", aborted_ ? "no answer in time, " : "", WTERMSIG(status),
                                name != nullptr ? name : "unknown");
        exit_status_ = -1;
    } else {
        exit_status_ = WEXITSTATUS(status);
        last_end_ = fmt::format("{}exit status {}", aborted_ ? "no answer in time, " : "", exit_status_);
    }
    if (now - ready_at_ >= kLongEnough) failures_ = 0;
    back_off(now);
}

void Child::back_off(Usec now) {
    if (stop_wanted_ || !plan_.restarts) return enter(State::Ended, kNever);
    const Usec delay = std::min<Usec>(plan_.longest_delay_usec, kFirstDelay << std::min(failures_, 16));
    ++failures_;
    enter(State::Waiting, later(now, delay));
}

void Child::stop(Usec now) {
    stop_wanted_ = true;
    if (state_ == State::Stopping || state_ == State::Ended) return;
    if (pid_ == 0) return enter(State::Ended, kNever);
    terminated_ = false;
    enter(State::Stopping, now);
}

}  // namespace gk::up
