// SPDX-License-Identifier: MIT
#include "common/os/process.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace gk;

namespace {

// Runs a shell script with DESCRIPTORS from 3 on; returns what it wrote to stdout.
std::string shell(const std::string& script, os::Spawn what = {}) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return "no pipe";
    what.argv = {"/bin/sh", "-c", script};
    what.standard_output = ends[1];
    auto pid = os::spawn(what);
    ::close(ends[1]);
    std::string out;
    char buffer[4096];
    for (ssize_t n; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;) out.append(buffer, static_cast<std::size_t>(n));
    ::close(ends[0]);
    if (pid) ::waitpid(*pid, nullptr, 0);
    return pid ? out : pid.error().text;
}

}  // namespace

TEST(Spawn, PassesDescriptorsInOrderAndNoOthers) {
    int ends[2], other[2];
    ASSERT_EQ(::pipe(ends), 0);  // not close-on-exec: must not leak all the same
    ASSERT_EQ(::pipe(other), 0);
    ASSERT_EQ(::write(ends[1], "first", 5), 5);
    ASSERT_EQ(::write(other[1], "second", 6), 6);
    ::close(ends[1]);
    ::close(other[1]);
    os::Spawn what;
    what.descriptors = {other[0], ends[0]};  // crosswise to their numbers
    EXPECT_EQ(shell("cat <&3; cat <&4; ls /proc/self/fd | wc -l", what), "secondfirst6\n");  // 0 1 2 3 4 and ls's own
    ::close(ends[0]);
    ::close(other[0]);
}

TEST(Spawn, TellsTheChildItsOwnPid) {
    os::Spawn what;
    what.tell_listen_pid = true;
    what.environment = {"A=b"};
    EXPECT_EQ(shell("test \"$LISTEN_PID\" = $$ && echo \"yes $A\"", what), "yes b\n");
}

TEST(Spawn, ReportsAProgramThatCannotRun) {
    auto pid = os::spawn({.argv = {"/nonexistent/program"}, .environment = {}});
    ASSERT_FALSE(pid);
    EXPECT_EQ(pid.error().code, Errc::NotFound);
    EXPECT_EQ(pid.error().text, "cannot execute '/nonexistent/program': No such file or directory");
}

TEST(Spawn, StartsWithAnEmptyEnvironmentAndSignalMask) {
    EXPECT_EQ(shell("env | grep -v -e ^PWD= -e ^SHLVL= -e ^_=; grep SigBlk /proc/self/status"),
              "SigBlk:\t0000000000000000\n");
}

TEST(Identity, UnknownNamesAreErrors) {
    EXPECT_EQ(os::find_identity("root")->uid, 0u);
    EXPECT_FALSE(os::find_identity("no-such-user-here"));
    EXPECT_FALSE(os::find_identity("root", "no-such-group-here"));
}
