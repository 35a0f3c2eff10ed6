// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <unistd.h>
#include <filesystem>
#include <fstream>
#include <thread>

#include "common/auth/wire.hpp"
#include "common/base/ids.hpp"
#include "common/base/text.hpp"
#include "common/net/server.hpp"
#include "common/os/file.hpp"
#include "common/queue/spool.hpp"
#include "common/smtp/host.hpp"

using namespace gk;
using namespace gk::smtp;
using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

namespace {

// A gk-deliver that knows bob, ann and a few who fail in their own ways at here.test, and keeps what it is given.
class FakeDeliver {
public:
    explicit FakeDeliver(const std::string& path) {
        std::vector<net::Listener> listeners;
        listeners.push_back({net::listen_unix(path).value(), "lmtp", false});
        server_ = std::make_unique<net::Server>(
            std::move(listeners), net::ServerOptions{}, [this](net::Accepted accepted) { serve(*accepted.stream); },
            [](net::Accepted, net::Refusal) {});
        EXPECT_TRUE(server_->start());
    }
    std::vector<std::string> messages() {
        std::lock_guard lock(mutex_);
        return messages_;
    }
    std::string commands() {
        std::lock_guard lock(mutex_);
        return commands_;
    }
    std::atomic<bool> dies_at_content{false};

private:
    static std::string answer_to(const std::string& address) {
        if (!address.ends_with("@here.test") && address != "postmaster") return "551 5.7.1 not ours";
        if (address.starts_with("nobody")) return "550 5.1.1 no such user";
        return "250 2.1.5 ok";
    }
    void serve(net::SocketStream& stream) {
        stream.set_cancel(&server_->stop_flag());
        net::LineReader reader(stream, 4096);
        const auto say = [&](const std::string& text) { (void)stream.write_all(text + "\r\n", 5s); };
        say("220 h");
        std::vector<std::string> accepted;
        for (;;) {
            const auto line = reader.read_line(60s);
            if (!line) return;
            {
                std::lock_guard lock(mutex_);
                commands_ += *line + "\n";
            }
            if (line->starts_with("LHLO"))
                say("250-h\r\n250-CHUNKING\r\n250-DSN\r\n250-SMTPUTF8\r\n250-8BITMIME\r\n250 XGKTRACE");
            else if (line->starts_with("MAIL") || line->starts_with("RSET")) {
                accepted.clear();
                say("250 2.1.0 ok");
            } else if (line->starts_with("RCPT TO:<")) {
                const std::string address = line->substr(9, line->find('>') - 9);
                const std::string answer = answer_to(address);
                if (answer[0] == '2') accepted.push_back(address);
                say(answer);
            } else if (line->starts_with("BDAT ")) {
                const auto content = reader.read_exactly(text::to_uint(text::words(*line)[1]).value(), 60s);
                if (!content || dies_at_content) return;
                {
                    std::lock_guard lock(mutex_);
                    messages_.push_back(*content);
                }
                for (const auto& address : accepted)
                    say(address.starts_with("slow")  ? "452 4.2.2 full"
                        : address.starts_with("bad") ? "552 5.2.3 too large for me"
                                                     : "250 2.0.0 kept");
            }
        }
    }
    std::mutex mutex_;
    std::vector<std::string> messages_;
    std::string commands_;
    std::unique_ptr<net::Server> server_;
};

class SmtpHost : public testing::Test {
protected:
    SmtpHost() : root(testing::TempDir() + new_id()) {
        paths = config::Paths::under(root);
        EXPECT_TRUE(os::make_directories(paths.run));
        EXPECT_TRUE(queue::create_spool(paths.spool));
        EXPECT_TRUE(tls::make_self_signed("mx.test", {}, root + "/c.crt", root + "/c.key"));
        deliver = std::make_unique<FakeDeliver>(paths.run + "/lmtp.sock");
    }
    ~SmtpHost() override {
        server.reset();
        host.reset();
        deliver.reset();
        (void)os::remove_tree(root);
    }
    void start(const std::string& toml = "", const std::string& role = "smtp", net::ServerOptions options = {}) {
        const auto config = config::Config::parse("[server]\nhostname = \"mx.test\"\n" + toml, paths).value();
        tls = tls::ServerContext::create({{{root + "/c.crt", root + "/c.key"}}}).value();
        host = std::make_unique<Host>(config, HostSettings::from(config, true).value(), tls);
        auto fd = role == "submit" ? net::listen_unix(paths.run + "/submit.sock").value()
                                   : net::listen_tcp("127.0.0.1", 0).value();
        port = net::local_of(fd.get()).port;
        std::vector<net::Listener> listeners;
        listeners.push_back({std::move(fd), role, false});
        server = std::make_unique<net::Server>(
            std::move(listeners), std::move(options),
            [this](net::Accepted accepted) { host->serve(std::move(accepted)); },
            [this](net::Accepted accepted, net::Refusal refusal) { host->refuse(std::move(accepted), refusal); });
        host->set_server(server.get());
        ASSERT_TRUE(server->start());
    }
    std::unique_ptr<net::SocketStream> connect() { return net::connect_tcp("127.0.0.1", port, 5s).value(); }

