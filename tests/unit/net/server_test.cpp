// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <gmock/gmock.h>
#include <condition_variable>
#include <thread>

#include "common/net/server.hpp"

using namespace gk;
using namespace gk::net;
using namespace std::chrono_literals;

namespace {

// Echoes lines; "hold" waits until released.
class EchoServer {
public:
    explicit EchoServer(ServerOptions options = {}, bool proxy = false) {
        auto fd = listen_tcp("127.0.0.1", 0).value();
        port = local_of(fd.get()).port;
        std::vector<Listener> listeners;
        listeners.push_back({std::move(fd), "echo", proxy});
        server = std::make_unique<Server>(
            std::move(listeners), std::move(options), [this](Accepted accepted) { echo(std::move(accepted)); },
            [](Accepted accepted, Refusal refusal) {
                (void)accepted.stream->write_all(refusal == Refusal::TooManyConnections ? "full\n" : "address\n", 1s);
            });
        EXPECT_TRUE(server->start());
    }
    std::unique_ptr<SocketStream> connect() { return connect_tcp("127.0.0.1", port, 2s).value(); }
    std::string ask(SocketStream& stream, const std::string& line) {
        (void)stream.write_all(line + "\n", 2s);
        return LineReader(stream, 100).read_line(2s).value_or("(closed)");
    }

    std::uint16_t port = 0;
    std::unique_ptr<Server> server;

private:
    void echo(Accepted accepted) {
        accepted.stream->set_cancel(&accepted.seat->leave);
        LineReader reader(*accepted.stream, 100);
        for (;;) {
            const auto line = reader.read_line(10s);
            accepted.seat->touch();
            if (!line) {
                if (accepted.stream->cancelled()) (void)accepted.stream->write_all("stopping\n", 1s);
                return;
            }
            (void)accepted.stream->write_all((*line == "who" ? accepted.peer.ip : *line) + "\n", 1s);
        }
    }
};

}  // namespace

TEST(Server, ServesManyConnectionsAtOnce) {
    EchoServer echo;
    std::vector<std::unique_ptr<SocketStream>> streams;
    for (int i = 0; i < 50; ++i) streams.push_back(echo.connect());
    for (auto& stream : streams) EXPECT_EQ(echo.ask(*stream, "hello"), "hello");
    EXPECT_EQ(echo.server->active(), 50u);
}

TEST(Server, RefusesConnectionsPastItsLimitAndTakesThemAgainLater) {
    ServerOptions options;
    options.max_connections = 2;  // a quarter of which is none
    EchoServer echo(std::move(options));
    auto a = echo.connect(), b = echo.connect();
    EXPECT_EQ(echo.ask(*a, "x"), "x");
    EXPECT_EQ(echo.ask(*b, "x"), "x");
    EXPECT_TRUE(echo.server->under_pressure());
    auto c = echo.connect();
    EXPECT_EQ(LineReader(*c, 100).read_line(2s).value(), "full");
    a->close();
    for (int i = 0; i < 200 && echo.server->active() > 1; ++i) std::this_thread::sleep_for(5ms);
    auto d = echo.connect();
    EXPECT_EQ(echo.ask(*d, "x"), "x");
}

TEST(Server, AsksTheIdlestToLeaveUnderPressure) {
    ServerOptions options;
    options.max_connections = 4;
    options.pressure_timeout = 1ms;
    EchoServer echo(std::move(options));
    std::vector<std::unique_ptr<SocketStream>> streams;
    for (int i = 0; i < 3; ++i) {
        streams.push_back(echo.connect());
        EXPECT_EQ(echo.ask(*streams.back(), "x"), "x");
        std::this_thread::sleep_for(5ms);  // what the test is about: doing nothing for longer than the others
    }
    for (int i = 0; i < 2; ++i) {
        streams.push_back(echo.connect());
        EXPECT_EQ(echo.ask(*streams.back(), "x"), "x");
    }
    EXPECT_EQ(LineReader(*streams[0], 100).read_line(2s).value(), "stopping");
    EXPECT_EQ(echo.ask(*streams[2], "x"), "x");
}

