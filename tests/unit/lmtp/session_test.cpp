// SPDX-License-Identifier: MIT
#include "common/lmtp/session.hpp"

#include "tests/protocol/transcript.hpp"

namespace gk::lmtp {
namespace {

// Knows ann@a.test and ben@a.test, as the transcripts expect, and keeps what it is given.
class Mailroom final : public Receiver {
public:
    Reply recipient(const smtp::Mail&, const smtp::Rcpt& rcpt) override {
        const std::string address = rcpt.path.to_string();
        if (rcpt.path.domain != "a.test") return {551, "5.7.1", "not one of our domains"};
        if (address != "ann@a.test" && address != "ben@a.test") return {550, "5.1.1", "no such user"};
        ++accepted;
        return {250, "2.1.5", "recipient ok"};
    }
    void write(std::string_view bytes) override { message += bytes; }
    std::vector<Reply> finish() override {
        delivered.push_back(message);
        return std::vector<Reply>(replies_short ? accepted - 1 : accepted, Reply{250, "2.0.0", "delivered"});
    }
    void reset() noexcept override {
        ++resets;
        accepted = 0;
        message.clear();
    }

    std::string message;
    std::vector<std::string> delivered;
    std::size_t accepted = 0, resets = 0;
    bool replies_short = false;
};

struct Session {
    Mailroom mailroom;
    ServerSession session;
    explicit Session(const Limits& limits = {}) : session("mail.a.test", mailroom, limits) {}
    std::string say(std::string_view bytes) { return session.feed(bytes); }
    void begin() { say("LHLO mx.test\r\nMAIL FROM:<bob@b.test>\r\nRCPT TO:<ann@a.test>\r\n"); }
};

TEST(LmtpSession, AnswersEveryTranscriptTheSameAtEverySplit) {
    for (const auto& transcript : test::read_transcripts(test::source_directory() + "/tests/protocol/lmtp"))
        test::replay_at_every_split(transcript, [] {
            auto session = std::make_shared<Session>();
            auto greeted = std::make_shared<bool>(false);
            return [session, greeted](std::string_view bytes) {
                std::string heard = *greeted ? "" : session->session.greeting();
                *greeted = true;
                return heard + session->say(bytes);
            };
        });
}

TEST(LmtpSession, UndoesDotStuffingAtEverySplit) {
    const std::string stuffed = "a: b\r\n\r\n..one\r\n.two\r\n..\r\n...\r\nlast\r\n.\r\n";
    for (std::size_t cut = 0; cut <= stuffed.size(); ++cut) {
        Session s;
        s.begin();
        s.say("DATA\r\n");
        s.say(stuffed.substr(0, cut));
        s.say(stuffed.substr(cut));
        ASSERT_EQ(s.mailroom.delivered.size(), 1u) << cut;
        EXPECT_EQ(s.mailroom.delivered[0], "a: b\r\n\r\n.one\r\ntwo\r\n.\r\n..\r\nlast\r\n") << cut;
    }
}

TEST(LmtpSession, TakesAnEmptyMessage) {
    Session s;
    s.begin();
    EXPECT_EQ(s.say("DATA\r\n.\r\n"), "354 end with CRLF.CRLF\r\n250 2.0.0 delivered\r\n");
    EXPECT_EQ(s.mailroom.delivered, std::vector<std::string>{""});
}

TEST(LmtpSession, RefusesWhatIsLargerThanTheLimitAndKeepsNoneOfTheRest) {
    Limits limits;
    limits.max_size = 100;
    Session s(limits);
    s.begin();
    s.say("DATA\r\n");
    for (int i = 0; i < 100; ++i) s.say("0123456789012345678901234567890123456789\r\n");
    EXPECT_LE(s.mailroom.message.size(), 100u);
    EXPECT_EQ(s.say(".\r\n").substr(0, 9), "552 5.3.4");
    EXPECT_TRUE(s.mailroom.delivered.empty());
    EXPECT_EQ(s.say("MAIL FROM:<a@b.test> SIZE=101\r\n").substr(0, 9), "552 5.3.4");
}

TEST(LmtpSession, AnswersAnEndlessLineOnceAndHoldsNoneOfIt) {
    Session s;
    EXPECT_EQ(s.say(std::string(1'000'000, 'x')), "");
    EXPECT_EQ(s.say("\r\n").substr(0, 9), "500 5.5.2");
    EXPECT_EQ(s.say("NOOP\r\n").substr(0, 3), "250");
}

TEST(LmtpSession, RefusesRecipientsPastTheLimitForNow) {
    Limits limits;
    limits.max_recipients = 2;
    Session s(limits);
    s.begin();
    s.say("RCPT TO:<ben@a.test>\r\n");
    EXPECT_EQ(s.say("RCPT TO:<ann@a.test>\r\n").substr(0, 9), "452 4.5.3");
}

TEST(LmtpSession, EndsADialogueOfErrorsButCountsNoUnknownRecipients) {
    Limits limits;
    limits.max_errors = 5;
    Session s(limits);
    s.begin();
    for (int i = 0; i < 20; ++i) s.say("RCPT TO:<nobody@a.test>\r\n");
    EXPECT_FALSE(s.session.closed());
    for (int i = 0; i < 4; ++i) s.say("NONSENSE\r\n");
    EXPECT_FALSE(s.session.closed());
    EXPECT_NE(s.say("NONSENSE\r\n").find("421 4.7.0"), std::string::npos);
    EXPECT_TRUE(s.session.closed());
}

TEST(LmtpSession, NeverAnswersForARecipientThatTheMailroomForgot) {
    Session s;
    s.begin();
    s.say("RCPT TO:<ben@a.test>\r\n");
    s.mailroom.replies_short = true;
    EXPECT_EQ(s.say("DATA\r\nx: y\r\n\r\n.\r\n").substr(24),
              "250 2.0.0 delivered\r\n451 4.3.0 no answer for this recipient\r\n");
}

TEST(LmtpSession, AnswersNothingAfterQuit) {
    Session s;
    EXPECT_EQ(s.say("QUIT\r\nNOOP\r\n"), "221 2.0.0 bye\r\n");
    EXPECT_EQ(s.say("NOOP\r\n"), "");
}

TEST(LmtpSession, EndsTheTransactionWithEachMessage) {
    Session s;
    s.begin();
    s.say("DATA\r\nx: y\r\n.\r\n");
    EXPECT_EQ(s.mailroom.resets, 1u);
    EXPECT_FALSE(s.session.in_transaction());
    EXPECT_EQ(s.say("DATA\r\n").substr(0, 3), "503");
    s.say("MAIL FROM:<bob@b.test>\r\n");
    EXPECT_TRUE(s.session.in_transaction());
    s.say("LHLO again.test\r\n");
    EXPECT_FALSE(s.session.in_transaction());
}

}  // namespace
}  // namespace gk::lmtp