    // Says BYTES and reads until WANTED replies have come, or the server has closed.
    static std::string talk(net::Stream& stream, std::string_view bytes, int wanted) {
        (void)stream.write_all(bytes, 10s);
        std::string heard;
        std::vector<char> buffer(65536);
        const auto complete = [&] {
            int replies = 0;
            for (std::size_t at = 0; at < heard.size();) {
                const auto end = heard.find("\r\n", at);
                if (end == std::string::npos) return false;
                if (heard[at + 3] == ' ') ++replies;
                at = end + 2;
            }
            return replies >= wanted;
        };
        while (wanted > 0 && !complete()) {
            const auto count = stream.read_some(buffer, 10s);
            if (!count || *count == 0) return heard + "(closed)";
            heard.append(buffer.data(), *count);
        }
        return heard;
    }
    std::vector<std::string> spooled() const {
        std::vector<std::string> files;
        const auto entries = os::list_directory(paths.spool + "/new").value();
        for (const auto& entry : entries) files.push_back(os::read_file(paths.spool + "/new/" + entry.name).value());
        return files;
    }
    static std::string envelope_of(const std::string& spooled) { return spooled.substr(0, spooled.find("Received:")); }

    std::string root;
    config::Paths paths;
    std::unique_ptr<FakeDeliver> deliver;
    std::shared_ptr<tls::ServerContext> tls;
    std::unique_ptr<Host> host;
    std::unique_ptr<net::Server> server;
    std::uint16_t port = 0;
};

constexpr std::string_view kHello = "EHLO client.test\r\nMAIL FROM:<ann@far.test>\r\n";

}  // namespace

TEST(SmtpHostSettings, ObservationsAreWrittenWhereDmarcReportsAreSentAlone) {
    const auto directory = [](const std::string& toml) {
        const auto config = config::Config::parse(toml, config::Paths::under("/r")).value();
        return HostSettings::from(config, true).value()->reports;
    };
    EXPECT_EQ(directory(""), "");
    EXPECT_EQ(directory("[reports]\nsender = \"r@a.test\"\ndmarc = false\n"), "");
    EXPECT_EQ(directory("[reports]\nsender = \"r@a.test\"\ntls = false\n"), "/r/spool/reports");
}

