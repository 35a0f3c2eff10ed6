// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "common/mailauth/authres/authres.hpp"

namespace gk::mailauth::authres {
namespace {

AuthenticationResults parsed(std::string_view value) {
    auto results = parse(value);
    EXPECT_TRUE(results) << value << ": " << results.error().text;
    return results ? *results : AuthenticationResults{};
}
MethodResult only(std::string_view value) {
    const auto results = parsed(value).results;
    EXPECT_EQ(results.size(), 1u) << value;
    return results.empty() ? MethodResult{} : results.front();
}

// The examples printed in RFC 8601, appendix B.
TEST(AuthenticationResults, ReadsTheExamplesOfRfc8601) {
    EXPECT_EQ(parsed("example.org 1; none"), (AuthenticationResults{"example.org", 1, {}}));
    const auto spf = only("example.com;\r\n          spf=pass smtp.mailfrom=example.net");
    EXPECT_EQ(spf.method, "spf");
    EXPECT_EQ(spf.result, "pass");
    EXPECT_EQ(spf.properties, (std::vector<Property>{{"smtp", "mailfrom", "example.net"}}));
    const auto two = parsed(
        "example.com;\r\n auth=pass (cram-md5) smtp.auth=sender@example.net;\r\n spf=pass "
        "smtp.mailfrom=example.net");
    ASSERT_EQ(two.results.size(), 2u);
    EXPECT_EQ(two.results[0].properties, (std::vector<Property>{{"smtp", "auth", "sender@example.net"}}));
    const auto dkim = parsed(
        "example.com; dkim=pass (good signature) header.d=example.com;\r\n"
        " dkim=fail reason=\"bad signature\" header.i=@newyork.example.com");
    ASSERT_EQ(dkim.results.size(), 2u);
    EXPECT_EQ(dkim.results[1].reason, "bad signature");
    EXPECT_EQ(dkim.results[1].properties, (std::vector<Property>{{"header", "i", "@newyork.example.com"}}));
}

// RFC 8601, B.7: "Comment-Heavy Example".
TEST(AuthenticationResults, ReadsCommentsWhereverTheGrammarPermitsThem) {
    const auto heavy = only(
        "foo.example.net (foobar) 1 (baz);\r\n dkim (Because I like it) / 1 (One yay) = (wait for it) fail\r\n"
        " policy (A dot can go here) . (like that) expired\r\n (this surprised me) = (as I wasn't expecting it) "
        "1362471462");
    EXPECT_EQ(heavy.method, "dkim");
    EXPECT_EQ(heavy.result, "fail");
    EXPECT_EQ(heavy.properties, (std::vector<Property>{{"policy", "expired", "1362471462"}}));
    EXPECT_EQ(only("(a (nested \\) one)) a.test (x) ; spf=pass (in (side))").result, "pass");
}

TEST(AuthenticationResults, ReadsQuotedIdsAndValues) {
    const auto address = only("\"mx a.test\"; spf=pass reason=\"it \\\"fits\\\"\" smtp.mailfrom=\"ann smith\"@b.test");
    EXPECT_EQ(address.reason, "it \"fits\"");
    EXPECT_EQ(address.properties, (std::vector<Property>{{"smtp", "mailfrom", "\"ann smith\"@b.test"}}));
    EXPECT_EQ(parsed("\"mx a.test\"; none").id, "mx a.test");
}

TEST(AuthenticationResults, ReadsWhatServersWriteBeyondTheGrammar) {
    // Slashes and equals signs in header.b, IPv6 in policy.iprev, an empty reverse-path, a last semicolon, Microsoft's
    // "action".
    EXPECT_EQ(only("a.test; dkim=pass header.d=b.test header.b=Ab/+x1=").properties.back().value, "Ab/+x1=");
    EXPECT_EQ(only("a.test; iprev=pass policy.iprev=2001:db8::1;").properties.back().value, "2001:db8::1");
    EXPECT_EQ(only("a.test; spf=none smtp.mailfrom=;").properties.back().value, "");
    EXPECT_EQ(only("a.test; dmarc=pass action=none header.from=b.test").properties.size(), 1u);
}

TEST(AuthenticationResults, ReadsUtf8InEveryPlace) {
    const auto eai = only("mx.grüße.test; spf=pass smtp.mailfrom=jürgen@grüße.test");
    EXPECT_EQ(eai.properties, (std::vector<Property>{{"smtp", "mailfrom", "jürgen@grüße.test"}}));
}

TEST(AuthenticationResults, RefusesWhatIsMalformed) {
    for (const char* value :
         {"", ";", "; none", "(a.test", "\"a.test; none", "a.test b.test; none", "a.test; spf",
          "a.test; spf=", "a.test; =pass", "a.test; spf=pass smtp", "a.test; spf=pass smtp.=x",
          "a.test; spf=pass reason=\"x", "a.test; spf=pass (open", "a.test; spf=pass; none", "a.test; spf/x=pass",
          "a.test; spf=pass foo=bar", "a.test 1x; none", "a.test; spf=pass smtp.mailfrom=a\"b"})
        EXPECT_FALSE(parse(value)) << value;
    ASSERT_FALSE(parse("a.test 2; spf=pass"));
    EXPECT_EQ(parse("a.test 2; spf=pass").error().code, Errc::Unsupported);
}

TEST(AuthenticationResults, BoundsWhatOneFieldMayHold) {
    std::string many = "a.test";
    for (int i = 0; i < 101; ++i) many += "; spf=pass";
    EXPECT_FALSE(parse(many));
    std::string deep = "a.test" + std::string(100'000, '(') + std::string(100'000, ')') + "; none";
    EXPECT_TRUE(parse(deep));
}

TEST(AuthenticationResults, WhatIsWrittenReadsBackTheSame) {
    AuthenticationResults results{"mx.a.test", 1, {}};
    results.results.push_back(
        {"spf", 1, "pass", "", {{"smtp", "mailfrom", "ann@b.test"}, {"smtp", "helo", "mx.b.test"}}});
    results.results.push_back({"dkim", 1, "fail", "a \"quoted\" (reason)", {{"header", "b", "Ab/+x1=="}}});
    results.results.push_back({"iprev", 1, "pass", "", {{"policy", "iprev", "2001:db8::1"}}});
    std::string long_words(100, 'w');
    long_words += ' ';
    long_words.append(100, 'v');
    results.results.push_back({"x-long", 1, "none", long_words, {}});
    const auto body = format_body(results, false);
    EXPECT_EQ(parsed(body), results) << body;
    EXPECT_EQ(format_body({"mx.a.test", 1, {}}, false), "mx.a.test; none");
}

TEST(AuthenticationResults, NoFieldThatIsWrittenHasALineOfMoreThan998Octets) {
    AuthenticationResults results{std::string(600, 'i'), 1, {}};
    results.results.push_back({"spf",
                               1,
                               "pass",
                               std::string(2000, 'r'),
                               {{"smtp", "mailfrom", std::string(900, 'm')}},
                               std::string(900, 'c')});
    std::size_t line = 0;
    for (const char c : format(results, false)) {
        line = c == '\n' ? 0 : line + 1;
        ASSERT_LE(line, 998u);
    }
}

TEST(AuthenticationResults, NothingThatASenderWroteBreaksOutOfTheField) {
    AuthenticationResults results{"mx.a.test", 1, {}};
    results.results.push_back({"spf",
                               1,
                               "fail",
                               "x\r\nEvil: 1",
                               {{"smtp", "mailfrom", "a\r\nb;dkim=pass@c.test"}},
                               "ends) here; dkim=pass (\r\n"});
    const auto field = format(results, false);
    for (std::size_t at = field.find('\n'); at + 1 < field.size(); at = field.find('\n', at + 1))
        EXPECT_EQ(field[at + 1], '\t') << field;
    const auto back = only(std::string_view(field).substr(kFieldName.size() + 1));
    EXPECT_EQ(back.result, "fail");
    EXPECT_EQ(back.properties.size(), 1u);
    EXPECT_EQ(back.properties[0].value, "ab;dkim=pass@c.test");
}

TEST(AuthenticationResults, Utf8IsWrittenOnlyIntoMessagesThatMayHoldIt) {
    AuthenticationResults results{"mx.a.test", 1, {}};
    results.results.push_back(
        {"spf", 1, "pass", "", {{"smtp", "mailfrom", "jürgen@b.test"}, {"smtp", "helo", "mx.b.test"}}});
    EXPECT_NE(format_body(results, true).find("jürgen@b.test"), std::string::npos);
    const auto ascii = format_body(results, false);
    EXPECT_EQ(ascii.find("mailfrom"), std::string::npos);
    EXPECT_NE(ascii.find("smtp.helo=mx.b.test"), std::string::npos);
}

TEST(AuthservId, IsOursInEverySpellingThatAReaderMayTakeForIt) {
    const std::vector<std::string> ids = {"mx.a.test", "grüße.test"};
    for (const char* value :
         {"mx.a.test; spf=pass", " MX.A.TEST.;spf=pass", "\r\n\tmx.a.test 1; none", "(x) \"mx.a.test\" (y); none",
          "mx.a(comment).test; none", "mx . a . test; spf=pass", "\"mx\".a.test; none", "mx.a.test", "mx.a.test 1",
          "xn--gre-6ka8l.test; none", "=?utf-8?q?mx.a.test?=; spf=pass", "mx.a.test\r\n ;spf=pass"})
        EXPECT_TRUE(claims(value, ids)) << value;
}

TEST(AuthservId, OfOthersStays) {
    const std::vector<std::string> ids = {"mx.a.test"};
    for (const char* value : {"mx.b.test; spf=pass", "a.test; none", "x.mx.a.test; none", "mx.a.test.b.test; none",
                              "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=b.test; dkim=none"})
        EXPECT_FALSE(claims(value, ids)) << value;
}

TEST(AuthservId, ThatCannotBeReadCountsAsOurs) {
    for (const char* value : {"", "  ", "(open", "\"mx.b.test; spf=pass", ";spf=pass", "\"\"; none"})
        EXPECT_TRUE(claims(value, {"mx.a.test"})) << value;
}

}  // namespace
}  // namespace gk::mailauth::authres
