// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <unistd.h>
#include <csignal>
#include <thread>

#include "common/base/ids.hpp"
#include "common/net/network.hpp"
#include "common/net/stream.hpp"

using namespace gk;
using namespace gk::net;
using namespace std::chrono_literals;
using testing::HasSubstr;

namespace {

struct Pair {
    Pair() {
        int fds[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        a = std::make_unique<SocketStream>(os::Fd(fds[0]));
        b = std::make_unique<SocketStream>(os::Fd(fds[1]));
    }
    std::unique_ptr<SocketStream> a, b;
};

}  // namespace

TEST(SocketStream, CarriesBytesAndEnds) {
    Pair pair;
    ASSERT_TRUE(pair.a->write_all("hello", 1s));
    char buffer[16];
    EXPECT_EQ(pair.b->read_some(buffer, 1s).value(), 5u);
    pair.a->close();
    EXPECT_EQ(pair.b->read_some(buffer, 1s).value(), 0u);
}

TEST(SocketStream, SaysTimeoutWhenThePeerIsSilent) {
    Pair pair;
    char buffer[16];
    EXPECT_EQ(pair.b->read_some(buffer, 20ms).error().code, Errc::Timeout);
}

TEST(SocketStream, SaysTimeoutWhenThePeerDoesNotRead) {
    Pair pair;
    EXPECT_EQ(pair.b->write_all(std::string(8 << 20, 'x'), 20ms).error().code, Errc::Timeout);
}

TEST(SocketStream, SaysClosedWhenThePeerIsGone) {
    Pair pair;
    pair.a->close();
    EXPECT_EQ(pair.b->write_all("x", 1s).error().code, Errc::Closed);
}

TEST(SocketStream, WritesManyPiecesInOrder) {
    Pair pair;
    std::vector<std::string> texts;
    std::string expected;
    for (int i = 0; i < 200; ++i) {
        texts.push_back(i % 7 == 0 ? "" : std::string(3000, static_cast<char>('a' + i % 26)));
        expected += texts.back();
    }
    const std::vector<std::string_view> pieces(texts.begin(), texts.end());
    std::thread writer([&] {
        EXPECT_TRUE(pair.a->write_pieces(pieces, 5s));
        pair.a->close();
    });
    std::string heard;
    std::vector<char> buffer(777);
    for (;;) {
        const auto count = pair.b->read_some(buffer, 5s);
        ASSERT_TRUE(count);
        if (*count == 0) break;
        heard.append(buffer.data(), *count);
    }
    writer.join();
    EXPECT_EQ(heard, expected);
}

TEST(SocketStream, DropsWhatStillComesWhileItLingers) {
    Pair pair;
    ASSERT_TRUE(pair.a->write_all(std::string(10'000, 'x'), 1s));
    ASSERT_TRUE(pair.b->write_all("bye", 1s));
    std::thread closer([&] {
        char buffer[16];
        EXPECT_EQ(pair.a->read_some(buffer, 5s).value(), 3u);
        EXPECT_EQ(pair.a->read_some(buffer, 5s).value(), 0u);
        pair.a->close();
    });
    pair.b->linger(5s, 1 << 20);
    closer.join();
}

TEST(LineReader, GivesLinesWithoutTheirEndsAndKeepsTheRest) {
    Pair pair;
    ASSERT_TRUE(pair.a->write_all("one\r\ntwo\n\nrest", 1s));
    LineReader reader(*pair.b, 100);
    EXPECT_EQ(reader.read_line(1s).value(), "one");
    EXPECT_EQ(reader.read_line(1s).value(), "two");
    EXPECT_EQ(reader.read_line(1s).value(), "");
    EXPECT_EQ(reader.read_exactly(2, 1s).value(), "re");
    EXPECT_EQ(reader.take_buffered(), "st");
    pair.a->close();
    EXPECT_EQ(reader.read_line(1s).error().code, Errc::Closed);
}

TEST(LineReader, RefusesALineThatIsTooLongWithOrWithoutItsEnd) {
    Pair pair;
    ASSERT_TRUE(pair.a->write_all(std::string(101, 'x') + "\n", 1s));
    EXPECT_EQ(LineReader(*pair.b, 100).read_line(1s).error().code, Errc::BadInput);
    ASSERT_TRUE(pair.a->write_all(std::string(5000, 'x'), 1s));
    EXPECT_EQ(LineReader(*pair.b, 100).read_line(1s).error().code, Errc::BadInput);
}

TEST(Connect, ReachesAListenerAndNamesBothEnds) {
    const auto listener = listen_tcp("127.0.0.1", 0).value();
    const auto there = local_of(listener.get());
    EXPECT_TRUE(there.is_loopback());
    const auto stream = connect_tcp("127.0.0.1", there.port, 2s);
    ASSERT_TRUE(stream) << stream.error().text;
    EXPECT_EQ(peer_of((*stream)->fd()).to_string(), "127.0.0.1:" + std::to_string(there.port));
}

TEST(Connect, SaysWhoRefuses) {
    std::uint16_t port = 0;
    {
        const auto listener = listen_tcp("127.0.0.1", 0).value();
        port = local_of(listener.get()).port;
    }
    const auto refused = connect_tcp("127.0.0.1", port, 2s);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::Temporary);
    EXPECT_THAT(refused.error().text, HasSubstr("127.0.0.1:" + std::to_string(port)));
    EXPECT_EQ(connect_tcp("not an address", 25, 1s).error().code, Errc::BadInput);
    EXPECT_EQ(connect_unix(std::string(200, 'x'), 1s).error().code, Errc::BadInput);
}

TEST(Connect, ReachesAUnixSocket) {
    const std::string path = testing::TempDir() + new_id() + ".sock";
    const auto listener = listen_unix(path, 0600);
    ASSERT_TRUE(listener) << listener.error().text;
    EXPECT_TRUE(connect_unix(path, 1s));
    EXPECT_EQ(local_of(listener->get()).to_string(), "unix:" + path);
    ::unlink(path.c_str());
}

TEST(Network, HoldsItsAddressesAndNoOthers) {
    const auto networks = Networks::parse({"192.0.2.0/24", "10.1.2.3", "2001:db8::/33"}).value();
    EXPECT_TRUE(networks.contains("192.0.2.255"));
    EXPECT_TRUE(networks.contains("::ffff:192.0.2.1"));
    EXPECT_FALSE(networks.contains("192.0.3.0"));
    EXPECT_TRUE(networks.contains("10.1.2.3"));
    EXPECT_FALSE(networks.contains("10.1.2.4"));
    EXPECT_TRUE(networks.contains("2001:db8:7fff::1"));
    EXPECT_FALSE(networks.contains("2001:db8:8000::1"));
    EXPECT_FALSE(networks.contains("nonsense"));
    EXPECT_TRUE(Network::parse("0.0.0.0/0")->contains("203.0.113.9"));
    EXPECT_FALSE(Network::parse("0.0.0.0/0")->contains("2001:db8::1"));
    for (const char* wrong : {"192.0.2.0/33", "192.0.2/24", "2001:db8::/129", "", "/8", "a.test"})
        EXPECT_FALSE(Networks::parse({wrong})) << wrong;
}
