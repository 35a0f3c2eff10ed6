// SPDX-License-Identifier: MIT
#include "common/up/plan.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <cstdlib>

#include "common/os/file.hpp"

using namespace gk;
using namespace gk::up;

namespace {

std::map<std::string, std::string> units() {
    return {
        {"gk-a.service",
         "[Unit]\nAfter=gk-b.service network.target\n[Service]\nType=notify\nExecStart=-/usr/bin/gk-a serve "
         "--x\nSockets=gk-a.socket gk-a2.socket\n"
         "Restart=on-failure\nWatchdogSec=1min\nUser=gk-u\nSupplementaryGroups=g h\nUMask=0077\nLimitNOFILE=4096\n"},
        {"gk-a.socket", "[Socket]\nListenStream=25\nFileDescriptorName=smtp\nNoDelay=yes\n"},
        {"gk-a2.socket", "[Socket]\nListenStream=[::1]:587\nFileDescriptorName=submission\nService=gk-a.service\n"},
        {"gk-b.service", "[Service]\nExecStart=/usr/bin/gk-b\nSockets=gk-b.socket\n"},
        {"gk-b.socket", "[Socket]\nListenDatagram=/run/gk/b.sock\nSocketMode=0660\n"}};
}

std::string complaint(const char* file, const char* text) {
    auto all = units();
    all[file] = text;
    const auto plan = plan_from_units(all);
    return plan ? "" : plan.error().text;
}

}  // namespace

TEST(Plan, SaysWhatTheUnitsSay) {
    const auto plan = plan_from_units(units());
    ASSERT_TRUE(plan) << plan.error().text;
    ASSERT_EQ(plan->size(), 2u);
    const auto& a = (*plan)[0];
    EXPECT_EQ(a.command, (std::vector<std::string>{"gk-a", "serve", "--x"}));
    EXPECT_TRUE(a.notifies);
    EXPECT_TRUE(a.restarts);
    EXPECT_EQ(a.watchdog_usec, 60'000'000u);
    EXPECT_EQ(a.user, "gk-u");
    EXPECT_EQ(a.supplementary_groups, (std::vector<std::string>{"g", "h"}));
    EXPECT_EQ(a.umask, 077);
    EXPECT_EQ(a.open_files, 4096u);
    EXPECT_EQ(a.after, std::vector<std::string>{"gk-b"});
    ASSERT_EQ(a.sockets.size(), 2u);
    EXPECT_EQ(a.sockets[0].name, "smtp");
    EXPECT_TRUE(a.sockets[0].no_delay);
    const auto& b = (*plan)[1];
    EXPECT_FALSE(b.notifies);
    EXPECT_TRUE(b.sockets[0].datagram);
    EXPECT_EQ(b.sockets[0].name, "gk-b.socket");  // systemd's default
    EXPECT_EQ(b.sockets[0].mode, 0660u);
}

TEST(Plan, ComplainsAboutUnitsItCannotFollow) {
    EXPECT_EQ(complaint("gk-a.socket", "[Socket]\nListenStream=25\nListenStream=26\n"),
              "gk-a.socket: one ListenStream= or ListenDatagram= is wanted, not 2");
    EXPECT_EQ(complaint("gk-a.socket", "[Socket]\nListenStream=vsock:2:1234\n"),
              "");  // an address that open_socket refuses
    EXPECT_EQ(complaint("gk-a.socket", "[Socket]\nListenStream=99999\n"), "gk-a.socket: cannot listen on '99999'");
    EXPECT_EQ(complaint("gk-a.socket", "[Socket]\nListenStream=@abstract\n"),
              "gk-a.socket: cannot listen on '@abstract'");
    EXPECT_NE(complaint("gk-b.service", "[Service]\nExecStart=/x\nSockets=gk-z.socket\n").find("gk-z.socket"),
              std::string::npos);
    EXPECT_NE(complaint("gk-b.service", "[Service]\n"), "");
    EXPECT_NE(complaint("gk-b.service", "[Service]\nExecStart=/x\nType=forking\n"), "");
    EXPECT_NE(complaint("gk-b.service", "[Service]\nExecStart=/x\nWatchdogSec=soon\n"), "");
}

