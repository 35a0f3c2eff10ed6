// SPDX-License-Identifier: MIT
#include "common/up/supervisor.hpp"

#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>
#include <csignal>
#include <thread>

#include "common/os/file.hpp"
#include "common/up/status.hpp"

namespace gk::up {
namespace {

using ::testing::HasSubstr;

// A directory with shell scripts for daemons, and a supervisor's options for it.
class SupervisorTest : public ::testing::Test {
protected:
    void SetUp() override {
        char name[] = "/tmp/gk-unit-up-XXXXXX";
        root_ = ::mkdtemp(name);
        paths_ = config::Paths::under(root_);
        ::pthread_sigmask(SIG_BLOCK, nullptr, &before_);
    }
    void TearDown() override {
        ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
        (void)os::remove_tree(root_);
    }

    DaemonPlan daemon(const std::string& name, const std::string& script) {
        const std::string path = root_ + "/" + name;
        EXPECT_TRUE(os::replace_file(path, "#!/bin/sh\n" + script + "\n"));
        ::chmod(path.c_str(), 0755);
        DaemonPlan plan;
        plan.name = name;
        plan.command = {name, "serve"};
        return plan;
    }
    SocketPlan socket(const std::string& name) {
        SocketPlan plan;
        plan.name = name;
        plan.path = paths_.run + "/" + name + ".sock";
        return plan;
    }
    Result<Supervisor> open(std::vector<DaemonPlan> plan) {
        Supervisor::Options options;
        options.root = root_;
        options.programs = root_;
        options.run = paths_.run;
        options.log = paths_.log;
        options.notice = [this](const std::string& text) { notices_ += text + "\n"; };
        return Supervisor::open(std::move(plan), std::move(options));
    }
    std::string said(const std::string& file) { return os::read_file(root_ + "/" + file).value_or(""); }

    // What gk-status would show once it fits, from a thread beside the supervisor's loop.
    template <class Fits>
    StatusReport status_when(Fits fits) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        StatusReport report;
        do {
            if (auto now = read_status(paths_); now) report = *now;
            if (fits(report)) break;
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        } while (std::chrono::steady_clock::now() < deadline);
        return report;
    }

    std::string root_, notices_;
    config::Paths paths_;
    sigset_t before_{};
};

// Ends at SIGTERM, writes down that SIGHUP came, and notes the order in which all end.
constexpr const char* kLasting =
    "trap 'echo $0 | sed s,.*/,, >> $3/ended; exit 0' TERM; trap 'echo hup >> $3/reloaded' HUP\n"
    "echo \"$LISTEN_FDS $LISTEN_FDNAMES $*\" > $0.started\nwhile :; do sleep 0.02; done";

TEST_F(SupervisorTest, StartsWithSocketsRestartsReloadsAndStopsInOrder) {
    auto front = daemon("gk-front", kLasting), back = daemon("gk-back", kLasting);
    front.after = {"gk-back"};  // so the back must outlive it
    back.sockets = {socket("one"), socket("two")};
    auto up = open({back, front});
    ASSERT_TRUE(up) << up.error().text;
    EXPECT_EQ(up->addresses().size(), 2u);
    auto signals = os::Signals::install();
    ASSERT_TRUE(signals);

    StatusReport first, second;
    std::thread watcher;
    const auto ended = up->run(*signals, [&] {
        EXPECT_THAT(up->ready_json(), HasSubstr("\"two\":\"unix:" + paths_.run + "/two.sock\""));
        watcher = std::thread([&] {
            const auto wait_for = [&](const std::string& file, std::string_view part) {
                status_when([&](const StatusReport&) { return said(file).find(part) != std::string::npos; });
            };
            wait_for("gk-back.started", "2 one:two serve --root " + root_);
            wait_for("gk-front.started", "serve");
            first = status_when([](const StatusReport& r) { return r.daemons.size() == 2; });
            ::kill(::getpid(), SIGHUP);
            wait_for("reloaded", "hup\nhup\n");
            (void)os::unlink(root_ + "/gk-back.started");
            if (!first.daemons.empty() && first.daemons[0].pid > 0)
                ::kill(static_cast<pid_t>(first.daemons[0].pid), SIGKILL);
            second = status_when([](const StatusReport& r) {
                return r.daemons.size() == 2 && r.daemons[0].ready && r.daemons[0].restarts == 1;
            });
            wait_for("gk-back.started", "serve");
            ::kill(::getpid(), SIGTERM);
        });
    });
    watcher.join();
    EXPECT_TRUE(ended) << ended.error().text;
    ASSERT_EQ(second.daemons.size(), 2u);
    EXPECT_EQ(second.manager, "gk-up");
    EXPECT_NE(second.daemons[0].pid, first.daemons[0].pid);
    EXPECT_EQ(second.daemons[1].pid, first.daemons[1].pid);
    EXPECT_THAT(notices_, HasSubstr("starting it again"));
    EXPECT_EQ(said("ended"), "gk-front\ngk-back\n");
    EXPECT_EQ(said("reloaded"), "hup\nhup\n");
    EXPECT_THAT(said("gk-back.started"), HasSubstr("2 one:two serve --root"));
}

TEST_F(SupervisorTest, SaysWhyADaemonDidNotBecomeReadyAndStopsTheOthers) {
    auto broken = daemon("gk-broken", "echo '{\"event\":\"x\"}' >&2; echo 'gk-broken: no certificate' >&2; exit 78");
    broken.notifies = true;
    auto up = open({daemon("gk-back", kLasting), broken});
    ASSERT_TRUE(up) << up.error().text;
    auto signals = os::Signals::install();
    bool ready = false;
    const auto ended = up->run(*signals, [&] { ready = true; });
    ASSERT_FALSE(ended);
    EXPECT_FALSE(ready);
    EXPECT_THAT(ended.error().text, HasSubstr("gk-broken did not become ready: no certificate"));
    EXPECT_EQ(up->exit_code(), 78);
}

TEST_F(SupervisorTest, KillsADaemonThatDoesNotStopInTime) {
    auto deaf = daemon("gk-deaf", "trap '' TERM; while :; do sleep 0.02; done");
    deaf.stop_timeout_usec = 100'000;
    auto up = open({deaf});
    ASSERT_TRUE(up) << up.error().text;
    auto signals = os::Signals::install();
    const auto ended = up->run(*signals, [] { ::kill(::getpid(), SIGTERM); });
    EXPECT_TRUE(ended) << ended.error().text;
}

TEST_F(SupervisorTest, RunsOnceInADirectoryAndOnlyWhatIsThere) {
    auto up = open({daemon("gk-back", kLasting)});
    ASSERT_TRUE(up) << up.error().text;
    const auto second = open({daemon("gk-back", kLasting)});
    ASSERT_FALSE(second);
    EXPECT_THAT(second.error().text, HasSubstr("runs already"));
    auto missing = daemon("gk-missing", "");
    missing.command = {"gk-other"};
    paths_.run += "2";
    const auto third = open({missing});
    ASSERT_FALSE(third);
    EXPECT_EQ(third.error().code, Errc::NotFound);
}

TEST(StatusOfNothing, IsEmptyBelowARootWhereNothingRuns) {
    const auto report = read_status(config::Paths::under("/tmp/gk-no-such-root"));
    ASSERT_TRUE(report) << report.error().text;
    EXPECT_TRUE(report->daemons.empty());
}

}  // namespace
}  // namespace gk::up