TEST_F(SmtpHost, HandsAMessageToDeliverWithItsReceivedField) {
    start();
    auto client = connect();
    talk(*client, std::string(kHello) + "RCPT TO:<bob@here.test>\r\nDATA\r\n", 5);
    EXPECT_THAT(talk(*client, "Subject: x\r\n\r\n..dot\r\n.\r\n", 1), StartsWith("250 2.0.0 ok "));
    ASSERT_EQ(deliver->messages().size(), 1u);
    EXPECT_THAT(deliver->messages()[0],
                AllOf(StartsWith("Received: from client.test ([127.0.0.1])\r\n\tby mx.test with ESMTP id "),
                      HasSubstr("\r\n\tfor <bob@here.test>;\r\n\t"), HasSubstr("\r\nSubject: x\r\n\r\n.dot\r\n")));
    EXPECT_THAT(deliver->messages()[0], Not(HasSubstr("Message-ID")));
    EXPECT_THAT(deliver->commands(), HasSubstr("MAIL FROM:<ann@far.test> XGKTRACE="));
    EXPECT_TRUE(spooled().empty());
}

TEST_F(SmtpHost, AProgramOfThisMachineSendsAsTheUserThatTheKernelNames) {
    start("", "submit");
    auto client = net::connect_unix(paths.run + "/submit.sock", 5s).value();
    const auto heard = talk(*client,
                            "EHLO localhost\r\nMAIL FROM:<root@here.test>\r\nRCPT TO:<bob@here.test>\r\n"
                            "RCPT TO:<zoe@far.test>\r\nRCPT TO:<nobody@here.test>\r\nAUTH PLAIN x\r\nDATA\r\n",
                            8);
    EXPECT_THAT(heard, AllOf(HasSubstr("250-FUTURERELEASE 2592000 "), Not(HasSubstr("AUTH PLAIN\r\n")),
                             Not(HasSubstr("STARTTLS")), HasSubstr("550 5.1.1")));
    EXPECT_THAT(talk(*client, "Subject: x\r\n\r\nhi\r\n.\r\n", 1), StartsWith("250 2.0.0 ok "));
    const std::string who = "uid " + std::to_string(::getuid());
    ASSERT_EQ(deliver->messages().size(), 1u);
    EXPECT_THAT(deliver->messages()[0], AllOf(StartsWith("Received: by mx.test (gk, from " + who + ") id "),
                                              HasSubstr("\r\nFrom: <root@here.test>\r\n")));
    ASSERT_EQ(spooled().size(), 1u);
    EXPECT_THAT(envelope_of(spooled()[0]), AllOf(HasSubstr("account=" + text::percent_encode(who) + "\n"),
                                                 HasSubstr("to=zoe@far.test"), Not(HasSubstr("bob@"))));
}

TEST_F(SmtpHost, WhatDeliverCannotSayNowIsQueuedForAProgramThatSendsOnce) {
    start("", "submit");
    deliver.reset();
    auto client = net::connect_unix(paths.run + "/submit.sock", 5s).value();
    talk(*client, "EHLO localhost\r\nMAIL FROM:<root@here.test>\r\nRCPT TO:<bob@here.test>\r\nDATA\r\n", 5);
    EXPECT_THAT(talk(*client, "Subject: x\r\n\r\nhi\r\n.\r\n", 1), StartsWith("250 2.0.0 ok "));
    ASSERT_EQ(spooled().size(), 1u);
    EXPECT_THAT(envelope_of(spooled()[0]), HasSubstr("to=bob@here.test\n"));
}

TEST_F(SmtpHost, WhatIsToBeHeldWaitsInTheQueueForOurRecipientsToo) {
    start("[smtp]\nfuture_release_max = \"1h\"\n", "submit");
    auto client = net::connect_unix(paths.run + "/submit.sock", 5s).value();
    EXPECT_THAT(talk(*client, "EHLO localhost\r\nMAIL FROM:<root@here.test> HOLDFOR=3601\r\n", 3),
                HasSubstr("501 5.5.4 messages are held for 3600 seconds at most"));
    talk(*client, "MAIL FROM:<root@here.test> HOLDFOR=1800\r\nRCPT TO:<bob@here.test>\r\nDATA\r\n", 3);
    EXPECT_THAT(talk(*client, "Subject: x\r\n\r\nhi\r\n.\r\n", 1), StartsWith("250 2.0.0 ok "));
    EXPECT_TRUE(deliver->messages().empty());
    ASSERT_EQ(spooled().size(), 1u);
    EXPECT_THAT(envelope_of(spooled()[0]), AllOf(HasSubstr("hold-until="), HasSubstr("to=bob@here.test\n")));
}