TEST(Server, AsksAnotherToLeaveWhereTheIdlestCannot) {
    ServerOptions options;
    options.max_connections = 4;
    options.pressure_timeout = 1ms;
    auto fd = listen_tcp("127.0.0.1", 0).value();
    const auto port = local_of(fd.get()).port;
    std::vector<Listener> listeners;
    listeners.push_back({std::move(fd), "busy", false});
    std::atomic<int> asked{0}, here{0};
    std::atomic<bool> over{false};
    // As with messages under way: they see that they should leave, and stay.
    Server server(
        std::move(listeners), std::move(options),
        [&](Accepted accepted) {
            ++here;
            bool counted = false;
            while (!over) {
                if (accepted.seat->leave && !counted) ++asked, counted = true;
                std::this_thread::sleep_for(1ms);
            }
        },
        [](Accepted, Refusal) {});
    ASSERT_TRUE(server.start());
    std::vector<std::unique_ptr<SocketStream>> streams;
    for (int i = 1; i <= 5; ++i) {
        streams.push_back(connect_tcp("127.0.0.1", port, 2s).value());
        for (int wait = 0; wait < 2000 && here < i; ++wait) std::this_thread::sleep_for(1ms);
        std::this_thread::sleep_for(5ms);  // to be idle for longer than the next
    }
    for (int wait = 0; wait < 2000 && asked < 2; ++wait) std::this_thread::sleep_for(1ms);
    EXPECT_EQ(asked, 2);
    over = true;
}

TEST(Server, CountsAnIpv6HouseholdAsOneAddress) {
    EXPECT_EQ(household("192.0.2.1"), "192.0.2.1");
    EXPECT_EQ(household("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    EXPECT_EQ(household("2001:db8:1:2::9"), household("2001:db8:1:2:ffff::"));
    EXPECT_NE(household("2001:db8:1:2::9"), household("2001:db8:1:3::9"));
}

TEST(Server, LimitsOneAddressByTheProxysWord) {
    ServerOptions options;
    options.max_per_address = 1;
    options.proxies = Networks::parse({"127.0.0.1"}).value();
    EchoServer echo(std::move(options), true);
    const std::string header("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\x00\x02\x01\x7f\x00\x00\x01\x30\x39\x00\x19", 28);
    auto a = echo.connect(), b = echo.connect();
    ASSERT_TRUE(a->write_all(header, 1s));
    EXPECT_EQ(echo.ask(*a, "who"), "192.0.2.1");
    ASSERT_TRUE(b->write_all(header, 1s));
    EXPECT_EQ(LineReader(*b, 100).read_line(2s).value(), "address");
}

TEST(Server, DropsWhoMayNotSpeakForOthers) {
    EchoServer echo({}, true);
    auto stream = echo.connect();
    EXPECT_EQ(LineReader(*stream, 100).read_line(2s).error().code, Errc::Closed);
}

TEST(Server, StopsIdleConnectionsAtOnceAndLeavesTheSocketUsable) {
    auto fd = listen_tcp("127.0.0.1", 0).value();
    const auto port = local_of(fd.get()).port;
    os::Fd kept(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
    std::vector<Listener> listeners;
    listeners.push_back({std::move(fd), "idle", false});
    std::unique_ptr<Server> server;
    server = std::make_unique<Server>(
        std::move(listeners), ServerOptions{},
        [&](Accepted accepted) {
            accepted.stream->set_cancel(&server->stop_flag());
            char buffer[8];
            const auto read = accepted.stream->read_some(buffer, 60s);
            EXPECT_EQ(read.error().text, "stopping");
        },
        [](Accepted, Refusal) {});
    ASSERT_TRUE(server->start());
    const auto stream = connect_tcp("127.0.0.1", port, 2s).value();
    while (server->active() == 0) std::this_thread::sleep_for(1ms);
    const auto began = std::chrono::steady_clock::now();
    EXPECT_TRUE(server->stop(10s));
    EXPECT_LT(std::chrono::steady_clock::now() - began, 5s);
    EXPECT_TRUE(connect_tcp("127.0.0.1", port, 2s)) << "the service manager's socket must not be shut down";
}

TEST(Server, ShutsDownWhatDoesNotEndInTime) {
    std::unique_ptr<Server> server;
    auto fd = listen_tcp("127.0.0.1", 0).value();
    const auto port = local_of(fd.get()).port;
    std::vector<Listener> listeners;
    listeners.push_back({std::move(fd), "deaf", false});
    server = std::make_unique<Server>(
        std::move(listeners), ServerOptions{},
        [&](Accepted accepted) {
            char buffer[8];
            while (accepted.stream->read_some(buffer, 60s).value_or(0) > 0) {}
        },
        [](Accepted, Refusal) {});
    ASSERT_TRUE(server->start());
    const auto stream = connect_tcp("127.0.0.1", port, 2s).value();
    while (server->active() == 0) std::this_thread::sleep_for(1ms);
    EXPECT_TRUE(server->stop(50ms));
}
