// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <unistd.h>
#include <thread>

#include "common/lmtp_client/lmtp_client.hpp"

using namespace gk;
using namespace gk::lmtp_client;
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

// A server that answers by rote and writes down what it hears.
class Rote {
public:
    // Each answer is sent once HEARD ends with what it waits for.
    struct Turn {
        std::string until, answer;
    };
    explicit Rote(std::vector<Turn> turns) {
        int fds[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        client = std::make_unique<net::SocketStream>(os::Fd(fds[0]));
        thread_ = std::thread([this, fd = fds[1], turns = std::move(turns)] {
            net::SocketStream stream{os::Fd(fd)};
            char buffer[4096];
            for (const auto& turn : turns) {
                while (!heard.ends_with(turn.until)) {
                    const auto count = stream.read_some(buffer, 5s);
                    if (!count || *count == 0) return;
                    heard.append(buffer, *count);
                }
                (void)stream.write_all(turn.answer, 5s);
            }
        });
    }
    ~Rote() { join(); }
    void join() {
        if (thread_.joinable()) thread_.join();
    }
    std::unique_ptr<net::SocketStream> client;
    std::string heard;

private:
    std::thread thread_;
};

const Rote::Turn kGreeting{"", "220 ready\r\n"};
const Rote::Turn kFull{"LHLO mx.test\r\n",
                       "250-h\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-SIZE "
                       "1000\r\n250-DSN\r\n250-SMTPUTF8\r\n250-8BITMIME\r\n250-BINARYMIME\r\n250 XGKTRACE\r\n"};
const Rote::Turn kBare{"LHLO mx.test\r\n", "250-h\r\n250 PIPELINING\r\n"};

}  // namespace

TEST(LmtpClient, HandsOverInOneRoundTripAStep) {
    Rote rote({kGreeting,
               kFull,
               {"RCPT TO:<a@here.test> NOTIFY=NEVER ORCPT=rfc822;x\r\n", "250 2.1.0 ok\r\n250 2.1.5 ok\r\n"},
               {"RCPT TO:<b@here.test>\r\n", "550 5.1.1 no such user\r\n"},
               {"BDAT 5 LAST\r\nab\r\nc", "250-2.0.0 kept\r\n250 2.0.0 indeed\r\n"}});
    auto session = Session::over(std::move(rote.client), "mx.test", 5s).value();
    session->begin({"s@far.test", "T1", 5, true, "8BITMIME", "HDRS", "e1"});
    EXPECT_EQ(session->recipient({"a@here.test", "NEVER", "rfc822;x"}).value().code, 250);
    const auto refused = session->recipient({"b@here.test", "", ""}).value();
    EXPECT_EQ(refused.enhanced, "5.1.1");
    EXPECT_EQ(refused.text, "no such user");
    const auto replies = session->send({{"ab\r\n", "c"}}).value();
    ASSERT_EQ(replies.size(), 1u);
    EXPECT_EQ(replies[0].text, "kept\nindeed");
    rote.join();
    EXPECT_THAT(
        rote.heard,
        HasSubstr("MAIL FROM:<s@far.test> SIZE=5 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=e1 XGKTRACE=T1\r\nRCPT"));
}

TEST(LmtpClient, StuffsDotsForAServerWithoutChunking) {
    Rote rote({kGreeting,
               kBare,
               {"RCPT TO:<a@here.test>\r\n", "250 ok\r\n250 ok\r\n"},
               {"DATA\r\n", "354 go\r\n"},
               {"\r\n.\r\n", "250 ok\r\n"}});
    auto session = Session::over(std::move(rote.client), "mx.test", 5s).value();
    session->begin({"", "T1", 0, false, "", "", ""});
    EXPECT_TRUE(session->recipient({"a@here.test", "NEVER", ""}).value().positive());
    EXPECT_EQ(session->send({{".a\r\n", ".", "b"}}).value().size(), 1u);
    rote.join();
    EXPECT_THAT(rote.heard, HasSubstr("DATA\r\n..a\r\n..b\r\n.\r\n"));
    EXPECT_THAT(rote.heard, HasSubstr("MAIL FROM:<>\r\nRCPT TO:<a@here.test>\r\n"));
}