TEST(LocalSenders, ARowSaysWhomAUserMayWriteAs) {
    const auto senders =
        LocalSenders::from({{"1000", "ann@a.test @b.test"}, {"1001", ""}, {"*", "web@a.test"}}).value();
    for (const char* fine : {"ann@a.test", "ANN@A.test", "x@b.test"})
        EXPECT_TRUE(senders.may_send_as(1000, fine)) << fine;
    for (const char* wrong : {"bob@a.test", "x@sub.b.test", "web@a.test"})
        EXPECT_EQ(senders.may_send_as(1000, wrong).error().code, Errc::Denied) << wrong;
    EXPECT_FALSE(senders.may_send_as(1001, "web@a.test"));
    EXPECT_TRUE(senders.may_send_as(4242, "web@a.test"));
    EXPECT_FALSE(senders.may_send_as(4242, "ann@a.test"));
    EXPECT_TRUE(senders.may_send_as(0, "anybody@x.test"));
    EXPECT_TRUE(LocalSenders::from({}).value().may_send_as(4242, "ann@a.test"));
    EXPECT_FALSE(LocalSenders::from({{"1000", "*"}}).value().may_send_as(4242, "ann@a.test"));
    EXPECT_TRUE(LocalSenders::from({{"root", "*"}}));
    EXPECT_EQ(LocalSenders::from({{"no-such-user-here", "*"}}).error().code, Errc::Config);
}

TEST_F(SmtpHost, ReusesItsSessionWithDeliver) {
    start();
    auto client = connect();
    talk(*client, "EHLO c\r\n", 2);
    for (int i = 0; i < 3; ++i) {
        talk(*client, "MAIL FROM:<ann@far.test>\r\nRCPT TO:<bob@here.test>\r\nDATA\r\n", 3);
        EXPECT_THAT(talk(*client, "x\r\n.\r\n", 1), StartsWith("250"));
    }
    EXPECT_EQ(deliver->messages().size(), 3u);
    const auto commands = deliver->commands();
    EXPECT_EQ(commands.find("LHLO", 5), std::string::npos);
    EXPECT_THAT(commands, Not(HasSubstr("RSET")));
}

TEST_F(SmtpHost, FindsADeliverThatWasRestarted) {
    start();
    auto client = connect();
    talk(*client, "EHLO c\r\nMAIL FROM:<ann@far.test>\r\nRCPT TO:<bob@here.test>\r\nRSET\r\n", 5);
    deliver.reset();
    EXPECT_THAT(talk(*client, "MAIL FROM:<ann@far.test>\r\nRCPT TO:<bob@here.test>\r\nRSET\r\n", 3),
                HasSubstr("451 4.3.0"));
    deliver = std::make_unique<FakeDeliver>(paths.run + "/lmtp.sock");
    EXPECT_THAT(talk(*client, "MAIL FROM:<ann@far.test>\r\nRCPT TO:<bob@here.test>\r\n", 2), HasSubstr("250 2.1.5"));
}

TEST_F(SmtpHost, SpoolsTheRecipientsThatDeliverDefersOrFailsLate) {
    start();
    auto client = connect();
    talk(*client,
         std::string(kHello) +
             "RCPT TO:<bob@here.test>\r\nRCPT TO:<slow@here.test> NOTIFY=DELAY\r\nRCPT TO:<bad@here.test>\r\nDATA\r\n",
         7);
    EXPECT_THAT(talk(*client, "x\r\n.\r\n", 1), StartsWith("250"));
    const auto files = spooled();
    ASSERT_EQ(files.size(), 1u);
    EXPECT_THAT(envelope_of(files[0]), AllOf(HasSubstr("slow@here.test"), HasSubstr("bad@here.test"),
                                             HasSubstr("5.2.3"), Not(HasSubstr("bob@"))));
    EXPECT_THAT(files[0], HasSubstr("\r\nx\r\n"));
}

