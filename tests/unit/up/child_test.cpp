// SPDX-License-Identifier: MIT
#include "common/up/child.hpp"

#include <gtest/gtest.h>
#include <csignal>

#include "common/up/status.hpp"

using namespace gk::up;

namespace {

constexpr Usec kSecond = 1'000'000;
using Action = Child::Action;
using State = Child::State;

DaemonPlan plan() {
    DaemonPlan p;
    p.name = "gk-x";
    p.notifies = true;
    p.watchdog_usec = 10 * kSecond;
    p.start_timeout_usec = 30 * kSecond;
    p.stop_timeout_usec = 20 * kSecond;
    return p;
}

Child running(Usec now) {
    Child child(plan());
    EXPECT_EQ(child.due(now), Action::Start);
    child.started(42, now);
    child.notified("READY=1\nSTATUS=well", now);
    return child;
}

constexpr int exited(int status) { return status << 8; }

}  // namespace

TEST(Child, IsReadyWhenItSaysSo) {
    Child child(plan());
    EXPECT_EQ(child.due(100), Action::Start);
    child.started(42, 100);
    EXPECT_EQ(child.state(), State::Starting);
    child.notified("STATUS=loading\nX=1", 200);
    EXPECT_EQ(child.state(), State::Starting);
    child.notified("READY=1", 300);
    EXPECT_EQ(child.state(), State::Ready);
    EXPECT_EQ(child.status_text(), "loading");
}

TEST(Child, IsRestartedWithGrowingDelays) {
    Child child = running(0);
    Usec now = 0, last = 0;
    for (int i = 0; i < 20; ++i) {
        child.ended(SIGKILL, now);
        EXPECT_EQ(child.state(), State::Waiting);
        const Usec delay = child.next_due() - now;
        EXPECT_GE(delay, last);
        EXPECT_LE(delay, 30 * kSecond);
        EXPECT_EQ(child.due(child.next_due() - 1), Action::None);
        now = child.next_due();
        EXPECT_EQ(child.due(now), Action::Start);
        child.started(100 + i, now);
        last = delay;
    }
    EXPECT_EQ(last, 30 * kSecond);
    EXPECT_EQ(child.restarts(), 20);
    EXPECT_EQ(child.last_end(), "signal 9 (Killed)");
    child.notified("READY=1", now);
    now += 60 * kSecond;  // it held for long: the next death is a new story
    child.ended(exited(1), now);
    EXPECT_EQ(child.next_due() - now, kSecond / 10);
    EXPECT_EQ(child.last_end(), "exit status 1");
}

TEST(Child, IsAbortedThenKilledWhenItsWatchdogIsSilent) {
    Child child = running(0);
    EXPECT_EQ(child.next_due(), 10 * kSecond);
    child.notified("WATCHDOG=1", 5 * kSecond);
    EXPECT_EQ(child.due(14 * kSecond), Action::None);
    EXPECT_EQ(child.due(15 * kSecond), Action::Abort);
    EXPECT_EQ(child.due(19 * kSecond), Action::None);
    EXPECT_EQ(child.due(20 * kSecond), Action::Kill);
    child.ended(SIGABRT, 20 * kSecond);
    EXPECT_EQ(child.last_end(), "no answer in time, signal 6 (Aborted)");
}

TEST(Child, IsEndedWhenItDoesNotGetReady) {
    Child child(plan());
    (void)child.due(0);
    child.started(42, 0);
    EXPECT_EQ(child.due(30 * kSecond), Action::Terminate);
    EXPECT_EQ(child.due(36 * kSecond), Action::Kill);
    child.ended(SIGKILL, 36 * kSecond);
    EXPECT_FALSE(child.was_ready());
}

TEST(Child, StopsGentlyThenByForce) {
    Child child = running(0);
    child.stop(kSecond);
    EXPECT_EQ(child.due(kSecond), Action::Terminate);
    EXPECT_EQ(child.due(20 * kSecond), Action::None);
    EXPECT_EQ(child.due(21 * kSecond), Action::Kill);
    child.ended(exited(0), 22 * kSecond);
    EXPECT_EQ(child.state(), State::Ended);
    EXPECT_EQ(child.due(kNever - 1), Action::None);
}

TEST(Child, IsNotStartedAgainOnceStopped) {
    Child child = running(0);
    child.ended(SIGSEGV, kSecond);
    child.stop(kSecond);
    EXPECT_EQ(child.state(), State::Ended);
    DaemonPlan once = plan();
    once.restarts = false;
    Child other(once);
    (void)other.due(0);
    other.started(1, 0);
    other.ended(exited(0), 1);
    EXPECT_EQ(other.state(), State::Ended);
}

TEST(Child, EscapesAStatusThatIsNoText) {
    Child child = running(0);
    child.notified(std::string_view("STATUS=\xff\x1b", 9), 1);
    EXPECT_EQ(child.status_text(), "\\xff\\x1b");
}

TEST(Status, ReadsWhatGkUpAnswers) {
    const auto report = parse_up_status(
        R"({"schema":1,"daemons":[{"name":"gk-x","state":"ready","pid":42,"since":"2026-11-22T09:30:00Z","restarts":2,"status":"ok","last_end":""}]})");
    ASSERT_TRUE(report);
    ASSERT_EQ(report->daemons.size(), 1u);
    EXPECT_TRUE(report->daemons[0].ready);
    EXPECT_EQ(report->daemons[0].restarts, 2);
    for (const char* wrong : {"", "{", "[]", "{}", R"({"daemons":1})"}) EXPECT_FALSE(parse_up_status(wrong)) << wrong;
}

TEST(Status, ReadsWhatSystemctlShows) {
    const auto report = parse_systemctl_show(
        "Id=gk-smtpd.service\nActiveState=active\nSubState=running\nMainPID=7\nNRestarts=1\nStatusText=ready\nResult="
        "success\n"
        "StateChangeTimestamp=Sun 2026-11-22 09:45:08.123456 "
        "UTC\n\nId=gk-queue.service\nActiveState=failed\nSubState=failed\nMainPID=0\nResult=exit-code\n");
    ASSERT_EQ(report.daemons.size(), 2u);
    EXPECT_EQ(report.manager, "systemd");
    EXPECT_EQ(report.daemons[0].name, "gk-smtpd");
    EXPECT_EQ(report.daemons[0].since, "2026-11-22T09:45:08Z");
    EXPECT_TRUE(report.daemons[0].ready);
    EXPECT_FALSE(report.daemons[1].ready);
    EXPECT_EQ(report.daemons[1].last_end, "exit-code");
    EXPECT_TRUE(parse_systemctl_show("").manager.empty());
}
