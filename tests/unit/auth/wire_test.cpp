// SPDX-License-Identifier: MIT
#include "common/auth/wire.hpp"

#include <gtest/gtest.h>

#include "common/auth/mechanisms.hpp"
#include "common/config/config.hpp"

namespace gk::auth {
namespace {

std::string_view without_lf(const std::string& line) { return std::string_view(line).substr(0, line.size() - 1); }

TEST(AuthWire, CarriesBeginWithEveryField) {
    Begin begin{"smtp", "SCRAM-SHA-256-PLUS",    "2001:db8::1", true, std::string("\0\1\2", 3),
                "hash", std::string("\0\n\t", 3)};
    const std::string line = format_request(begin);
    EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
    const auto back = std::get<Begin>(parse_request(without_lf(line)).value());
    EXPECT_EQ(back.service, "smtp");
    EXPECT_EQ(back.cb_tls_exporter, begin.cb_tls_exporter);
    EXPECT_EQ(back.initial_response, begin.initial_response);
    EXPECT_TRUE(back.tls);
}

TEST(AuthWire, TellsAnEmptyInitialResponseFromNone) {
    Begin begin{"imap", "PLAIN", "", false, "", "", std::nullopt};
    EXPECT_EQ(std::get<Begin>(parse_request(without_lf(format_request(begin))).value()).initial_response, std::nullopt);
    begin.initial_response = "";
    EXPECT_EQ(std::get<Begin>(parse_request(without_lf(format_request(begin))).value()).initial_response, "");
}

TEST(AuthWire, EscapesWhatWouldEndAFieldOrALine) {
    const std::string line = format_request(Sender{"ann@a.test", "a\tb\nc=d %@x"});
    EXPECT_EQ(line, "SENDER\tuser=ann@a.test\taddress=a%09b%0ac=d%20%25@x\n");
    EXPECT_EQ(std::get<Sender>(parse_request(without_lf(line)).value()).address, "a\tb\nc=d %@x");
}

TEST(AuthWire, CarriesReplies) {
    Reply ok;
    ok.kind = Reply::Kind::Ok;
    ok.user = "ann@a.test";
    ok.ticket = "t";
    ok.bytes = "v=x";
    const auto back = parse_reply(without_lf(format_reply(ok))).value();
    EXPECT_EQ(back.user, "ann@a.test");
    EXPECT_EQ(back.bytes, "v=x");
    EXPECT_EQ(back.quota_octets, 0u);
    ok.quota_octets = 2'000'000'000'000;
    ok.quota_messages = 7;
    EXPECT_EQ(parse_reply(without_lf(format_reply(ok)))->quota_octets, 2'000'000'000'000u);
    EXPECT_EQ(parse_reply(without_lf(format_reply(ok)))->quota_messages, 7u);
    // What is no number must not be read as no limit.
    EXPECT_FALSE(parse_reply("OK\tuser=ann@a.test\tquota-octets=much"));
    Reply no;
    no.code = FailCode::Locked;
    no.text = "too many failures";
    EXPECT_EQ(format_reply(no), "FAIL\tcode=locked\ttext=too%20many%20failures\n");
    EXPECT_EQ(parse_reply(without_lf(format_reply(no)))->code, FailCode::Locked);
    EXPECT_EQ(parse_reply("FAIL\tcode=new-kind")->code, FailCode::Auth);
}

TEST(AuthWire, RefusesMalformedLines) {
    for (const char* bad : {"", "HELLO", "BEGIN", "BEGIN\tservice=x\tmech=y", "BEGIN\tservice=x\tmech=y\ttls=2",
                            "CONTINUE", "CONTINUE\tdata=!", "CONTINUE\tdata=AA==\tdata=AA==", "REDEEM\tticket=x",
                            "SENDER\tuser", "SENDER\t=x", "PING\tx=%zz"})
        EXPECT_FALSE(parse_request(bad)) << bad;
    EXPECT_FALSE(parse_request(std::string(kMaxLine + 1, 'x')));
    EXPECT_FALSE(parse_reply("CONTINUE"));
    EXPECT_FALSE(parse_reply("MAYBE"));
    EXPECT_TRUE(parse_request("PING\tfrom=the-future"));
}

TEST(Mechanisms, OfferNoPasswordsInTheClear) {
    using Names = std::vector<std::string>;
    EXPECT_EQ(mechanisms(true, true), (Names{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"}));
    EXPECT_EQ(mechanisms(true, false), (Names{"SCRAM-SHA-256", "PLAIN", "LOGIN"}));
    EXPECT_EQ(mechanisms(false, false), (Names{"SCRAM-SHA-256"}));
    const auto config = config::Config::parse("[auth]\nmain = \"argon2id\"\nplaintext_without_tls = true\n").value();
    EXPECT_EQ(mechanisms(config, false, false), (Names{"PLAIN", "LOGIN"}));
}

}  // namespace
}  // namespace gk::auth