TEST_F(SmtpHost, SpoolsTheReportOfADeliveryThatWasAskedFor) {
    start();
    auto client = connect();
    talk(*client,
         std::string(kHello) +
             "RCPT TO:<bob@here.test> NOTIFY=SUCCESS,FAILURE\r\nRCPT TO:<ann@here.test> NOTIFY=FAILURE\r\nDATA\r\n",
         6);
    EXPECT_THAT(talk(*client, "x\r\n.\r\n", 1), StartsWith("250"));
    EXPECT_EQ(deliver->messages().size(), 1u);
    const auto files = spooled();
    ASSERT_EQ(files.size(), 1u);
    EXPECT_THAT(envelope_of(files[0]),
                AllOf(HasSubstr("bob@here.test"), HasSubstr("delivered="), Not(HasSubstr("ann@here.test"))));
    talk(*client, "MAIL FROM:<>\r\nRCPT TO:<bob@here.test> NOTIFY=SUCCESS\r\nDATA\r\n", 3);
    EXPECT_THAT(talk(*client, "x\r\n.\r\n", 1), StartsWith("250"));
    EXPECT_EQ(spooled().size(), 1u);
}

TEST_F(SmtpHost, RelaysTheReplyWhenAllRecipientsFail) {
    start();
    auto client = connect();
    talk(*client, std::string(kHello) + "RCPT TO:<bad@here.test>\r\nDATA\r\n", 5);
    EXPECT_EQ(talk(*client, "x\r\n.\r\n", 1), "552 5.2.3 too large for me\r\n");
    EXPECT_TRUE(spooled().empty());
}

TEST_F(SmtpHost, SpoolsAllWhenDeliverDiesInTheMessage) {
    start();
    deliver->dies_at_content = true;
    auto client = connect();
    talk(*client, std::string(kHello) + "RCPT TO:<bob@here.test>\r\nDATA\r\n", 5);
    EXPECT_THAT(talk(*client, "x\r\n.\r\n", 1), StartsWith("250"));
    EXPECT_EQ(spooled().size(), 1u);
}

TEST_F(SmtpHost, AnswersTempfailWhenTheMessageIsNotDurable) {
    start();
    deliver->dies_at_content = true;
    ASSERT_TRUE(os::remove_tree(paths.spool));
    ASSERT_TRUE(os::append_file(paths.spool, "no directory", false));
    auto client = connect();
    talk(*client, std::string(kHello) + "RCPT TO:<bob@here.test>\r\nDATA\r\n", 5);
    testing::internal::CaptureStderr();
    EXPECT_EQ(talk(*client, "x\r\n.\r\n", 1), "451 4.3.0 cannot store the message now\r\n");
    // The client is not told why; the administrator is.
    EXPECT_THAT(testing::internal::GetCapturedStderr(),
                AllOf(HasSubstr("message.deferred"), HasSubstr("Not a directory")));
}

