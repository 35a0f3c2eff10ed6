// SPDX-License-Identifier: MIT
#include "common/smtp_client/reply.hpp"
#include "common/smtp_client/session.hpp"

namespace gk::smtp_client {
namespace {

Result<Reply> parse(std::string_view bytes) {
    ReplyParser parser;
    auto reply = parser.feed(bytes);
    if (!reply) return fail(reply.error());
    if (!*reply) return fail(Errc::Closed, "unfinished");
    return **reply;
}

TEST(SmtpReply, ReadsOneLine) {
    const auto reply = parse("250 2.1.5 fine\r\n");
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->code, 250);
    EXPECT_EQ(reply->enhanced, "2.1.5");
    EXPECT_EQ(reply->text(), "250 2.1.5 fine");
}

TEST(SmtpReply, JoinsLinesAndKeepsOneEnhancedCode) {
    const auto reply = parse("550-5.7.1 not\r\n550-5.7.1 from\r\n550 5.7.1 you\r\n");
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->text(), "550 5.7.1 not from you");
    EXPECT_EQ(reply->status(), "5.7.1");
}

TEST(SmtpReply, ReadsTheSameAtEverySplit) {
    const std::string bytes = "250-one\r\n250-2.0.0 two\n250\r\n354 next";
    for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
        ReplyParser parser;
        std::string_view first = std::string_view(bytes).substr(0, cut), second = std::string_view(bytes).substr(cut);
        auto reply = parser.feed(first);
        ASSERT_TRUE(reply);
        if (!*reply) reply = parser.feed(second);
        ASSERT_TRUE(reply && *reply) << cut;
        EXPECT_EQ((*reply)->text(), "250 2.0.0 one two") << cut;
    }
}

TEST(SmtpReply, TakesNoMoreThanOneReply) {
    std::string_view bytes = "250 a\r\n550 b\r\n";
    ReplyParser parser;
    ASSERT_TRUE(*parser.feed(bytes));
    EXPECT_EQ(bytes, "550 b\r\n");
}

TEST(SmtpReply, RefusesWhatIsNone) {
    for (const std::string_view bytes :
         {"HTTP/1.1 200 OK\r\n", "25\r\n", "250x\r\n", "150 early\r\n", "650 late\r\n", "\r\n", "250-a\r\n251 b\r\n"})
        EXPECT_EQ(parse(bytes).error().code, Errc::BadInput) << bytes;
}

TEST(SmtpReply, IsBounded) {
    EXPECT_EQ(parse("250 " + std::string(10'000, 'x')).error().code, Errc::BadInput);
    std::string endless;
    for (int i = 0; i < 1000; ++i) endless += "250-more\r\n";
    EXPECT_EQ(parse(endless).error().code, Errc::BadInput);
}

TEST(SmtpReply, MakesHostileTextPrintable) {
    EXPECT_EQ(parse(std::string_view("550 a\x1b[31m\0b\r\n", 14))->text().find('\x1b'), std::string::npos);
}

TEST(SmtpReply, AnEnhancedCodeOfAnotherClassDoesNotCount) {
    EXPECT_EQ(parse("450 5.1.1 odd\r\n")->status(), "4.0.0");
    EXPECT_EQ(enhanced_code("5.1.1234 x"), "");
    EXPECT_EQ(enhanced_code("2.0.0"), "2.0.0");
    EXPECT_EQ(enhanced_code("3.0.0 x"), "");
}

TEST(SmtpCapabilities, AreReadFromEhlo) {
    const auto c = parse_capabilities(
        *parse("250-mx.test hello\r\n250-PIPELINING\r\n250-size 1000\r\n250-AUTH=LOGIN\r\n250-AUTH PLAIN\r\n"
               "250-LIMITS RCPTMAX=7 MAILMAX=3\r\n250-SMTPUTF8\r\n250 STARTTLS\r\n"));
    EXPECT_TRUE(c.pipelining && c.smtputf8 && c.starttls);
    EXPECT_EQ(c.size, 1000u);
    EXPECT_EQ(c.recipients, 7u);
    EXPECT_EQ(c.messages, 3u);
    EXPECT_EQ(c.auth, (std::vector<std::string>{"LOGIN", "PLAIN"}));
    EXPECT_FALSE(c.dsn);
}

TEST(DotStuffer, DoublesDotsAndEndsTheMessageAtEverySplit) {
    const std::string message = ".a\r\n..\r\nb.\r\n.\r\nlast";
    const std::string wanted = "..a\r\n...\r\nb.\r\n..\r\nlast\r\n.\r\n";
    for (std::size_t cut = 0; cut <= message.size(); ++cut) {
        DotStuffer stuffer;
        std::string out;
        stuffer.append(out, std::string_view(message).substr(0, cut));
        stuffer.append(out, std::string_view(message).substr(cut));
        stuffer.finish(out);
        EXPECT_EQ(out, wanted) << cut;
    }
}

TEST(DotStuffer, LetsNoBareLineEndsThrough) {
    const std::string message = "a\n.\r\nb\rc\r";
    for (std::size_t cut = 0; cut <= message.size(); ++cut) {
        DotStuffer stuffer;
        std::string out;
        stuffer.append(out, std::string_view(message).substr(0, cut));
        stuffer.append(out, std::string_view(message).substr(cut));
        stuffer.finish(out);
        EXPECT_EQ(out, "a\r\n..\r\nb c\r\n.\r\n") << cut;
    }
}

TEST(DotStuffer, AnEmptyMessageIsTheDotAlone) {
    DotStuffer stuffer;
    std::string out;
    stuffer.finish(out);
    EXPECT_EQ(out, ".\r\n");
}

}  // namespace
}  // namespace gk::smtp_client
