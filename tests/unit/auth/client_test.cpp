// SPDX-License-Identifier: MIT
#include "common/auth/client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <atomic>
#include <filesystem>
#include <thread>

namespace gk::auth {
namespace {

using namespace std::chrono_literals;

// Answers every line with what ANSWER says, on one connection after the other; "" closes the connection.
class FakeAuthd {
public:
    explicit FakeAuthd(std::function<std::string(const std::string&)> answer) : answer_(std::move(answer)) {
        std::string name = testing::TempDir() + "gk-authd-XXXXXX";
        folder_ = ::mkdtemp(name.data());
        listener_ = net::listen_unix(path()).value();
        thread_ = std::thread([this] { run(); });
    }
    ~FakeAuthd() {
        ::shutdown(listener_.get(), SHUT_RDWR);
        thread_.join();
        std::filesystem::remove_all(folder_);
    }
    std::string path() const { return folder_ + "/auth.sock"; }
    std::atomic<int> connections{0}, lines{0};

private:
    void run() {
        for (;;) {
            os::Fd fd(::accept(listener_.get(), nullptr, nullptr));
            if (!fd) return;
            ++connections;
            net::SocketStream stream(std::move(fd));
            net::LineReader reader(stream, kMaxLine);
            for (;;) {
                const auto line = reader.read_line(2s);
                if (!line) break;
                ++lines;
                const std::string reply = answer_(*line);
                if (reply.empty()) break;
                (void)stream.write_all(reply + "\n", 2s);
            }
        }
    }
    std::function<std::string(const std::string&)> answer_;
    std::string folder_;
    os::Fd listener_;
    std::thread thread_;
};

const Begin kBegin{"smtp", "PLAIN", "192.0.2.1", true, "", "", "x"};

TEST(AuthClient, CarriesAnExchange) {
    FakeAuthd authd([](const std::string& line) -> std::string {
        if (line.starts_with("BEGIN")) return "CONTINUE\tdata=" + std::string("aGk=");
        return line == "CONTINUE\tdata=eW8=" ? "OK\tuser=ann@a.test" : "FAIL\tcode=auth\ttext=no";
    });
    Client client(authd.path(), 2s);
    EXPECT_EQ(client.begin(kBegin)->bytes, "hi");
    EXPECT_EQ(client.respond("yo")->user, "ann@a.test");
    EXPECT_EQ(client.begin(kBegin)->kind, Reply::Kind::Continue);
    EXPECT_EQ(client.respond("other")->kind, Reply::Kind::Fail);
    EXPECT_FALSE(client.respond("late"));
    EXPECT_EQ(authd.connections, 1);
}

TEST(AuthClient, MakesAConnectionAgainThatARestartBroke) {
    std::atomic<bool> restarted{false};
    FakeAuthd authd([&](const std::string&) {
        return restarted.exchange(false) ? std::string() : std::string("OK\tuser=ann@a.test");
    });
    Client client(authd.path(), 2s);
    ASSERT_TRUE(client.begin(kBegin));
    restarted = true;
    EXPECT_EQ(client.begin(kBegin)->user, "ann@a.test");
    EXPECT_EQ(authd.connections, 2);
}

TEST(AuthClient, CallsAMissingOrSilentAuthdTemporary) {
    Client nobody("/nonexistent/auth.sock", 1s);
    EXPECT_EQ(nobody.begin(kBegin).error().code, Errc::Temporary);
    EXPECT_EQ(nobody.may_send_as("a", "b").error().code, Errc::Temporary);
    FakeAuthd junk([](const std::string&) { return "WHAT"; });
    Client client(junk.path(), 1s);
    EXPECT_EQ(client.begin(kBegin).error().code, Errc::Temporary);
}

TEST(AuthClient, TellsRefusalsFromTrouble) {
    FakeAuthd authd([](const std::string& line) -> std::string {
        if (line.starts_with("PING")) return "OK";
        if (line.find("temp") != std::string::npos) return "FAIL\tcode=temp\ttext=later";
        if (line.find("good") != std::string::npos) return "OK\tuser=ann@a.test";
        return "FAIL\tcode=denied\ttext=no";
    });
    Client client(authd.path(), 2s);
    EXPECT_EQ(client.redeem("good", "imap").value(), "ann@a.test");
    EXPECT_EQ(client.redeem("bad", "imap").error().code, Errc::Denied);
    EXPECT_EQ(client.redeem("temp", "imap").error().code, Errc::Temporary);
    EXPECT_TRUE(client.may_send_as("ann@a.test", "good"));
    EXPECT_EQ(client.may_send_as("ann@a.test", "bad").error().code, Errc::Denied);
}

TEST(AuthClient, CancelsAnExchangeThatAnotherBeginEnds) {
    FakeAuthd authd([](const std::string& line) {
        return line.starts_with("BEGIN") ? "CONTINUE\tdata=" : "FAIL\tcode=auth\ttext=cancelled";
    });
    Client client(authd.path(), 2s);
    ASSERT_TRUE(client.begin(kBegin));
    ASSERT_TRUE(client.begin(kBegin));
    EXPECT_EQ(authd.lines, 3);  // BEGIN, CANCEL, BEGIN
    EXPECT_TRUE(client.cancel());
    EXPECT_EQ(authd.lines, 4);
}

TEST(AuthClientPool, KeepsConnectionsForTheNext) {
    FakeAuthd authd([](const std::string&) { return "OK\tuser=ann@a.test"; });
    ClientPool pool(authd.path(), 1, 2s);
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(pool.take()->begin(kBegin));
    EXPECT_EQ(authd.connections, 1);
}

}  // namespace
}  // namespace gk::auth