TEST(Plan, IsPlacedByPortBaseAndRunDirectory) {
    auto plan = place(*plan_from_units(units()), {"/root/run", "127.0.0.1", 20000});
    ASSERT_TRUE(plan);
    EXPECT_EQ(address_of((*plan)[0].sockets[0]), "127.0.0.1:20025");
    EXPECT_EQ(address_of((*plan)[0].sockets[1]), "[::1]:20587");  // the unit's own address stays
    EXPECT_EQ(address_of((*plan)[1].sockets[0]), "unix:/root/run/b.sock");
    EXPECT_FALSE(place(*plan_from_units(units()), {"/r", "", 65530}));
}

TEST(Plan, IsNarrowedByShortNames) {
    EXPECT_EQ(select(*plan_from_units(units()), {"a"})->size(), 1u);
    EXPECT_EQ(select(*plan_from_units(units()), {"gk-b", "a"})->size(), 2u);
    EXPECT_EQ(select(*plan_from_units(units()), {})->size(), 2u);
    EXPECT_NE(select(*plan_from_units(units()), {"c"}).error().text.find("no unit for 'c'; did you mean gk-"),
              std::string::npos);
}

TEST(Plan, HoldsForOurOwnUnits) {
    const char* source = std::getenv("GK_SOURCE_DIR");
    if (source == nullptr) GTEST_SKIP() << "GK_SOURCE_DIR is not set";
    const auto plan = plan_from_units(*read_units(std::string(source) + "/systemd"));
    ASSERT_TRUE(plan) << plan.error().text;
    std::map<std::string, std::string> sockets;
    const auto placed = place(*plan, {"/r", "127.0.0.1", 20000});
    ASSERT_TRUE(placed);
    for (const auto& daemon : *placed) {
        EXPECT_TRUE(daemon.notifies) << daemon.name;
        EXPECT_EQ(daemon.command, (std::vector<std::string>{daemon.name, "serve"}));
        for (const auto& socket : daemon.sockets) sockets[socket.name] = address_of(socket);
    }
    const std::map<std::string, std::string> wanted = {
        {"smtp", "127.0.0.1:20025"},           {"submission", "127.0.0.1:20587"},   {"submissions", "127.0.0.1:20465"},
        {"imap", "127.0.0.1:20143"},           {"imaps", "127.0.0.1:20993"},        {"lmtp", "unix:/r/lmtp.sock"},
        {"imap-session", "unix:/r/imap.sock"}, {"changes", "unix:/r/changes.sock"}, {"auth", "unix:/r/auth.sock"},
        {"queue", "unix:/r/queue.sock"},       {"submit", "unix:/r/submit.sock"}};
    for (const auto& [name, address] : wanted) EXPECT_EQ(sockets[name], address);
}

TEST(OpenSocket, ReplacesADeadSocketButNotALiveOneOrAFile) {
    std::string directory = "/tmp/gk-plan-XXXXXX";
    ASSERT_NE(::mkdtemp(directory.data()), nullptr);
    SocketPlan plan{
        .unit = "", .name = "x", .ip = "", .path = directory + "/x.sock", .mode = 0660, .user = "", .group = ""};
    {
        const auto first = open_socket(plan);
        ASSERT_TRUE(first) << first.error().text;
        const auto second = open_socket(plan);
        ASSERT_FALSE(second);
        EXPECT_EQ(second.error().code, Errc::Temporary);
    }
    EXPECT_TRUE(open_socket(plan));  // its owner is gone
    struct stat status {};
    ASSERT_EQ(::stat(plan.path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0660u);
    ASSERT_TRUE(os::unlink(plan.path));
    ASSERT_TRUE(os::append_file(plan.path, "precious", false));
    EXPECT_EQ(open_socket(plan).error().code, Errc::Exists);
    plan.path = directory + "/" + std::string(200, 'x');
    EXPECT_NE(open_socket(plan).error().text.find("choose a shorter --root"), std::string::npos);
    ASSERT_TRUE(os::remove_tree(directory));
}
