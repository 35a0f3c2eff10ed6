// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <sys/socket.h>

#include "common/net/proxy.hpp"

using namespace gk;
using namespace gk::net;
using namespace std::chrono_literals;

namespace {

const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

std::string header(char command, char family, const std::string& payload) {
    return kSignature + command + family + static_cast<char>(payload.size() >> 8) + static_cast<char>(payload.size()) +
           payload;
}

const std::string kV4Payload("\xc0\x00\x02\x01\x7f\x00\x00\x01\x30\x39\x00\x19", 12);

}  // namespace

TEST(ProxyV2, TellsAnIpv4Client) {
    const auto parsed = parse_proxy_v2(header('\x21', '\x11', kV4Payload) + "EHLO").value();
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->source.to_string(), "192.0.2.1:12345");
    EXPECT_EQ(parsed->destination.to_string(), "127.0.0.1:25");
    EXPECT_EQ(parsed->size, 28u);
    EXPECT_FALSE(parsed->local);
}

TEST(ProxyV2, TellsAnIpv6ClientAndSkipsItsOptions) {
    std::string payload(32, '\0');
    payload[0] = '\x20', payload[1] = '\x01', payload[2] = '\x0d', payload[3] = '\xb8', payload[15] = '\x01';
    payload += std::string("\x01\xbb\x03\xe1", 4) + std::string("\x03\x00\x01x", 4);
    const auto parsed = parse_proxy_v2(header('\x21', '\x21', payload)).value();
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->source.to_string(), "[2001:db8::1]:443");
    EXPECT_EQ(parsed->size, 16u + payload.size());
}

TEST(ProxyV2, KeepsTheSocketsAddressForLocal) {
    const auto parsed = parse_proxy_v2(header('\x20', '\0', "")).value();
    ASSERT_TRUE(parsed);
    EXPECT_TRUE(parsed->local);
}

TEST(ProxyV2, WantsMoreUntilAllIsThere) {
    const std::string whole = header('\x21', '\x11', kV4Payload);
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const auto parsed = parse_proxy_v2(whole.substr(0, size));
        ASSERT_TRUE(parsed) << size;
        EXPECT_FALSE(*parsed) << size;
    }
}

TEST(ProxyV2, RefusesWhatIsNone) {
    EXPECT_FALSE(parse_proxy_v2("EHLO client.test\r\n"));
    EXPECT_FALSE(parse_proxy_v2("PROXY TCP4 192.0.2.1 127.0.0.1 1 2\r\n"));
    EXPECT_FALSE(parse_proxy_v2(header('\x11', '\x11', kV4Payload)));  // version 1
    EXPECT_FALSE(parse_proxy_v2(header('\x22', '\x11', kV4Payload)));  // no such command
    EXPECT_FALSE(parse_proxy_v2(header('\x21', '\x12', kV4Payload)));  // UDP
    EXPECT_FALSE(parse_proxy_v2(header('\x21', '\0', "")));            // no address: not the proxy's own rights
    EXPECT_FALSE(parse_proxy_v2(header('\x21', '\x11', "short")));
    EXPECT_FALSE(parse_proxy_v2(header('\x21', '\x31', std::string(216, 'x'))));  // UNIX
    EXPECT_FALSE(parse_proxy_v2(header('\x21', '\x11', std::string(5000, 'x'))));
}

TEST(ProxyV2, IsReadWithoutAByteOfWhatFollows) {
    int fds[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    SocketStream client{os::Fd(fds[0])}, server{os::Fd(fds[1])};
    ASSERT_TRUE(client.write_all(header('\x21', '\x11', kV4Payload) + "EHLO", 1s));
    EXPECT_EQ(read_proxy_v2(server, 1s).value().source.ip, "192.0.2.1");
    char buffer[16];
    const auto count = server.read_some(buffer, 1s).value();
    EXPECT_EQ(std::string(buffer, count), "EHLO");
}
