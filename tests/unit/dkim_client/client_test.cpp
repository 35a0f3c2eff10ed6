// SPDX-License-Identifier: MIT
#include "common/dkim_client/client.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <atomic>
#include <filesystem>
#include <thread>

namespace gk::dkim_client {
namespace {

using namespace std::chrono_literals;

// Answers every line with what ANSWER says, on one connection after the other; "" closes the connection.
class FakeServer {
public:
    explicit FakeServer(std::function<std::string(const std::string&)> answer) : answer_(std::move(answer)) {
        std::string name = testing::TempDir() + "gk-dkim-XXXXXX";
        folder_ = ::mkdtemp(name.data());
        listener_ = net::listen_unix(path()).value();
        thread_ = std::thread([this] { run(); });
    }
    ~FakeServer() {
        ::shutdown(listener_.get(), SHUT_RDWR);
        thread_.join();
        std::filesystem::remove_all(folder_);
    }
    std::string path() const { return folder_ + "/dkim.sock"; }
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

const std::string kDigest(32, 'd');

TEST(DkimClient, AsksForKeysAndSignaturesOverOneConnection) {
    FakeServer server([](const std::string& line) -> std::string {
        if (line.starts_with("KEYS\tdomain=a.test")) return "OK\tkeys=s1:rsa-sha256,s2:ed25519-sha256";
        if (line.starts_with("SIGN")) return "OK\tsignature=c2ln";
        return "OK";
    });
    ClientPool pool(server.path());
    auto keys = signing_keys(pool, "a.test");
    ASSERT_TRUE(keys) << keys.error().text;
    ASSERT_EQ(keys->size(), 2u);
    EXPECT_EQ((*keys)[1].selector, "s2");
    EXPECT_EQ((*keys)[0].sign(kDigest).value_or(""), "sig");
    EXPECT_EQ((*keys)[1].sign(kDigest).value_or(""), "sig");
    EXPECT_TRUE(signing_keys(pool, "b.test")->empty());
    EXPECT_EQ(server.connections, 1);
}

TEST(DkimClient, ANameBelowADomainIsSignedForByTheNearestThatHasKeys) {
    FakeServer server([](const std::string& line) -> std::string {
        return line == "KEYS\tdomain=a.test" ? "OK\tkeys=s1:rsa-sha256" : "OK";
    });
    ClientPool pool(server.path());
    auto keys = nearest_signing_keys(pool, "mx.eu.a.test");
    ASSERT_TRUE(keys);
    ASSERT_EQ(keys->size(), 1u);
    EXPECT_EQ((*keys)[0].domain, "a.test");
    const int before = server.lines;
    EXPECT_TRUE(nearest_signing_keys(pool, "1.2.3.4.5.6.7.8.9.b.test")->empty());
    EXPECT_LE(server.lines - before, 5);
    EXPECT_TRUE(nearest_signing_keys(pool, "b.test")->empty());
}

TEST(DkimClient, TellsNoKeyFromNoAnswer) {
    FakeServer server([](const std::string& line) -> std::string {
        return line.find("selector=gone") != std::string::npos ? "FAIL\tcode=no-key\ttext=retired"
                                                               : "FAIL\tcode=temp\ttext=busy";
    });
    Client client(server.path());
    EXPECT_EQ(client.sign("a.test", "gone", kDigest).error().code, Errc::NotFound);
    const auto busy = client.sign("a.test", "there", kDigest);
    EXPECT_EQ(busy.error().code, Errc::Temporary);
    EXPECT_EQ(busy.error().text, "busy");
    Client nobody("/nonexistent/dkim.sock");
    EXPECT_EQ(nobody.active_keys("a.test").error().code, Errc::Temporary);
}

TEST(DkimClient, AsksAgainWhereTheServerWasRestarted) {
    int asked = 0;
    FakeServer server([&](const std::string&) -> std::string { return ++asked == 2 ? "" : "OK"; });
    Client client(server.path());
    EXPECT_TRUE(client.ping());
    EXPECT_TRUE(client.ping());
    EXPECT_EQ(server.connections, 2);
}

TEST(DkimClient, ASilentServerCostsOneTimeout) {
    FakeServer server([](const std::string&) -> std::string {
        std::this_thread::sleep_for(200ms);
        return "";
    });
    Client client(server.path(), 50ms);
    EXPECT_EQ(client.ping().error().code, Errc::Temporary);
    EXPECT_EQ(server.connections, 1);
}

}  // namespace
}  // namespace gk::dkim_client
