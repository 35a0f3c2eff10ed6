// SPDX-License-Identifier: MIT
#include "common/managesieve/prelogin.hpp"

#include <gtest/gtest.h>

#include "common/base/text.hpp"

namespace gk::managesieve {
namespace {

const std::vector<std::string> kWithTls = {"SCRAM-SHA-256", "PLAIN", "LOGIN"};
const std::vector<std::string> kInTheClear = {"SCRAM-SHA-256"};

PreLoginOptions encrypted() { return {.offered = {}, .tls = true, .starttls = true, .mechanisms = kWithTls}; }
PreLoginOptions clear() { return {.offered = {}, .tls = false, .starttls = true, .mechanisms = kInTheClear}; }

// Plays a host: knows one account, ann with password "tanstaaf", and a SCRAM that takes any proof.
struct Host {
    explicit Host(PreLoginOptions options) : dialogue(std::move(options)) {}
    void feed(std::string_view bytes) { perform(dialogue.feed(bytes)); }
    void perform(const auth::LoginStep& step) {
        said += step.output;
        for (const auto& effect : step.effects) {
            auth::Reply reply;
            if (std::holds_alternative<auth::StartTls>(effect)) {
                said += "<tls>\r\n";
                perform(dialogue.tls_started(kWithTls));
            } else if (const auto* begin = std::get_if<auth::Begin>(&effect)) {
                EXPECT_EQ(begin->service, "managesieve");
                if (begin->mechanism == "SCRAM-SHA-256") {
                    reply.kind = auth::Reply::Kind::Continue;
                    reply.bytes = "server-first";
                } else if (begin->initial_response == std::string("\0ann\0tanstaaf", 13)) {
                    reply.kind = auth::Reply::Kind::Ok;
                    reply.user = "ann@a.test";
                    reply.ticket = "t1";
                } else if (begin->initial_response == std::string("\0ann\0busy", 9)) {
                    reply.code = auth::FailCode::Temp;
                }
                perform(dialogue.authenticated(reply));
            } else if (std::holds_alternative<auth::Continue>(effect)) {
                reply.kind = auth::Reply::Kind::Ok;
                reply.bytes = "server-final";
                reply.user = "ann@a.test";
                reply.ticket = "t2";
                perform(dialogue.authenticated(reply));
            } else if (const auto* over = std::get_if<auth::HandOver>(&effect)) {
                said += "<" + over->tag + " " + over->user + " " + over->ticket + ">";
            } else if (std::holds_alternative<auth::EndConnection>(effect)) {
                said += "<close>";
            } else {
                said += "<cancel>";
            }
        }
    }
    PreLogin dialogue;
    std::string said;
};

std::string talk(const PreLoginOptions& options, std::string_view bytes) {
    Host host(options);
    host.feed(bytes);
    return host.said;
}

std::string capabilities(std::string_view mechanisms, bool starttls) {
    return "\"IMPLEMENTATION\" \"gk\"\r\n\"SASL\" \"" + std::string(mechanisms) + "\"\r\n\"SIEVE\" \"\"\r\n" +
           (starttls ? "\"STARTTLS\"\r\n" : "") + "\"MAXREDIRECTS\" \"0\"\r\n\"VERSION\" \"1.0\"\r\n";
}

TEST(ManageSievePreLogin, GreetsWithItsCapabilities) {
    EXPECT_EQ(PreLogin(clear()).greeting(), capabilities("SCRAM-SHA-256", true) + "OK \"ready\"\r\n");
    EXPECT_EQ(PreLogin(encrypted()).greeting(), capabilities("SCRAM-SHA-256 PLAIN", false) + "OK \"ready\"\r\n");
}

TEST(ManageSievePreLogin, SaysItsCapabilitiesAnewBehindStartTls) {
    EXPECT_EQ(
        talk(clear(), "STARTTLS\r\n"),
        "OK \"begin TLS now\"\r\n<tls>\r\n" + capabilities("SCRAM-SHA-256 PLAIN", false) + "OK \"TLS is active\"\r\n");
}

TEST(ManageSievePreLogin, ForgetsWhatWasSentBeforeTls) {
    Host host(clear());
    host.feed("STARTTLS\r\nPUTSCRIPT \"evil\" \"discard;\"\r\nNOOP\r\n");
    EXPECT_EQ(host.said.find("log in"), std::string::npos);
    EXPECT_EQ(host.dialogue.discarded(), 35u);
}

TEST(ManageSievePreLogin, LogsInWithAnInitialResponseOrAfterAChallenge) {
    const std::string plain = text::to_base64(std::string_view("\0ann\0tanstaaf", 13));
    EXPECT_EQ(talk(encrypted(), "AUTHENTICATE \"PLAIN\" \"" + plain + "\"\r\n"), "<- ann@a.test t1>");
    EXPECT_EQ(talk(encrypted(), "authenticate \"plain\" {20+}\r\n" + plain + "\r\n"), "<- ann@a.test t1>");
    EXPECT_EQ(talk(encrypted(), "AUTHENTICATE \"PLAIN\"\r\n\"" + plain + "\"\r\n"), "\"\"\r\n<- ann@a.test t1>");
    // What the server has to say with success goes along in the OK.
    EXPECT_EQ(talk(encrypted(), "AUTHENTICATE \"SCRAM-SHA-256\" \"bg==\"\r\n\"cA==\"\r\n"),
              "\"c2VydmVyLWZpcnN0\"\r\n<c2VydmVyLWZpbmFs ann@a.test t2>");
}

TEST(ManageSievePreLogin, RefusesWithTheReasonsOfTheProtocol) {
    EXPECT_EQ(talk(clear(), "AUTHENTICATE \"PLAIN\"\r\n"),
              "NO (ENCRYPT-NEEDED) \"this mechanism needs TLS first\"\r\n");
    EXPECT_EQ(talk(encrypted(), "AUTHENTICATE \"LOGIN\"\r\n"), "NO \"no such mechanism\"\r\n");
    EXPECT_EQ(talk(encrypted(), "AUTHENTICATE \"PLAIN\" \"AGFubgB4\"\r\n"), "NO \"authentication failed\"\r\n");
    EXPECT_EQ(talk(encrypted(), "AUTHENTICATE \"PLAIN\" \"AGFubgBidXN5\"\r\n"),
              "NO (TRYLATER) \"try again later\"\r\n");
    EXPECT_EQ(talk(encrypted(), "AUTHENTICATE \"PLAIN\" \"%\"\r\n"), "NO \"the initial response is not base64\"\r\n");
    EXPECT_EQ(talk(encrypted(), "AUTHENTICATE \"PLAIN\"\r\n\"*\"\r\n"), "\"\"\r\nNO \"authentication cancelled\"\r\n");
    EXPECT_EQ(talk(encrypted(), "AUTHENTICATE \"SCRAM-SHA-256\" \"bg==\"\r\n\"*\"\r\n"),
              "\"c2VydmVyLWZpcnN0\"\r\nNO \"authentication cancelled\"\r\n<cancel>");
    EXPECT_EQ(talk(encrypted(), "LISTSCRIPTS\r\nSTARTTLS\r\n"),
              "NO \"log in first\"\r\nNO \"TLS is active already\"\r\n");
}

TEST(ManageSievePreLogin, EndsWithWhoGuessesOrChatters) {
    std::string guesses, chatter;
    for (int i = 0; i < 5; ++i) guesses += "AUTHENTICATE \"PLAIN\" \"AGFubgB4\"\r\n";
    for (int i = 0; i < 101; ++i) chatter += "NOOP\r\n";
    EXPECT_TRUE(talk(encrypted(), guesses).ends_with("BYE \"too many failed logins\"\r\n<close>"));
    EXPECT_TRUE(talk(encrypted(), chatter).ends_with("BYE \"too many commands\"\r\n<close>"));
    EXPECT_TRUE(talk(encrypted(), std::string(10'000, 'x')).ends_with("<close>"));
    EXPECT_TRUE(talk(encrypted(), "NOOP {100000+}\r\n").ends_with("<close>"));
}

TEST(ManageSievePreLogin, AnswersDoNotDependOnHowBytesAreSplit) {
    const std::string said =
        "CAPABILITY\r\nNOOP \"x\"\r\nFROB\r\nAUTHENTICATE \"PLAIN\" {4+}\r\nbg==\r\nAUTHENTICATE \"SCRAM-SHA-256\"\r\n"
        "\"bg==\"\r\n\"*\"\r\nSTARTTLS\r\nLOGOUT\r\nNOOP\r\n";
    // What goes to gk-authd goes its own way.
    const auto words = [](std::string_view both) { return text::replace_all(both, "<cancel>", ""); };
    const std::string whole = words(talk(encrypted(), said));
    for (std::size_t cut = 1; cut < said.size(); ++cut) {
        Host host(encrypted());
        host.feed(said.substr(0, cut));
        host.feed(said.substr(cut));
        EXPECT_EQ(words(host.said), whole) << cut;
    }
}

TEST(ManageSievePreLogin, WhatFollowsTheLoginIsTheSessions) {
    Host host(encrypted());
    host.feed("AUTHENTICATE \"PLAIN\" \"" + text::to_base64(std::string_view("\0ann\0tanstaaf", 13)) +
              "\"\r\nLISTSCRIPTS\r\n");
    EXPECT_EQ(host.dialogue.take_leftover(), "LISTSCRIPTS\r\n");
}

}  // namespace
}  // namespace gk::managesieve