TEST(LmtpClient, AnswersEveryRecipientWithARefusedMail) {
    Rote rote({kGreeting, kFull, {"RCPT TO:<b@here.test>\r\n", "451 4.3.0 no\r\n503 5.5.1 no\r\n503 5.5.1 no\r\n"}});
    auto session = Session::over(std::move(rote.client), "mx.test", 5s).value();
    session->begin({"s@far.test", "", 0, false, "", "", ""});
    const auto replies = session->recipients({{"a@here.test", "", ""}, {"b@here.test", "", ""}}).value();
    ASSERT_EQ(replies.size(), 2u);
    EXPECT_EQ(replies[0].code, 451);
    EXPECT_EQ(replies[1].code, 451);
    EXPECT_EQ(session->accepted(), 0u);
}

TEST(LmtpClient, TakesA421ForTheEndOfTheSessionAndNotForAnAnswer) {
    for (const char* said : {"421 4.3.2 shutting down\r\n", "250 ok\r\n421 4.3.2 shutting down\r\n"}) {
        Rote rote({kGreeting, kFull, {"RCPT TO:<a@here.test>\r\n", said}});
        auto session = Session::over(std::move(rote.client), "mx.test", 5s).value();
        session->begin({"s@far.test", "", 0, false, "", "", ""});
        EXPECT_EQ(session->recipient({"a@here.test", "", ""}).error().code, Errc::Closed);
    }
}

TEST(LmtpClient, ResetsATransactionThatWasLeftOpen) {
    Rote rote({kGreeting,
               kFull,
               {"RCPT TO:<a@here.test>\r\n", "250 ok\r\n250 ok\r\n"},
               {"RCPT TO:<b@here.test>\r\n", "250 reset\r\n250 ok\r\n250 ok\r\n"}});
    auto session = Session::over(std::move(rote.client), "mx.test", 5s).value();
    session->begin({"s@far.test", "", 0, false, "", "", ""});
    EXPECT_TRUE(session->recipient({"a@here.test", "", ""}).value().positive());
    session->reset();
    session->begin({"s@far.test", "", 0, false, "", "", ""});
    EXPECT_TRUE(session->recipient({"b@here.test", "", ""}).value().positive());
    rote.join();
    EXPECT_THAT(rote.heard, HasSubstr("RSET\r\nMAIL FROM:<s@far.test>\r\nRCPT TO:<b@here.test>\r\n"));
}

TEST(LmtpClient, TakesNothingMalformedForAReply) {
    for (const char* wrong : {"hello\r\n", "99 x\r\n", "250-a\r\n550 b\r\n", "2500 x\r\n"}) {
        Rote rote(std::vector<Rote::Turn>{{"", wrong}});
        EXPECT_FALSE(Session::over(std::move(rote.client), "mx.test", 5s)) << wrong;
    }
}

TEST(LmtpClient, SendsTheFileBehindThePieces) {
    Rote rote({kGreeting, kFull, {"RCPT TO:<a@here.test>\r\n", "250 ok\r\n250 ok\r\n"}, {"THE END", "250 ok\r\n"}});
    auto session = Session::over(std::move(rote.client), "mx.test", 5s).value();
    session->begin({"s@far.test", "", 0, false, "", "", ""});
    ASSERT_TRUE(session->recipient({"a@here.test", "", ""}).value().positive());
    std::FILE* file = std::tmpfile();
    const std::string bytes = std::string(200'000, 'x') + "THE END";
    ASSERT_EQ(std::fwrite(bytes.data(), 1, bytes.size(), file), bytes.size());
    std::fflush(file);
    Content content;
    content.pieces = {"head"};
    content.file = ::fileno(file);
    content.file_size = bytes.size();
    EXPECT_TRUE(session->send(content));
    rote.join();
    EXPECT_THAT(rote.heard, HasSubstr("BDAT 200011 LAST\r\nheadxxx"));
    std::fclose(file);
}
