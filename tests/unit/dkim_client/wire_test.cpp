// SPDX-License-Identifier: MIT
#include "common/dkim_client/wire.hpp"

#include <gtest/gtest.h>

namespace gk::dkim_client {
namespace {

const std::string kDigest(32, '\x7f');

template <class T>
T round_trip(const T& request) {
    const std::string line = format_request(request);
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    const auto parsed = parse_request(line.substr(0, line.size() - 1));
    EXPECT_TRUE(parsed && std::holds_alternative<T>(*parsed)) << line;
    return parsed ? std::get<T>(*parsed) : T{};
}

TEST(DkimWire, RequestsSurviveTheLine) {
    EXPECT_EQ(round_trip(Keys{"a.test"}).domain, "a.test");
    const auto sign = round_trip(Sign{"a.test", "202611a-rsa", kDigest});
    EXPECT_EQ(sign.domain, "a.test");
    EXPECT_EQ(sign.selector, "202611a-rsa");
    EXPECT_EQ(sign.digest, kDigest);
    round_trip(Ping{});
}

TEST(DkimWire, SignsNothingButADigestOf32Octets) {
    for (const std::size_t size : {0u, 31u, 33u, 1000u}) {
        std::string line = format_request(Sign{"a.test", "s", std::string(size, 'x')});
        line.pop_back();
        const auto parsed = parse_request(line);
        ASSERT_FALSE(parsed) << size;
        EXPECT_EQ(parsed.error().code, Errc::BadInput);
    }
}

TEST(DkimWire, RefusesWhatIsNoRequest) {
    for (const char* line :
         {"", "KEYS", "KEYS domain=a.test", "KEYS\tdomain", "KEYS\tdomain=%zz", "SIGN\tdomain=a.test",
          "SIGN\tdomain=a.test\tselector=s\tdigest=!", "KEYS\tdomain=a\tdomain=b", "keys\tdomain=a.test"})
        EXPECT_FALSE(parse_request(line)) << line;
    EXPECT_FALSE(parse_request("KEYS\tdomain=" + std::string(kMaxLine, 'a')));
}

TEST(DkimWire, RepliesSurviveTheLine) {
    Reply reply;
    reply.ok = true;
    reply.keys = {{"one", mailauth::Algorithm::RsaSha256}, {"two", mailauth::Algorithm::Ed25519Sha256}};
    reply.signature = std::string("\0\n\t%", 4);
    std::string line = format_reply(reply);
    line.pop_back();
    const auto parsed = parse_reply(line);
    ASSERT_TRUE(parsed && parsed->ok) << line;
    ASSERT_EQ(parsed->keys.size(), 2u);
    EXPECT_EQ(parsed->keys[1].selector, "two");
    EXPECT_EQ(parsed->keys[1].algorithm, mailauth::Algorithm::Ed25519Sha256);
    EXPECT_EQ(parsed->signature, reply.signature);
}

TEST(DkimWire, AnAlgorithmOfANewerServerIsPassedOver) {
    const auto parsed = parse_reply("OK\tkeys=a:rsa-sha512,b:rsa-sha256");
    ASSERT_TRUE(parsed);
    ASSERT_EQ(parsed->keys.size(), 1u);
    EXPECT_EQ(parsed->keys[0].selector, "b");
    EXPECT_FALSE(parse_reply("OK\tkeys=ab"));
}

TEST(DkimWire, ACodeOfANewerServerIsTemporary) {
    const auto parsed = parse_reply("FAIL\tcode=moon\ttext=no%20moon");
    ASSERT_TRUE(parsed);
    EXPECT_FALSE(parsed->ok);
    EXPECT_EQ(parsed->code, FailCode::Temp);
    EXPECT_EQ(parsed->text, "no moon");
    EXPECT_FALSE(parse_reply("FAIL"));
    EXPECT_FALSE(parse_reply("MAYBE"));
}

}  // namespace
}  // namespace gk::dkim_client
