// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>

#include "common/base/text.hpp"
#include "common/smtp/policy.hpp"
#include "common/smtp/session.hpp"
#include "tests/protocol/transcript.hpp"

using namespace gk;
using namespace gk::smtp;
using testing::EndsWith;
using testing::HasSubstr;

namespace {

SessionSettings settings_for(Service service) {
    SessionSettings settings;
    settings.service = service;
    settings.hostname = "mx.test";
    settings.tls_available = true;
    settings.limits.max_size = 100'000;
    settings.limits.max_recipients = 4;
    settings.limits.max_messages = 3;
    settings.limits.max_errors = service == Service::Mx ? 25 : 100;
    settings.limits.max_auth_failures = 2;
    settings.limits.max_received = 3;
    if (service != Service::Mx) {
        settings.most_hold = std::chrono::hours(30 * 24);
        settings.clock = [] { return from_unix_s(1'800'000'000); };  // the same at every split
        settings.mechanisms = {"SCRAM-SHA-256", "PLAIN", "LOGIN"};
        settings.mechanisms_cb = {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"};
    }
    return settings;
}

// A host without sockets: here.test is ours, and has everybody but nobody.
class FakeHost {
public:
    explicit FakeHost(SessionSettings settings)
        : settings_(std::move(settings)),
          session_(settings_, settings_.service == Service::Submissions
                                  ? std::optional(TlsFacts{"TLSv1.3", "TLS_X", "", true})
                                  : std::nullopt) {}

    // As a client that waits for the handshake before it goes on.
    std::string say(std::string_view bytes) {
        std::string held;
        for (const char c : bytes) {
            held += c;
            line_ += c;
            if (c != '\n') continue;
            if (text::equals_nocase(text::trim(std::exchange(line_, {})), "starttls")) feed(std::exchange(held, {}));
        }
        feed(held);
        return session_.take_output();
    }
    void feed(std::string_view bytes) {
        if (session_.closed()) return;
        const std::string copy(bytes);
        session_.feed(copy);
        while (auto effect = session_.next()) std::visit([this](const auto& e) { on(e); }, *effect);
    }
    Session& session() { return session_; }
    std::string content, all_content;
    int transactions_ended = 0;
    std::size_t most_messages_hour = 0;  // as gk-authd counts; 0: any number

private:
    void on(const StartHandshake&) { session_.tls_started({"TLSv1.3", "TLS_X", "", true}); }
    void on(const BeginAuthentication& begin) {
        mechanism_ = begin.mechanism;
        steps_ = 0;
        if (!begin.response) return session_.auth_challenge(mechanism_ == "LOGIN" ? "Username:" : "");
        step(*begin.response);
    }
    void on(const ContinueAuthentication& next) { step(next.response); }
    void step(const std::string& response) {
        ++steps_;
        if (mechanism_ == "LOGIN" && steps_ == 1) return session_.auth_challenge("Password:");
        if (mechanism_.starts_with("SCRAM") && steps_ == 1) return session_.auth_challenge("server-first");
        if (mechanism_.starts_with("SCRAM")) return session_.auth_succeeded("ann@here.test", "server-final");
        if (response == std::string("\0ann@here.test\0secret", 21))
            return session_.auth_succeeded("ann@here.test", std::nullopt);
        session_.auth_failed({535, "5.7.8", "authentication failed"});
    }
    void on(const CancelAuthentication&) {}
    void on(const CheckSender&) {
        const auto& path = session_.asked_mail().path;
        if (!session_.account().empty() && !path.is_null() && path.to_string() != session_.account())
            return session_.answer({553, "5.7.1", "you may not send as " + path.to_string()});
        if (most_messages_hour != 0 && begun_ >= most_messages_hour)
            return session_.answer({450, "4.7.1",
                                    session_.account() + " sent " + std::to_string(begun_) +
                                        (begun_ == 1 ? " message" : " messages") + " in the last hour; the limit is " +
                                        std::to_string(most_messages_hour) + "; try again after 14:05"});
        ++begun_;
        recipients_ = 0;
        content.clear();
        session_.answer({250, "2.1.0", "ok"});
    }
    void on(const CheckRecipient& check) {
        RecipientFacts facts;
        facts.authenticated = !session_.account().empty();
        const auto& path = check.rcpt.path;
        if (path.is_postmaster() && (path.domain.empty() || path.domain == "here.test"))
            facts.delivery = {250, "2.1.5", "ok"};
        else if (path.domain != "here.test") facts.delivery = {551, "5.7.1", "not ours"};
        else if (path.local_part == "full") facts.delivery = {452, "4.2.2", "mailbox full"};
        else if (path.local_part == "nobody" || path.local_part.find_first_of("%@!") != std::string::npos)
            facts.delivery = {550, "5.1.1", "no such user"};
        else facts.delivery = {250, "2.1.5", "ok"};
        const auto verdict = judge_recipient(facts);
        if (verdict.reply.positive()) ++recipients_;
        session_.answer(verdict.reply);
    }
    void on(const ContentBytes& bytes) { content += bytes.bytes; }
    void on(const EndContent&) {
        all_content += content;
        session_.answer({250, "2.0.0",
                         "ok " + std::to_string(recipients_) +
                             " recipients: " + text::replace_all(text::replace_all(content, "\r\n", "|"), "\n", "/")});
    }
    void on(const EndTransaction&) { ++transactions_ended; }

    SessionSettings settings_;
    Session session_;
    std::string line_, mechanism_;
    int steps_ = 0;
    std::size_t recipients_ = 0, begun_ = 0;
};

SessionSettings settings_of(const test::Transcript& transcript) {
    auto settings = settings_for(transcript.name.starts_with("submissions")  ? Service::Submissions
                                 : transcript.name.starts_with("submission") ? Service::Submission
                                                                             : Service::Mx);
    for (const auto& [key, value] : transcript.with) {
        if (key == "smtp.max_errors") settings.limits.max_errors = std::stoul(value);
        else if (key == "smtp.max_auth_failures") settings.limits.max_auth_failures = std::stoul(value);
        else if (key != "smtp.submission_messages_hour")
            ADD_FAILURE() << transcript.name << ": no such setting here: " << key;
    }
    return settings;
}

std::string start_transaction(FakeHost& host) {
    return host.say("EHLO c\r\nMAIL FROM:<a@far.test>\r\nRCPT TO:<b@here.test>\r\n");
}

}  // namespace

TEST(SmtpSession, RepliesInAscii) {
    EXPECT_EQ((Reply{553, "5.7.1", "not as j\xC3\xBCrg@a.test, nor b\xE2\x80\xA6"}.format()),
              "553 5.7.1 not as j?rg@a.test, nor b...\r\n");
}

TEST(SmtpSession, RepliesAsTheTranscriptsSayAtEverySplit) {
    for (const auto& transcript : test::read_transcripts(test::source_directory() + "/tests/protocol/smtp")) {
        SCOPED_TRACE(transcript.name);
        const auto begin = [&]() -> test::Dialogue {
            auto host = std::make_shared<FakeHost>(settings_of(transcript));
            for (const auto& [key, value] : transcript.with)
                if (key == "smtp.submission_messages_hour") host->most_messages_hour = std::stoul(value);
            return [host](std::string_view bytes) { return host->say(bytes); };
        };
        if (transcript.said.size() < 4000) {
            test::replay_at_every_split(transcript, begin);
        } else {
            auto whole = begin();
            std::string heard = whole("");
            test::expect_said(transcript, heard + whole(transcript.said));
        }
    }
}

TEST(SmtpSession, DiscardsWhatCameInClearBehindStartTls) {
    FakeHost host(settings_for(Service::Mx));
    host.feed("EHLO c\r\nSTARTTLS\r\nMAIL FROM:<eve@far.test>\r\nRCPT TO:<bob@here.test>\r\n");
    EXPECT_THAT(host.session().take_output(), EndsWith("220 2.0.0 go ahead\r\n"));
    EXPECT_THAT(host.say("RCPT TO:<bob@here.test>\r\n"), HasSubstr("503 5.5.1 MAIL first"));
}

TEST(SmtpSession, DiscardsHalfALineThatCameInClear) {
    FakeHost host(settings_for(Service::Mx));
    host.feed("EHLO c\r\nSTARTTLS\r\nNOO");
    host.session().take_output();
    EXPECT_EQ(host.say("P\r\n"), "500 5.5.1 command not recognised\r\n");
}

TEST(SmtpSession, AnswersALineWithoutEndAtOnceAndThenHangsUp) {
    FakeHost host(settings_for(Service::Mx));
    host.say("");
    EXPECT_EQ(host.say(std::string(5000, 'x')), "500 5.5.2 line too long\r\n");
    EXPECT_EQ(host.say(std::string(1 << 20, 'x')), "421 4.7.0 mx.test line without end\r\n");
    EXPECT_TRUE(host.session().closed());
}

TEST(SmtpSession, RefusesAMessagePastTheSizeOnceItHasEnded) {
    FakeHost host(settings_for(Service::Mx));
    start_transaction(host);
    host.say("DATA\r\n");
    const std::string line(998, 'x');
    for (int i = 0; i < 120; ++i) EXPECT_EQ(host.say(line + "\r\n"), "");
    EXPECT_EQ(host.say(".\r\n"), "552 5.3.4 message is larger than 100000 bytes\r\n");
    EXPECT_LE(host.content.size(), 100'000u);
    EXPECT_THAT(host.say("MAIL FROM:<a@far.test>\r\n"), HasSubstr("250"));
}

TEST(SmtpSession, RefusesChunksPastTheSize) {
    FakeHost host(settings_for(Service::Mx));
    start_transaction(host);
    EXPECT_THAT(host.say("BDAT 120000\r\n" + std::string(120'000, 'x')), HasSubstr("552 5.3.4"));
    EXPECT_THAT(host.say("BDAT 1 LAST\r\nx"), HasSubstr("503 5.5.1 the transaction has failed"));
    EXPECT_THAT(host.say("RSET\r\n"), HasSubstr("250"));
}

TEST(SmtpSession, EndsTheTransactionOnResetEhloAndQuit) {
    FakeHost host(settings_for(Service::Mx));
    start_transaction(host);
    host.say("RSET\r\n");
    EXPECT_EQ(host.transactions_ended, 1);
    start_transaction(host);
    host.say("EHLO again\r\n");
    EXPECT_EQ(host.transactions_ended, 2);
    start_transaction(host);
    host.say("QUIT\r\n");
    EXPECT_GE(host.transactions_ended, 3);
    EXPECT_TRUE(host.session().closed());
}

TEST(SmtpSession, SaysThatTheClientStillSendsWhenAMessageIsRefusedHalfWay) {
    FakeHost host(settings_for(Service::Mx));
    start_transaction(host);
    host.say("DATA\r\n");
    host.say("a\nb");
    EXPECT_TRUE(host.session().closed());
    EXPECT_TRUE(host.session().closed_amid_content());
}

TEST(SmtpSession, RefusesAMessageLineThatIsBareAtTheEndOfTheSplit) {
    FakeHost host(settings_for(Service::Mx));
    start_transaction(host);
    host.say("DATA\r\n");
    EXPECT_EQ(host.say("a\r"), "");
    EXPECT_THAT(host.say("b"), HasSubstr("521 5.5.2"));
}

TEST(SmtpPolicy, RelaysOnlyForThoseWhoMay) {
    using Route = RecipientVerdict::Route;
    const Reply not_ours{551, "5.7.1", "not ours"}, here{250, "2.1.5", "ok"}, none{550, "5.1.1", "no such user"};
    EXPECT_EQ(judge_recipient({false, false, not_ours}).reply.code, 550);
    EXPECT_EQ(judge_recipient({true, false, not_ours}).route, Route::Remote);
    EXPECT_EQ(judge_recipient({false, true, not_ours}).route, Route::Remote);
    EXPECT_EQ(judge_recipient({false, false, here}).route, Route::Local);
    EXPECT_EQ(judge_recipient({true, true, none}).route, Route::Refused);
}

TEST(SmtpPolicy, TakesMailThatThisHostIsABackupFor) {
    using Route = RecipientVerdict::Route;
    using Answer = RelayDomains::Answer;
    const auto relay = RelayDomains::parse({{"Any.test", "*"}, {"some.test", "ann  Bob"}, {"b\u00fccher.test", "*"}});
    ASSERT_TRUE(relay) << relay.error().text;
    const auto ask = [&](const char* address) { return relay->find(*parse_path(address)); };
    EXPECT_EQ(ask("<x@ANY.test>"), Answer::Taken);
    EXPECT_EQ(ask("<ANN@some.test>"), Answer::Taken);
    EXPECT_EQ(ask("<bob@some.test>"), Answer::Taken);
    EXPECT_EQ(ask("<postmaster@some.test>"), Answer::Taken);
    EXPECT_EQ(ask("<eve@some.test>"), Answer::NoSuchRecipient);
    EXPECT_EQ(ask("<x@xn--bcher-kva.test>"), Answer::Taken);
    EXPECT_EQ(ask("<x@below.any.test>"), Answer::NotOurs);
    EXPECT_EQ(ask("<postmaster>"), Answer::NotOurs);
    EXPECT_EQ(ask("<x@[192.0.2.1]>"), Answer::NotOurs);
    for (const char* bad : {"", " ", "  "}) EXPECT_FALSE(RelayDomains::parse({{"any.test", bad}}));
    EXPECT_FALSE(RelayDomains::parse({{"[192.0.2.1]", "*"}}));

    const Reply not_ours{551, "5.7.1", "not ours"}, none{550, "5.1.1", "no such user"};
    EXPECT_EQ(judge_recipient({false, false, not_ours, Answer::Taken}).route, Route::Remote);
    EXPECT_EQ(judge_recipient({false, false, not_ours, Answer::NoSuchRecipient}).reply.enhanced, "5.1.1");
    // Our own domains are ours, whatever the table says.
    EXPECT_EQ(judge_recipient({false, false, none, Answer::Taken}).route, Route::Refused);
    // Who may send anywhere is not held to the list.
    EXPECT_EQ(judge_recipient({true, false, not_ours, Answer::NoSuchRecipient}).route, Route::Remote);
}

TEST(HeaderWatch, SeesTheSameAtEverySplit) {
    const std::string_view messages[] = {
        "From: a@x.test\r\n b@x.test\r\nReceived: x\r\n\tfrom: y\r\nFROM : c@x.test\r\nnonsense\r\n "
        "folded\r\nDate:\r\nMessage-Id: <1>\r\n\r\nFrom: d@x.test\r\n",
        "a line that is no field\r\nFrom: a@x.test\r\n\r\n",
        " From: a@x.test\r\n\r\n",
        "\r\nFrom: a@x.test\r\n",
        "From:",
        "X-A-Long-Field-Name-Indeed: x\r\nFrom: a@x.test",
        "From ann@x.test Mon Jan  1 00:00:00 2024\r\nDate: x\r\n\r\n"};
    for (const auto message : messages) {
        HeaderWatch whole;
        whole.feed(message);
        for (std::size_t at = 0; at <= message.size(); ++at) {
            HeaderWatch split;
            split.feed(message.substr(0, at));
            split.feed(message.substr(at));
            EXPECT_EQ(split.from(), whole.from()) << message << at;
            EXPECT_EQ(split.received_count(), whole.received_count());
            EXPECT_EQ(split.has_date(), whole.has_date());
            EXPECT_EQ(split.has_message_id(), whole.has_message_id());
            EXPECT_EQ(split.begins_with_body(), whole.begins_with_body()) << message << at;
        }
    }
    HeaderWatch first, second, third;
    first.feed(messages[0]);
    EXPECT_EQ(first.from(), (std::vector<std::string>{" a@x.test\r\nb@x.test\r\n", " c@x.test\r\n"}));
    EXPECT_FALSE(first.begins_with_body());
    second.feed(messages[1]);
    EXPECT_TRUE(second.begins_with_body());
    EXPECT_TRUE(second.from().empty());
    third.feed(messages[6]);
    EXPECT_FALSE(third.begins_with_body());
    EXPECT_TRUE(third.has_date());
}
