// SPDX-License-Identifier: MIT
#include "common/imap/prelogin.hpp"

#include <gtest/gtest.h>

#include "common/base/text.hpp"

using namespace gk;
using namespace gk::imap;

namespace {

const std::vector<std::string> kWithTls = {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"};
const std::vector<std::string> kInTheClear = {"SCRAM-SHA-256"};

PreLoginOptions encrypted() {
    return {.hostname = "imap.a.test", .tls = true, .starttls = true, .mechanisms = kWithTls};
}
PreLoginOptions clear() {
    return {.hostname = "imap.a.test", .tls = false, .starttls = true, .mechanisms = kInTheClear};
}

// Plays a host: knows one account, ann with password "tanstaaf", and a SCRAM that takes any proof.
struct Host {
    explicit Host(PreLoginOptions options) : session(std::move(options)) {}

    void feed(std::string_view bytes) { perform(session.feed(bytes)); }
    void perform(PreLogin::Step step) {
        transcript += step.output;
        for (const auto& effect : step.effects) {
            if (std::holds_alternative<StartTls>(effect)) {
                transcript += "<tls>";
                perform(session.tls_started(kWithTls));
            } else if (const auto* begin = std::get_if<auth::Begin>(&effect)) {
                asked.push_back(begin->mechanism + " " + text::printable(begin->initial_response.value_or("none")));
                auth::Reply reply;
                if (begin->mechanism.starts_with("SCRAM")) {
                    reply.kind = auth::Reply::Kind::Continue;
                    reply.bytes = "server-first";
                } else if (begin->initial_response == std::string("\0ann\0tanstaaf", 13)) {
                    reply.kind = auth::Reply::Kind::Ok;
                    reply.user = "ann@a.test";
                    reply.ticket = "t1";
                }
                perform(session.authenticated(reply));
            } else if (const auto* next = std::get_if<auth::Continue>(&effect)) {
                asked.push_back("continue " + next->bytes);
                auth::Reply reply;
                reply.kind = auth::Reply::Kind::Ok;
                reply.bytes = "server-final";
                reply.user = "ann@a.test";
                reply.ticket = "t2";
                perform(session.authenticated(reply));
            } else if (std::holds_alternative<CancelExchange>(effect)) {
                asked.push_back("cancel");
            } else if (const auto* over = std::get_if<HandOver>(&effect)) {
                transcript += "<" + over->tag + " " + over->user + " " + over->ticket + ">";
            } else {
                transcript += "<close>";
            }
        }
    }

    PreLogin session;
    std::string transcript;
    std::vector<std::string> asked;
};

std::string talk(const PreLoginOptions& options, std::string_view bytes) {
    Host host(options);
    host.feed(bytes);
    return host.transcript;
}

const std::string kDialogues[] = {
    "a CAPABILITY\r\nb NOOP\r\nc LOGIN ann tanstaaf\r\nd SELECT INBOX\r\n",
    "a LOGIN {3}\r\nann {8+}\r\ntanstaaf\r\nb NOOP\r\n",
    "a LOGIN \"ann\" \"wrong\"\r\nb LOGIN ann \"tanstaaf\"\r\n",
    "a AUTHENTICATE PLAIN AGFubgB0YW5zdGFhZg==\r\nb FETCH 1 FLAGS\r\n",
    "a AUTHENTICATE PLAIN\r\nAGFubgB0YW5zdGFhZg==\r\n",
    "a AUTHENTICATE LOGIN\r\nYW5u\r\ndGFuc3RhYWY=\r\n",
    "a AUTHENTICATE SCRAM-SHA-256 Y2xpZW50LWZpcnN0\r\nY2xpZW50LWZpbmFs\r\n\r\nb NOOP\r\n",
    "a AUTHENTICATE SCRAM-SHA-256\r\n*\r\nb AUTHENTICATE SCRAM-SHA-256 Y2xp\r\n*\r\nc LOGOUT\r\n",
    "a ID (\"name\" \"x\" \"os\" NIL)\r\nb ID NIL\r\nc ID (1)\r\nd ID\r\n",
    "*bad*\r\n\r\na\r\na \r\nb FROB\r\nc SELECT x\r\nd NOOP now\r\n",
    "a LOGIN ann {2000}\r\nb NOOP\r\n",
    "a LOGIN ann {2000+}\r\n",
    "a NOOP\nb CAPABILITY\nc LOGIN {3}\nann tanstaaf\n",
    std::string("a LOGIN ann tan\0staaf\r\nb LOGOUT\r\nc NOOP\r\n", 41),
};

}  // namespace

TEST(ImapPreLogin, AnswersDoNotDependOnHowBytesAreSplit) {
    for (const auto& dialogue : kDialogues) {
        const std::string whole = talk(encrypted(), dialogue);
        for (std::size_t cut = 1; cut < dialogue.size(); ++cut) {
            Host host(encrypted());
            host.feed(dialogue.substr(0, cut));
            host.feed(dialogue.substr(cut));
            EXPECT_EQ(host.transcript, whole) << dialogue << " cut at " << cut;
        }
        Host host(encrypted());
        for (const char c : dialogue) host.feed(std::string_view(&c, 1));
        EXPECT_EQ(host.transcript, whole) << dialogue << " byte by byte";
    }
}

TEST(ImapPreLogin, HandsOverAfterLoginAndKeepsWhatFollows) {
    Host host(encrypted());
    host.feed(kDialogues[0]);
    EXPECT_TRUE(host.transcript.ends_with("b OK NOOP completed\r\n<c ann@a.test t1>")) << host.transcript;
    EXPECT_EQ(host.session.take_leftover(), "d SELECT INBOX\r\n");
}

TEST(ImapPreLogin, TakesNamesAndPasswordsAsLiterals) {
    EXPECT_EQ(talk(encrypted(), "a LOGIN {3}\r\nann {8}\r\ntanstaaf\r\n"),
              "+ go ahead\r\n+ go ahead\r\n<a ann@a.test t1>");
    EXPECT_EQ(talk(encrypted(), "a LOGIN {3+}\r\nann {8+}\r\ntanstaaf\r\n"), "<a ann@a.test t1>");
}

TEST(ImapPreLogin, OffersWhatTheConnectionAllows) {
    const std::string secure = PreLogin(encrypted()).capabilities(), open = PreLogin(clear()).capabilities();
    EXPECT_NE(secure.find(" AUTH=SCRAM-SHA-256-PLUS AUTH=SCRAM-SHA-256 AUTH=PLAIN AUTH=LOGIN"), std::string::npos);
    EXPECT_EQ(secure.find("STARTTLS"), std::string::npos);
    EXPECT_EQ(secure.find("LOGINDISABLED"), std::string::npos);
    EXPECT_NE(open.find(" STARTTLS LOGINDISABLED AUTH=SCRAM-SHA-256"), std::string::npos);
    EXPECT_EQ(open.find("PLAIN"), std::string::npos);
    EXPECT_NE(PreLogin(clear()).greeting().find("* OK [CAPABILITY IMAP4rev1 "), std::string::npos);
}

TEST(ImapPreLogin, RefusesPasswordsInTheClear) {
    EXPECT_EQ(talk(clear(), "a LOGIN ann tanstaaf\r\n"), "a NO [PRIVACYREQUIRED] LOGIN needs TLS first\r\n");
    EXPECT_EQ(talk(clear(), "a AUTHENTICATE PLAIN AGFubgB0YW5zdGFhZg==\r\n"),
              "a NO [PRIVACYREQUIRED] this mechanism needs TLS first\r\n");
    EXPECT_EQ(talk(clear(), "a AUTHENTICATE KERBEROS_V4\r\n"), "a NO [CANNOT] no such mechanism\r\n");
}

TEST(ImapPreLogin, DiscardsWhatWasInjectedBeforeTls) {
    Host host(clear());
    host.feed("a STARTTLS\r\nb LOGIN mallory x\r\n");
    EXPECT_EQ(host.transcript, "a OK begin TLS now\r\n<tls>");
    EXPECT_EQ(host.session.discarded(), 19u);
    host.feed("c STARTTLS\r\nd LOGIN ann tanstaaf\r\n");
    EXPECT_EQ(host.transcript, "a OK begin TLS now\r\n<tls>c BAD TLS is active already\r\n<d ann@a.test t1>");
}

TEST(ImapPreLogin, SendsTheServersProofBeforeTheSession) {
    Host host(encrypted());
    host.feed("a AUTHENTICATE SCRAM-SHA-256 Y2xpZW50LWZpcnN0\r\nY2xpZW50LWZpbmFs\r\n");
    EXPECT_EQ(host.transcript,
              "+ " + text::to_base64("server-first") + "\r\n+ " + text::to_base64("server-final") + "\r\n");
    host.feed("\r\n");
    EXPECT_TRUE(host.transcript.ends_with("<a ann@a.test t2>"));
    EXPECT_EQ(host.asked, (std::vector<std::string>{"SCRAM-SHA-256 client-first", "continue client-final"}));
}

TEST(ImapPreLogin, TellsAnEmptyInitialResponseFromNone) {
    Host host(encrypted());
    host.feed("a AUTHENTICATE SCRAM-SHA-256 =\r\n");
    EXPECT_EQ(host.asked, std::vector<std::string>{"SCRAM-SHA-256 "});
    EXPECT_EQ(talk(encrypted(), "a AUTHENTICATE SCRAM-SHA-256\r\n"), "+ \r\n");
}

TEST(ImapPreLogin, EndsTheExchangeThatTheClientCancels) {
    Host host(encrypted());
    host.feed("a AUTHENTICATE SCRAM-SHA-256 Y2xp\r\n*\r\n");
    EXPECT_EQ(host.transcript, "+ " + text::to_base64("server-first") + "\r\na BAD authentication cancelled\r\n");
    EXPECT_EQ(host.asked.back(), "cancel");
    EXPECT_EQ(talk(encrypted(), "a AUTHENTICATE PLAIN !!!\r\n"), "a BAD the initial response is not base64\r\n");
}

TEST(ImapPreLogin, RefusesANulInAUserName) {
    EXPECT_EQ(
        talk(encrypted(), "a AUTHENTICATE LOGIN " + text::to_base64(std::string("ann\0x", 5)) + "\r\ndGFuc3RhYWY=\r\n"),
        "+ UGFzc3dvcmQ6\r\na BAD a NUL in the response\r\n");
}

TEST(ImapPreLogin, EndsAfterTooManyFailures) {
    std::string all;
    for (int i = 0; i < 6; ++i) all += "a LOGIN ann wrong\r\n";
    const std::string said = talk(encrypted(), all);
    EXPECT_TRUE(
        said.ends_with("a NO [AUTHENTICATIONFAILED] authentication failed\r\n* BYE too many failed logins\r\n<close>"))
        << said;
    std::string noops;
    for (int i = 0; i < 101; ++i) noops += "a NOOP\r\n";
    EXPECT_TRUE(talk(encrypted(), noops).ends_with("* BYE too many commands\r\n<close>"));
}

TEST(ImapPreLogin, EndsEndlessLinesAndLiterals) {
    Host host(encrypted());
    for (int i = 0; i < 100; ++i) host.feed(std::string(1000, 'x'));
    EXPECT_EQ(host.transcript, "* BYE the line is too long\r\n<close>");
    EXPECT_EQ(talk(encrypted(), "a LOGIN {99999999999+}\r\n"), "* BYE [TOOBIG] the literal is too large\r\n<close>");
    EXPECT_EQ(talk(encrypted(), "a LOGIN {99999999999}\r\n"), "a BAD [TOOBIG] the literal is too large\r\n");
    std::string many = "a LOGIN";
    for (int i = 0; i < 100; ++i) many += " {1000+}\r\n" + std::string(1000, 'x');
    EXPECT_TRUE(talk(encrypted(), many).ends_with("<close>"));
}

TEST(ImapPreLogin, SaysWhyALoginFailed) {
    PreLogin session(encrypted());
    (void)session.feed("a LOGIN ann x\r\n");
    auth::Reply reply;
    reply.code = auth::FailCode::Temp;
    reply.text = "the database is busy";
    EXPECT_EQ(session.authenticated(reply).output, "a NO [UNAVAILABLE] the database is busy\r\n");
    (void)session.feed("b LOGIN ann x\r\n");
    reply.code = auth::FailCode::Expired;
    reply.text = "evil\r\nb OK";  // never lets another program's text split a line
    EXPECT_EQ(session.authenticated(reply).output, "b NO [EXPIRED] the password has expired\r\n");
}

TEST(ImapPreLogin, GoesOnWhenNoSessionCanBeHad) {
    PreLogin session(encrypted());
    (void)session.feed("a LOGIN ann tanstaaf\r\nb NOOP\r\n");
    auth::Reply reply;
    reply.kind = auth::Reply::Kind::Ok;
    (void)session.authenticated(reply);
    EXPECT_EQ(session.session_refused(auth::FailCode::Temp, "no session can be started").output,
              "a NO [UNAVAILABLE] no session can be started\r\nb OK NOOP completed\r\n");
}