TEST_F(SmtpHost, TakesALargeMessageThroughAFile) {
    start("[smtp]\nmemory_per_message = \"16k\"\n");
    auto client = connect();
    talk(*client, std::string(kHello) + "RCPT TO:<bob@here.test>\r\nRCPT TO:<slow@here.test>\r\nDATA\r\n", 6);
    std::string body;
    for (int i = 0; i < 20'000; ++i) body += "line " + std::to_string(i) + "\r\n";
    EXPECT_THAT(talk(*client, body + ".\r\n", 1), StartsWith("250"));
    ASSERT_EQ(deliver->messages().size(), 1u);
    EXPECT_TRUE(deliver->messages()[0].ends_with(body));
    ASSERT_EQ(spooled().size(), 1u);
    EXPECT_THAT(spooled()[0], HasSubstr(body));
    EXPECT_TRUE(os::list_directory(paths.spool + "/tmp").value().empty());
}

TEST_F(SmtpHost, RelaysForTheNetworksThatMay) {
    start("[smtp]\nrelay_networks = [\"127.0.0.0/8\"]\n");
    auto client = connect();
    talk(*client, std::string(kHello) + "RCPT TO:<zoe@far.test>\r\nDATA\r\n", 5);
    EXPECT_THAT(talk(*client, "x\r\n.\r\n", 1), StartsWith("250"));
    ASSERT_EQ(spooled().size(), 1u);
    EXPECT_THAT(envelope_of(spooled()[0]), HasSubstr("zoe@far.test"));
    EXPECT_TRUE(deliver->messages().empty());
}

TEST_F(SmtpHost, SpeaksTlsAfterStartTlsAndSaysSoInTheReceivedField) {
    start();
    auto plain = connect();
    talk(*plain, "EHLO c\r\nSTARTTLS\r\n", 3);
    const auto context = tls::ClientContext::create({}).value();
    auto client = tls::connect(std::move(plain), *context, "mx.test", 5s).value();
    talk(*client, std::string(kHello) + "RCPT TO:<bob@here.test>\r\nDATA\r\n", 4);
    EXPECT_THAT(talk(*client, "x\r\n.\r\n", 1), StartsWith("250"));
    EXPECT_THAT(deliver->messages().at(0), AllOf(HasSubstr("with ESMTPS id"), HasSubstr("\r\n\ttls TLS_")));
}

TEST_F(SmtpHost, ClosesWhenThePlainBytesBehindStartTlsAreNoHandshake) {
    start();
    auto client = connect();
    talk(*client, "EHLO c\r\n", 2);
    const auto heard = talk(*client, "STARTTLS\r\nMAIL FROM:<eve@far.test>\r\n", 1);
    EXPECT_THAT(heard, HasSubstr("220 2.0.0"));
    EXPECT_THAT(talk(*client, "RCPT TO:<bob@here.test>\r\nRSET\r\n", 2),
                AllOf(Not(HasSubstr("250")), HasSubstr("(closed)")));
}

TEST_F(SmtpHost, SaysItsLastWordToAClientThatIsStillSending) {
    start();
    auto client = connect();
    talk(*client, std::string(kHello) + "RCPT TO:<bob@here.test>\r\nDATA\r\n", 5);
    EXPECT_THAT(talk(*client, "bare\nline\r\n" + std::string(500'000, 'x'), 1), HasSubstr("521 5.5.2"));
}

TEST_F(SmtpHost, SendsASilentClientAway) {
    start("[smtp]\ncommand_timeout = \"1s\"\n");
    auto client = connect();
    EXPECT_THAT(talk(*client, "EHL", 3), HasSubstr("421 4.4.2"));
}

TEST_F(SmtpHost, SendsIdleClientsAwayWhenItStopsAndLetsAMessageEnd) {
    start();
    auto idle = connect(), busy = connect();
    talk(*idle, "", 1);
    talk(*busy, std::string(kHello) + "RCPT TO:<bob@here.test>\r\nDATA\r\n", 5);
    std::thread stopping([&] { EXPECT_TRUE(server->stop(10s)); });
    EXPECT_THAT(talk(*idle, "", 1), HasSubstr("421 4.3.2"));
    EXPECT_THAT(talk(*busy, "x\r\n.\r\n", 1), StartsWith("250"));
    stopping.join();
    EXPECT_EQ(deliver->messages().size(), 1u);
}

TEST_F(SmtpHost, AnswersAClientTooManyWith421) {
    net::ServerOptions options;
    options.max_connections = 1;
    start("", "smtp", std::move(options));
    auto first = connect();
    talk(*first, "", 1);
    auto second = connect();
    EXPECT_THAT(talk(*second, "", 1), StartsWith("421 4.7.0 mx.test"));
}

TEST_F(SmtpHost, DropsAClientWithoutTlsOnTheTlsPort) {
    start("", "submissions");
    auto client = connect();
    EXPECT_THAT(talk(*client, "EHLO c\r\n", 1), HasSubstr("(closed)"));
}

TEST_F(SmtpHost, CannotAuthenticateAnybodyWithoutAuthd) {
    start("[auth]\nplaintext_without_tls = true\n", "submission");
    auto client = connect();
    talk(*client, "EHLO c\r\n", 2);
    EXPECT_THAT(talk(*client, "STARTTLS\r\n", 1), StartsWith("220"));
    const auto context = tls::ClientContext::create({}).value();
    auto secured = tls::connect(std::move(client), *context, "mx.test", 5s).value();
    talk(*secured, "EHLO c\r\n", 1);
    EXPECT_THAT(talk(*secured, "AUTH PLAIN AGFubgBzZWNyZXQ=\r\n", 1), StartsWith("454 4.7.0"));
    EXPECT_THAT(talk(*secured, "MAIL FROM:<ann@here.test>\r\n", 1), StartsWith("530 5.7.0"));
}

TEST_F(SmtpHost, PutsAnEmptyLineBeforeContentThatWouldContinueItsOwnFields) {
    start();
    auto client = connect();
    talk(*client, "EHLO client.test\r\n", 2);
    for (const char* content : {"\tby forged.test\r\nSubject: x\r\n\r\n.\r\n", "no field at all\r\n\r\n.\r\n",
                                "quite a long line without any field\r\n.\r\n"}) {
        talk(*client, "MAIL FROM:<ann@far.test>\r\nRCPT TO:<bob@here.test>\r\nDATA\r\n", 3);
        EXPECT_THAT(talk(*client, content, 1), StartsWith("250"));
    }
    const auto messages = deliver->messages();
    ASSERT_EQ(messages.size(), 3u);
    EXPECT_THAT(messages[0], HasSubstr("\r\n\r\n\tby forged.test\r\n"));
    EXPECT_THAT(messages[1], HasSubstr("\r\n\r\nno field"));
    EXPECT_THAT(messages[2], HasSubstr("\r\n\r\nquite a long"));
}

TEST_F(SmtpHost, DoesNotWriteAHeloThatIsNotAsciiIntoAMessageThatIs) {
    start();
    auto client = connect();
    talk(*client,
         "EHLO b\xC3\xBC"
         "ro\r\nMAIL FROM:<ann@far.test>\r\nRCPT TO:<bob@here.test>\r\nDATA\r\n",
         5);
    EXPECT_THAT(talk(*client, "Subject: x\r\n\r\n.\r\n", 1), StartsWith("250"));
    EXPECT_THAT(deliver->messages().at(0), StartsWith("Received: from unknown ([127.0.0.1])"));
}

namespace {

// A gk-authd that lets ann in with any password, and send as ann and as sales.
class FakeAuthd {
public:
    explicit FakeAuthd(const std::string& path) {
        std::vector<net::Listener> listeners;
        listeners.push_back({net::listen_unix(path).value(), "auth", false});
        server_ = std::make_unique<net::Server>(
            std::move(listeners), net::ServerOptions{}, [this](net::Accepted accepted) { serve(*accepted.stream); },
            [](net::Accepted, net::Refusal) {});
        EXPECT_TRUE(server_->start());
    }
    std::atomic<int> asked{0};

private:
    void serve(net::SocketStream& stream) {
        stream.set_cancel(&server_->stop_flag());
        net::LineReader reader(stream, auth::kMaxLine);
        for (;;) {
            const auto line = reader.read_line(60s);
            if (!line) return;
            const auto request = auth::parse_request(*line);
            auth::Reply reply;
            reply.kind = auth::Reply::Kind::Ok;
            if (std::holds_alternative<auth::Begin>(*request)) reply.user = "ann@here.test";
            if (const auto* sender = std::get_if<auth::Sender>(&*request)) {
                ++asked;
                if (sender->user != "ann@here.test" ||
                    (sender->address != "ann@here.test" && sender->address != "sales@here.test")) {
                    reply.kind = auth::Reply::Kind::Fail;
                    reply.code = auth::FailCode::Denied;
                }
            }
            (void)stream.write_all(auth::format_reply(reply), 5s);
        }
    }
    std::unique_ptr<net::Server> server_;
};

class Submission : public SmtpHost {
protected:
    // Logs in without TLS, which the configuration permits.
    void log_in(const std::string& toml = "") {
        authd = std::make_unique<FakeAuthd>(paths.run + "/auth.sock");
        start("[auth]\nplaintext_without_tls = true\n" + toml, "submission");
        client = connect();
        EXPECT_THAT(talk(*client, "EHLO c\r\nAUTH PLAIN AGFubgBzZWNyZXQ=\r\n", 3), HasSubstr("235 2.7.0"));
    }
    std::string submit(const std::string& message) {
        talk(*client, "MAIL FROM:<ann@here.test>\r\nRCPT TO:<bob@here.test>\r\nDATA\r\n", 3);
        return talk(*client, message + ".\r\n", 1);
    }
    std::unique_ptr<FakeAuthd> authd;
    std::unique_ptr<net::SocketStream> client;
};

}  // namespace

TEST_F(Submission, TakesMailWithoutTlsWherePasswordsAreTakenSo) {
    log_in();
    EXPECT_THAT(submit("From: ann@here.test\r\n\r\nx\r\n"), StartsWith("250"));
}

TEST_F(Submission, RefusesAFromThatIsNotTheAccounts) {
    log_in();
    EXPECT_THAT(submit("From: Ann <ann@here.test>\r\n\r\nx\r\n"), StartsWith("250"));
    EXPECT_THAT(submit("FROM :\r\n\tSales <sales@here.test>\r\n\r\nx\r\n"), StartsWith("250"));
    EXPECT_EQ(authd->asked, 2);  // and remembered
    for (const char* header :
         {"From: boss@here.test\r\n", "From: ann@here.test, boss@here.test\r\n",
          "from: \"ann@here.test\"\r\n <boss@here.test>\r\n", "From: ann@here.test\r\nFROM: boss@here.test\r\n",
          "Subject: x\r\nFrom\t: boss@here.test\r\n"})
        EXPECT_THAT(submit(std::string(header) + "\r\nx\r\n"),
                    StartsWith("550 5.7.1 you may not write as boss@here.test"))
            << header;
    EXPECT_THAT(submit("From: nobody at all\r\n\r\nx\r\n"), StartsWith("550 5."));
    EXPECT_THAT(submit("From: ann@here.test" + std::string(20'000, ' ') + "\r\n\r\nx\r\n"), StartsWith("550 5.6.0"));
    EXPECT_EQ(deliver->messages().size(), 2u);
    // What stands in the body is text.
    EXPECT_THAT(submit("From: ann@here.test\r\n\r\nFrom: boss@here.test\r\n"), StartsWith("250"));
}

TEST_F(Submission, TakesAnyFromWhereToldTo) {
    log_in("[smtp]\ncheck_from = false\n");
    EXPECT_THAT(submit("From: boss@here.test\r\n\r\nx\r\n"), StartsWith("250"));
}

TEST_F(Submission, AddsDateMessageIdAndFromWhereTheyAreMissing) {
    log_in();
    EXPECT_THAT(submit("Subject: x\r\n\r\nx\r\n"), StartsWith("250"));
    EXPECT_THAT(submit("just text\r\n"), StartsWith("250"));
    const auto messages = deliver->messages();
    ASSERT_EQ(messages.size(), 2u);
    EXPECT_THAT(messages[0], AllOf(HasSubstr("\r\nDate: "), HasSubstr("\r\nMessage-ID: <"),
                                   HasSubstr("\r\nFrom: <ann@here.test>\r\nSubject: x\r\n")));
    EXPECT_THAT(messages[1], HasSubstr("\r\nFrom: <ann@here.test>\r\n\r\njust text\r\n"));
}
