// SPDX-License-Identifier: MIT
#include "common/smtp_client/session.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/smtp_client/scripted_peer.hpp"

namespace gk::smtp_client {
namespace {

using testing::Behaviour;
using testing::ScriptedPeer;

constexpr std::string_view kMessage = "Subject: hi\r\n\r\n.dot\r\nend\r\n";

Options options() {
    Options o;
    o.helo = "client.test";
    o.tls_context = *tls::ClientContext::create({});
    o.timeouts.command = milliseconds(1500);
    o.timeouts.data_end = milliseconds(1500);
    o.timeouts.handshake = milliseconds(1500);
    return o;
}

Result<std::unique_ptr<Session>> open(ScriptedPeer& peer, const Options& o = options()) {
    return Session::open([&] { return net::connect_tcp("127.0.0.1", peer.port(), milliseconds(1000)); }, o);
}

Transaction transaction(std::vector<std::string> recipients = {"b@b.test"}) {
    Transaction t;
    t.reverse_path = "a@a.test";
    for (auto& r : recipients) t.recipients.push_back({r, "", ""});
    t.size = kMessage.size();
    return t;
}

Source source(std::string message = std::string(kMessage)) {
    return [message](std::uint64_t offset, std::size_t count) -> Result<std::string> {
        return offset >= message.size() ? "" : message.substr(offset, count);
    };
}

std::shared_ptr<tls::ServerContext> server_tls() {
    static const std::shared_ptr<tls::ServerContext> context = [] {
        const std::string base = "/tmp/gk-unit-smtp-client-" + std::to_string(::getpid());
        (void)tls::make_self_signed("peer.test", {"peer.test"}, base + ".crt", base + ".key");
        auto made = tls::ServerContext::create({{{base + ".crt", base + ".key"}}});
        ::unlink((base + ".crt").c_str());
        ::unlink((base + ".key").c_str());
        return *made;
    }();
    return context;
}

TEST(SmtpSession, DeliversAMessageExactly) {
    ScriptedPeer peer;
    auto session = open(peer);
    ASSERT_TRUE(session) << session.error().text;
    const auto outcome = (*session)->send(transaction(), source());
    EXPECT_EQ(outcome.verdicts[0].kind, Verdict::Kind::Delivered);
    EXPECT_TRUE(outcome.reusable);
    (*session)->quit();
    peer.stop();
    ASSERT_EQ(peer.received().size(), 1u);
    EXPECT_EQ(peer.received()[0].data, kMessage);
    EXPECT_EQ(peer.received()[0].mail, fmt::format("MAIL FROM:<a@a.test> SIZE={}", kMessage.size()));
    EXPECT_EQ(peer.commands().back(), "QUIT");
}

TEST(SmtpSession, CarriesSeveralMessages) {
    ScriptedPeer peer;
    auto session = open(peer);
    ASSERT_TRUE(session);
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ((*session)->send(transaction(), source()).verdicts[0].kind, Verdict::Kind::Delivered);
    EXPECT_EQ(peer.received().size(), 3u);
    EXPECT_EQ(peer.connections(), 1);
}

TEST(SmtpSession, PassesDsnParametersOnlyWhereTheyAreUnderstood) {
    for (const bool dsn : {true, false}) {
        ScriptedPeer peer([&](int) {
            Behaviour b;
            if (!dsn) b.ehlo = {"peer.test"};
            return b;
        });
        auto session = open(peer);
        ASSERT_TRUE(session);
        auto t = transaction();
        t.ret = "HDRS";
        t.envid = "QQ314159";
        t.recipients[0].notify = "SUCCESS,DELAY";
        t.recipients[0].orcpt = "rfc822;Bob@b.test";
        const auto outcome = (*session)->send(t, source());
        EXPECT_EQ(outcome.dsn_relayed, dsn);
        const auto received = peer.received().at(0);
        EXPECT_EQ(received.mail.find("RET=HDRS ENVID=QQ314159") != std::string::npos, dsn);
        EXPECT_EQ(received.rcpt.at(0).find("NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob@b.test") != std::string::npos, dsn);
    }
}

TEST(SmtpSession, GivesEachRecipientItsVerdict) {
    ScriptedPeer peer([](int) {
        Behaviour b;
        b.replies["RCPT TO:<no@b.test>"] = "550-5.1.1 no\r\n550 5.1.1 such user\r\n";
        b.replies["RCPT TO:<late@b.test>"] = "451 4.7.1 later\r\n";
        return b;
    });
    auto session = open(peer);
    ASSERT_TRUE(session);
    const auto outcome = (*session)->send(transaction({"no@b.test", "yes@b.test", "late@b.test"}), source());
    EXPECT_EQ(outcome.verdicts[0].kind, Verdict::Kind::Failed);
    EXPECT_EQ(outcome.verdicts[0].text, "550 5.1.1 no such user");
    EXPECT_EQ(outcome.verdicts[0].status, "5.1.1");
    EXPECT_EQ(outcome.verdicts[1].kind, Verdict::Kind::Delivered);
    EXPECT_EQ(outcome.verdicts[2].kind, Verdict::Kind::Deferred);
    EXPECT_EQ(peer.received().at(0).rcpt.size(), 1u);
}

TEST(SmtpSession, SendsThousandsOfRecipientsWithoutBlocking) {
    ScriptedPeer peer([](int) {
        Behaviour b;
        b.replies["RCPT"] = "250 2.1.5 " + std::string(900, 'x') + "\r\n";
        return b;
    });
    auto session = open(peer);
    ASSERT_TRUE(session);
    std::vector<std::string> many;
    for (int i = 0; i < 3000; ++i) many.push_back(fmt::format("user{}@b.test", i));
    const auto outcome = (*session)->send(transaction(many), source());
    for (const auto& verdict : outcome.verdicts) ASSERT_EQ(verdict.kind, Verdict::Kind::Delivered);
}

TEST(SmtpSession, LmtpAnswersForEachRecipient) {
    ScriptedPeer peer([](int) {
        Behaviour b;
        b.lmtp = true;
        b.replies["RCPT TO:<full@b.test>"] = "250 2.1.5 ok\r\n";
        return b;
    });
    auto o = options();
    o.lmtp = true;
    auto session = open(peer, o);
    ASSERT_TRUE(session);
    const auto outcome = (*session)->send(transaction({"x@b.test", "y@b.test"}), source());
    EXPECT_EQ(outcome.verdicts[0].kind, Verdict::Kind::Delivered);
    EXPECT_EQ(outcome.verdicts[1].kind, Verdict::Kind::Delivered);
    EXPECT_EQ(peer.commands()[0], "LHLO client.test");
}

TEST(SmtpSession, UsesTlsWhereOffered) {
    ScriptedPeer peer([](int) {
        Behaviour b;
        b.ehlo.push_back("STARTTLS");
        b.tls = server_tls();
        return b;
    });
    auto session = open(peer);
    ASSERT_TRUE(session) << session.error().text;
    EXPECT_THAT((*session)->tls_text(), ::testing::StartsWith("TLSv1.3"));
    EXPECT_EQ((*session)->send(transaction(), source()).verdicts[0].kind, Verdict::Kind::Delivered);
    EXPECT_TRUE(peer.received().at(0).tls);
}

TEST(SmtpSession, FallsBackToPlainTextWhenOpportunisticTlsFails) {
    ScriptedPeer peer([](int) {
        Behaviour b;
        b.ehlo.push_back("STARTTLS");
        b.break_tls = true;
        return b;
    });
    auto session = open(peer);
    ASSERT_TRUE(session) << session.error().text;
    EXPECT_EQ((*session)->tls_text(), "");
    EXPECT_NE((*session)->tls_failure(), "");
    EXPECT_EQ((*session)->send(transaction(), source()).verdicts[0].kind, Verdict::Kind::Delivered);
    EXPECT_EQ(peer.connections(), 2);
}

TEST(SmtpSession, RequiredTlsDoesNotFallBack) {
    for (const bool offered : {true, false}) {
        ScriptedPeer peer([&](int) {
            Behaviour b;
            if (offered) b.ehlo.push_back("STARTTLS");
            b.break_tls = true;
            return b;
        });
        auto o = options();
        o.tls = TlsPolicy::Required;
        auto session = open(peer, o);
        ASSERT_FALSE(session);
        EXPECT_NE(session.error().code, Errc::Permanent);
        peer.stop();
        EXPECT_TRUE(peer.received().empty());
    }
}

TEST(SmtpSession, DoesNotTakeBytesSentInPlainTextBehindStartTls) {
    ScriptedPeer peer([](int) {
        Behaviour b;
        b.ehlo.push_back("STARTTLS");
        b.replies["STARTTLS"] = "220 go\r\n250-peer.test\r\n250 AUTH PLAIN\r\n";
        b.tls = server_tls();
        return b;
    });
    auto o = options();
    o.tls = TlsPolicy::Required;
    EXPECT_FALSE(open(peer, o));
}

TEST(SmtpSession, LogsInAtASmarthostOverTlsOnly) {
    const auto behave = [](int) {
        Behaviour b;
        b.ehlo = {"peer.test", "STARTTLS", "AUTH PLAIN", "PIPELINING"};
        b.tls = server_tls();
        b.replies["AUTH"] = "535 5.7.8 no\r\n";
        b.replies["AUTH PLAIN " + text::to_base64(std::string("\0user\0right", 11))] = "235 2.7.0 welcome\r\n";
        return b;
    };
    for (const bool right : {true, false}) {
        ScriptedPeer peer(behave);
        auto o = options();
        o.credentials = Credentials{"user", right ? "right" : "wrong"};
        const auto session = open(peer, o);
        EXPECT_EQ(session.has_value(), right) << (session ? "" : session.error().text);
        EXPECT_TRUE(right || session.error().code == Errc::Denied);
    }
    ScriptedPeer peer(behave);
    auto o = options();
    o.tls = TlsPolicy::Never;
    o.credentials = Credentials{"user", "right"};
    EXPECT_FALSE(open(peer, o));
    peer.stop();
    for (const auto& line : peer.commands()) EXPECT_THAT(line, ::testing::Not(::testing::StartsWith("AUTH")));
}

TEST(SmtpSession, TakesNoReplyThatNothingAskedForForTheNextOne) {
    const auto behave = [](const std::string& verb, const std::string& replies) {
        return [=](int) {
            Behaviour b;
            b.ehlo = {"peer.test"};  // without PIPELINING: each reply is waited for
            b.replies[verb] = replies;
            return b;
        };
    };
    // A reply too many in the middle: every later one would be taken for that of the command before.
    ScriptedPeer early(behave("MAIL", "250 ok\r\n250 once more\r\n"));
    auto session = open(early);
    ASSERT_TRUE(session) << session.error().text;
    auto outcome = (*session)->send(transaction({"b@b.test", "c@b.test"}), source());
    EXPECT_EQ(outcome.verdicts[0].kind, Verdict::Kind::Deferred);
    EXPECT_FALSE(outcome.reusable);
    // At the end: this message is delivered, and the session is over.
    ScriptedPeer late(behave(".", "250 taken\r\n250 once more\r\n"));
    session = open(late);
    ASSERT_TRUE(session) << session.error().text;
    outcome = (*session)->send(transaction(), source());
    EXPECT_EQ(outcome.verdicts[0].kind, Verdict::Kind::Delivered);
    EXPECT_FALSE(outcome.reusable);
}

TEST(SmtpSession, AReplyTooManyAmongPipelinedOnesFailsNobody) {
    // In one write, so that none is under way: by it the last refusal stands where the answer to DATA is read, and that
    // of <no@b.test> would be the next one's.
    ScriptedPeer peer([](int connection) {
        Behaviour b;
        b.replies["RCPT TO:<b@b.test>"] = connection == 0
                                              ? "250 once more\r\n250 ok\r\n550 5.1.1 no\r\n354 go\r\n"
                                              : "250 once more\r\n250 ok\r\n550 5.1.1 no\r\n250 ok\r\n354 go\r\n";
        for (const char* silent : {"RCPT TO:<no@b.test>", "RCPT TO:<c@b.test>", "DATA"}) b.replies[silent] = "";
        return b;
    });
    for (const auto& recipients :
         {std::vector<std::string>{"b@b.test", "no@b.test"}, {"b@b.test", "no@b.test", "c@b.test"}}) {
        auto session = open(peer);
        ASSERT_TRUE(session) << session.error().text;
        const auto outcome = (*session)->send(transaction(recipients), source());
        for (const auto& verdict : outcome.verdicts) EXPECT_EQ(verdict.kind, Verdict::Kind::Deferred) << verdict.text;
        EXPECT_FALSE(outcome.reusable);
    }
}

TEST(SmtpSession, FallsBackToHelo) {
    ScriptedPeer peer([](int) {
        Behaviour b;
        b.replies["EHLO client.test"] = "502 5.5.1 what\r\n";
        return b;
    });
    auto session = open(peer);
    ASSERT_TRUE(session) << session.error().text;
    EXPECT_EQ((*session)->send(transaction(), source()).verdicts[0].kind, Verdict::Kind::Delivered);
}

TEST(SmtpSession, AGreetingThatRefusesSaysSo) {
    ScriptedPeer peer([](int) {
        Behaviour b;
        b.greeting = "554-5.7.1 go\r\n554 5.7.1 away\r\n";
        return b;
    });
    const auto session = open(peer);
    ASSERT_FALSE(session);
    EXPECT_EQ(session.error().code, Errc::Permanent);
    EXPECT_EQ(session.error().text, "greeting: 554 5.7.1 go away");
}

TEST(SmtpSession, IsDeferredWhereverThePeerHangsUp) {
    for (const char* where : {"MAIL", "RCPT", "DATA", "bytes", "."}) {
        ScriptedPeer peer([&](int) {
            Behaviour b;
            b.drop_at = where;
            return b;
        });
        auto session = open(peer);
        ASSERT_TRUE(session);
        const auto outcome = (*session)->send(transaction(), source());
        EXPECT_EQ(outcome.verdicts[0].kind, Verdict::Kind::Deferred) << where;
        EXPECT_FALSE(outcome.reusable) << where;
        EXPECT_NE(outcome.verdicts[0].text, "") << where;
    }
    for (const char* where : {"connect", "EHLO"}) {
        ScriptedPeer peer([&](int) {
            Behaviour b;
            b.drop_at = where;
            return b;
        });
        EXPECT_FALSE(open(peer)) << where;
    }
}

TEST(SmtpSession, AnswersOfEveryClassCountAsTheRfcSays) {
    struct Case {
        const char* verb;
        const char* reply;
        Verdict::Kind kind;
    };
    const Case cases[] = {{"MAIL", "451 4.3.0 no\r\n", Verdict::Kind::Deferred},
                          {"MAIL", "550 5.7.1 no\r\n", Verdict::Kind::Failed},
                          {"RCPT", "452 many\r\n", Verdict::Kind::Deferred},
                          {"RCPT", "552 many\r\n", Verdict::Kind::Deferred},
                          {"RCPT", "552 5.2.2 full\r\n", Verdict::Kind::Failed},
                          {"DATA", "451 no\r\n", Verdict::Kind::Deferred},
                          {"DATA", "554 no\r\n", Verdict::Kind::Failed},
                          {"DATA", "250 what\r\n", Verdict::Kind::Deferred},
                          {".", "451 no\r\n", Verdict::Kind::Deferred},
                          {".", "554 5.6.0 no\r\n", Verdict::Kind::Failed},
                          {".", "354 what\r\n", Verdict::Kind::Deferred},
                          {"MAIL", "421 4.3.2 closing\r\n", Verdict::Kind::Deferred},
                          {"RCPT", "421 closing\r\n", Verdict::Kind::Deferred},
                          {"RCPT", "junk\r\n", Verdict::Kind::Deferred}};
    for (const auto& c : cases) {
        ScriptedPeer peer([&](int) {
            Behaviour b;
            b.replies[c.verb] = c.reply;
            return b;
        });
        auto session = open(peer);
        ASSERT_TRUE(session);
        const auto outcome = (*session)->send(transaction(), source());
        EXPECT_EQ(outcome.verdicts[0].kind, c.kind) << c.verb << " " << c.reply;
    }
}

TEST(SmtpSession, ASilentPeerIsTimedOut) {
    ScriptedPeer peer([](int) {
        Behaviour b;
        b.replies["."] = "250-endless\r\n";
        return b;
    });
    auto o = options();
    o.timeouts.data_end = milliseconds(300);
    auto session = open(peer, o);
    ASSERT_TRUE(session);
    const auto outcome = (*session)->send(transaction(), source());
    EXPECT_EQ(outcome.verdicts[0].kind, Verdict::Kind::Deferred);
    EXPECT_EQ(outcome.verdicts[0].status, "4.4.1");
}

TEST(SmtpSession, RefusesBeforehandWhatThePeerCannotTake) {
    ScriptedPeer peer;
    auto session = open(peer);
    ASSERT_TRUE(session);
    auto utf8 = transaction({"jürgen@b.test"});
    EXPECT_EQ((*session)->send(utf8, source()).verdicts[0].status, "5.6.7");
    auto large = transaction();
    large.size = 20'000'000;
    EXPECT_EQ((*session)->send(large, source()).verdicts[0].status, "5.3.4");
    auto binary = transaction();
    binary.binary = true;
    EXPECT_EQ((*session)->send(binary, source()).verdicts[0].status, "5.6.3");
    EXPECT_EQ((*session)->send(transaction(), source()).verdicts[0].kind, Verdict::Kind::Delivered);
}

TEST(SmtpSession, SendsBinaryContentByBdat) {
    ScriptedPeer peer([](int) {
        Behaviour b;
        b.ehlo = {"peer.test", "CHUNKING", "BINARYMIME"};
        return b;
    });
    auto session = open(peer);
    ASSERT_TRUE(session);
    const std::string bytes("a\n.\r\n\0b\r", 8);
    auto t = transaction();
    t.binary = true;
    t.size = bytes.size();
    // The scripted peer answers BDAT before it reads the bytes, which a client must survive.
    EXPECT_EQ((*session)->send(t, source(bytes)).verdicts[0].kind, Verdict::Kind::Delivered);
    (*session)->quit();
    peer.stop();
    EXPECT_EQ(peer.received().at(0).data, bytes);
}

TEST(SmtpSession, ADeadIdleSessionIsStale) {
    ScriptedPeer peer([](int) {
        Behaviour b;
        b.drop_at = "RSET";
        return b;
    });
    auto o = options();
    o.timeouts.fresh = milliseconds(0);
    auto session = open(peer, o);
    ASSERT_TRUE(session);
    EXPECT_EQ((*session)->send(transaction(), source()).verdicts[0].kind, Verdict::Kind::Delivered);
    EXPECT_TRUE((*session)->send(transaction(), source()).stale);
}

TEST(SmtpSession, WhatHasJustTakenAMessageIsAskedAtOnceForTheNext) {
    for (const bool pipelining : {true, false}) {
        ScriptedPeer peer([&](int) {
            Behaviour b;
            if (!pipelining) b.ehlo = {"peer.test"};
            return b;
        });
        auto session = open(peer);
        ASSERT_TRUE(session);
        for (int i = 0; i < 3; ++i)
            EXPECT_EQ((*session)->send(transaction(), source()).verdicts[0].kind, Verdict::Kind::Delivered);
        EXPECT_THAT(peer.commands(), ::testing::Not(::testing::Contains("RSET")));
        (*session)->quit();
        peer.stop();
        EXPECT_EQ(peer.received().size(), 3u);
    }
}

// Nothing was taken: the next connection may try.
TEST(SmtpSession, ASessionThatEndsBetweenTwoMessagesIsStale) {
    for (const bool pipelining : {true, false}) {
        ScriptedPeer peer([&](int) {
            Behaviour b;
            if (!pipelining) b.ehlo = {"peer.test"};
            b.drop_at = "MAIL FROM:<second@a.test>";
            return b;
        });
        auto session = open(peer);
        ASSERT_TRUE(session);
        EXPECT_EQ((*session)->send(transaction(), source()).verdicts[0].kind, Verdict::Kind::Delivered);
        auto second = transaction();
        second.reverse_path = "second@a.test";
        EXPECT_TRUE((*session)->send(second, source()).stale);
    }
}

// RFC 2920, 3.1
TEST(SmtpSession, AServerThatGoesOnWithoutARecipientGetsNoMessage) {
    for (const std::string end : {"554 5.5.1 no valid recipients\r\n", "250 2.0.0 taken\r\n"}) {
        ScriptedPeer peer([&](int) {
            Behaviour b;
            b.replies = {{"RCPT", "550 5.1.1 no such user\r\n"}, {"DATA", "354 go on\r\n"}, {".", end}};
            return b;
        });
        auto session = open(peer);
        ASSERT_TRUE(session);
        const auto outcome = (*session)->send(transaction(), source());
        EXPECT_EQ(outcome.verdicts[0].kind, Verdict::Kind::Failed);
        EXPECT_EQ(outcome.verdicts[0].status, "5.1.1");
        EXPECT_EQ(outcome.reusable, end[0] == '5');
        (*session)->quit();
        peer.stop();
        ASSERT_EQ(peer.received().size(), 1u);
        EXPECT_EQ(peer.received()[0].data, "");
    }
}

TEST(SmtpSession, AKeptSessionThatIsSilentIsStaleLongBeforeACommandTimesOut) {
    for (const bool pipelining : {true, false}) {
        ScriptedPeer peer([pipelining](int) {
            Behaviour b;
            if (!pipelining) b.ehlo = {"peer.test"};
            // One reply to all three commands, which never ends.
            b.replies["RSET"] = "250-endless\r\n250-";
            b.replies["RCPT TO:<carl@b.test>"] = "250-more\r\n";
            return b;
        });
        auto o = options();
        o.timeouts.command = milliseconds(60'000);
        o.timeouts.reuse = milliseconds(100);
        o.timeouts.fresh = milliseconds(0);
        auto session = open(peer, o);
        ASSERT_TRUE(session);
        EXPECT_EQ((*session)->send(transaction({"dora@b.test"}), source()).verdicts[0].kind, Verdict::Kind::Delivered);
        const auto begun = std::chrono::steady_clock::now();
        EXPECT_TRUE((*session)->send(transaction({"carl@b.test"}), source()).stale);
        EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(10));
    }
}

TEST(SmtpSession, SendsInChunksWhereThePeerTakesThem) {
    ScriptedPeer peer([](int) {
        Behaviour b;
        b.ehlo.push_back("CHUNKING");
        return b;
    });
    auto session = open(peer);
    ASSERT_TRUE(session);
    // Several pieces, lines that begin with a dot, a bare LF that is mended, and no line end at the end.
    std::string message = "Subject: big\r\n\r\n.dot\nbare\r\n";
    while (message.size() < 600 * 1024) message.append(70, 'x').append("\r\n");
    message += "end";
    auto t = transaction();
    t.size = message.size();
    for (int i = 0; i < 2; ++i)
        EXPECT_EQ((*session)->send(t, source(message)).verdicts[0].kind, Verdict::Kind::Delivered);
    peer.stop();
    ASSERT_EQ(peer.received().size(), 2u);
    EXPECT_EQ(peer.received()[1].data, text::replace_all(message, ".dot\nbare", ".dot\r\nbare") + "\r\n");
    for (const auto& command : peer.commands()) EXPECT_NE(command, "DATA");
}

TEST(SmtpSession, ARefusedChunkEndsTheMessageNotTheSession) {
    ScriptedPeer peer([](int) {
        Behaviour b;
        b.ehlo.push_back("CHUNKING");
        b.replies["BDAT 262144"] = "552 5.3.4 too much\r\n";
        return b;
    });
    auto session = open(peer);
    ASSERT_TRUE(session);
    // What is refused is not read by the scripted peer: it takes the content for commands, each of which it likes.
    const std::string big(300 * 1024, 'x');
    const auto outcome = (*session)->send(transaction(), source(big));
    EXPECT_EQ(outcome.verdicts[0].kind, Verdict::Kind::Failed);
    EXPECT_EQ(outcome.verdicts[0].status, "5.3.4");
}

TEST(SmtpSession, BinaryContentArrivesAsItIs) {
    ScriptedPeer peer([](int) {
        Behaviour b;
        b.ehlo.insert(b.ehlo.end(), {"CHUNKING", "BINARYMIME"});
        return b;
    });
    auto session = open(peer);
    ASSERT_TRUE(session);
    const std::string message("A: b\r\n\r\n\0\n\r.", 12);
    auto t = transaction();
    t.binary = true;
    EXPECT_EQ((*session)->send(t, source(message)).verdicts[0].kind, Verdict::Kind::Delivered);
    EXPECT_EQ(peer.received().at(0).data, message);
    EXPECT_THAT(peer.received().at(0).mail, ::testing::HasSubstr("BODY=BINARYMIME"));
}

TEST(SmtpSession, AsksForNoMoreThanThePeersLimits) {
    ScriptedPeer peer([](int) {
        Behaviour b;
        b.ehlo.push_back("LIMITS RCPTMAX=3 RCPTDOMAINMAX=2 MAILMAX=2");
        return b;
    });
    auto session = open(peer);
    ASSERT_TRUE(session);
    const auto t = transaction({"a@one.test", "b@ONE.test", "c@two.test", "d@one.test", "e@three.test"});
    auto outcome = (*session)->send(t, source());
    EXPECT_EQ(outcome.untried, (std::vector<std::size_t>{3, 4}));
    EXPECT_TRUE(outcome.reusable);
    EXPECT_EQ(outcome.verdicts[2].kind, Verdict::Kind::Delivered);
    EXPECT_EQ(outcome.verdicts[3].text, "");
    const auto domains = transaction({"a@one.test", "c@two.test", "e@three.test"});
    outcome = (*session)->send(domains, source());
    EXPECT_EQ(outcome.untried, (std::vector<std::size_t>{2}));
    EXPECT_FALSE(outcome.reusable);  // two messages were its most
}

TEST(SmtpSession, TooManyRecipientsIsNoVerdictOnThoseLeft) {
    ScriptedPeer peer([](int) {
        Behaviour b;
        b.replies["RCPT TO:<c@b.test>"] = "452 4.5.3 too many\r\n";
        b.replies["RCPT TO:<full@b.test>"] = "452 4.2.2 full\r\n";
        return b;
    });
    auto session = open(peer);
    ASSERT_TRUE(session);
    auto outcome = (*session)->send(transaction({"a@b.test", "full@b.test", "c@b.test"}), source());
    EXPECT_EQ(outcome.untried, (std::vector<std::size_t>{2}));
    EXPECT_EQ(outcome.verdicts[1].kind, Verdict::Kind::Deferred);
    // Alone it is a verdict: else it would be asked for ever.
    outcome = (*session)->send(transaction({"c@b.test"}), source());
    EXPECT_TRUE(outcome.untried.empty());
    EXPECT_EQ(outcome.verdicts[0].kind, Verdict::Kind::Deferred);
}

TEST(SmtpSession, InternationalizedMailIsRefusedByWhatIsInTheWay) {
    ScriptedPeer peer;
    auto session = open(peer);
    ASSERT_TRUE(session);
    auto outcome = (*session)->send(transaction({"j\xC3\xBCrgen@b.test", "b@b.test"}), source());
    EXPECT_EQ(outcome.verdicts[0].status, "5.6.7");
    EXPECT_EQ(outcome.verdicts[1].kind, Verdict::Kind::Delivered);
    auto t = transaction();
    t.smtputf8 = true;
    EXPECT_EQ((*session)->send(t, source()).verdicts[0].status, "5.6.9");
    t = transaction();
    t.reverse_path = "\xC3\xA4nn@a.test";
    EXPECT_EQ((*session)->send(t, source()).verdicts[0].status, "5.6.7");
    EXPECT_EQ(peer.received().size(), 1u);
}

TEST(SmtpSession, OrcptIsInSevenBitsWhereThePeerKnowsNoOther) {
    for (const bool utf8 : {true, false}) {
        ScriptedPeer peer([&](int) {
            Behaviour b;
            if (utf8) b.ehlo.push_back("SMTPUTF8");
            return b;
        });
        auto session = open(peer);
        ASSERT_TRUE(session);
        auto t = transaction();
        if (utf8) t.smtputf8 = true;
        t.recipients[0].orcpt = "utf-8;j\xC3\xBCrgen@b.test";
        EXPECT_EQ((*session)->send(t, source()).verdicts[0].kind, Verdict::Kind::Delivered);
        EXPECT_THAT(peer.received().at(0).rcpt.at(0),
                    ::testing::HasSubstr(utf8 ? "utf-8;j\xC3\xBCrgen" : "utf-8;j\\x{FC}rgen"));
    }
}

}  // namespace
}  // namespace gk::smtp_client
