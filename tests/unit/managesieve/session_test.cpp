// SPDX-License-Identifier: MIT
#include "common/managesieve/session.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "common/managesieve/host/settings.hpp"
#include "tests/protocol/transcript.hpp"

namespace gk::managesieve {
namespace {

// The scripts of an account that has none yet.
struct Home {
    Home() {
        std::string name =
            std::filesystem::is_directory("/dev/shm") ? "/dev/shm/gk-managesieve-XXXXXX" : "/tmp/gk-managesieve-XXXXXX";
        path = ::mkdtemp(name.data());
    }
    ~Home() { std::filesystem::remove_all(path); }
    std::string path;
};

struct Talk {
    explicit Talk(sieve_scripts::Limits limits = {}, SessionOptions options = {})
        : store(home.path, limits),
          session(store, judge(config::Config::parse("").value(), store), std::move(options)) {}
    std::string operator()(std::string_view bytes) { return session.feed(bytes); }
    Home home;
    sieve_scripts::Store store;
    Session session;
};

TEST(ManageSieveSession, AnswersTheTranscriptsAtEverySplit) {
    for (const auto& transcript : test::read_transcripts(test::source_directory() + "/tests/protocol/managesieve"))
        test::replay_at_every_split(transcript, [] {
            return test::Dialogue([talk = std::make_shared<Talk>()](std::string_view bytes) { return (*talk)(bytes); });
        });
}

TEST(ManageSieveSession, SaysWhatTheServerCan) {
    SessionOptions options;
    options.offered.extensions = "fileinto vacation";
    options.offered.notify = "mailto";
    options.offered.max_redirects = 4;
    options.offered.owner = "ann@a.test";
    options.offered.unauthenticate = true;
    Talk talk({}, options);
    EXPECT_EQ(
        talk("CAPABILITY\r\n"),
        "\"IMPLEMENTATION\" \"gk\"\r\n\"SASL\" \"\"\r\n\"SIEVE\" \"fileinto vacation\"\r\n\"NOTIFY\" \"mailto\"\r\n"
        "\"MAXREDIRECTS\" \"4\"\r\n\"UNAUTHENTICATE\"\r\n\"OWNER\" \"ann@a.test\"\r\n\"VERSION\" \"1.0\"\r\nOK\r\n");
    EXPECT_EQ(talk.session.greet_logged_in("dj1hYmM="), "OK (SASL \"dj1hYmM=\") \"logged in\"\r\n");
    EXPECT_EQ(talk.session.greet_logged_in(""), "OK \"logged in\"\r\n");
}

TEST(ManageSieveSession, HoldsTheLimitsAndReadsOnBehindAScriptThatIsTooLarge) {
    Talk talk({.scripts = 1, .size = 10});
    EXPECT_EQ(talk("PUTSCRIPT \"a\" {14+}\r\nNOOP\r\nLOGOUT\r\n\r\nNOOP\r\n"),
              "NO (QUOTA/MAXSIZE) \"a script may have 10 octets\"\r\nOK \"done\"\r\n");
    EXPECT_EQ(talk("PUTSCRIPT \"a\" \"keep;\"\r\n"), "OK\r\n");
    EXPECT_EQ(talk("PUTSCRIPT \"b\" \"keep;\"\r\n"), "NO (QUOTA/MAXSCRIPTS) \"there may be 1 scripts\"\r\n");
    EXPECT_EQ(talk("HAVESPACE \"b\" 5\r\n"), "NO (QUOTA/MAXSCRIPTS) \"there may be 1 scripts\"\r\n");
    EXPECT_EQ(talk("PUTSCRIPT \"a\" \"stop;\"\r\n"), "OK\r\n");
    EXPECT_EQ(talk("CHECKSCRIPT {11+}\r\nkeep; keep;\r\n"), "NO (QUOTA/MAXSIZE) \"a script may have 10 octets\"\r\n");
}

TEST(ManageSieveSession, HoldsAboutOneScriptForAClientThatAsksForMany) {
    Talk talk;
    const std::string script = "keep; #" + std::string(100'000, 'x') + "\r\n";
    ASSERT_EQ(talk(fmt::format("PUTSCRIPT \"a\" {{{}+}}\r\n{}\r\n", script.size(), script)), "OK\r\n");
    std::string asked;
    for (int i = 0; i < 50; ++i) asked += "GETSCRIPT \"a\"\r\n";
    std::string piece = talk(asked + "NOOP\r\n"), heard;
    for (;; piece = talk("")) {
        EXPECT_LE(piece.size(), 64 * 1024 + script.size() + 100);
        heard += piece;
        if (!talk.session.has_more()) break;
    }
    std::string wanted;
    for (int i = 0; i < 50; ++i) wanted += fmt::format("{{{}}}\r\n{}\r\nOK\r\n", script.size(), script);
    EXPECT_TRUE(heard == wanted + "OK \"done\"\r\n");
}

TEST(ManageSieveSession, KeepsNoMoreOfALinesLiteralsThanACommandHas) {
    LineReader reader({.line = 200, .literal = 1000, .skipped = 2000, .tokens = 8});
    reader.feed("PUTSCRIPT");
    for (int i = 0; i < 8; ++i) reader.feed(" {1000+}\r\n" + std::string(1000, 'x'));
    reader.feed("\r\nPUTSCRIPT {100+}\r\n" + std::string(100, 'n') + " {1000+}\r\n" + std::string(1000, 's') + "\r\n");
    const auto hostile = reader.next(), honest = reader.next();
    ASSERT_TRUE(hostile && honest);
    std::size_t kept = 0;
    for (const auto& token : hostile->tokens) kept += token.text.size();
    EXPECT_LE(kept, 1200u);
    ASSERT_EQ(honest->tokens.size(), 3u);
    EXPECT_EQ(honest->tokens[1].text.size(), 100u);
    EXPECT_EQ(honest->tokens[2].text.size(), 1000u);
}

TEST(ManageSieveSession, GivesUpTheAccountOnlyWhereThatIsOffered) {
    Talk no;
    EXPECT_EQ(no("UNAUTHENTICATE\r\n"), "NO \"UNAUTHENTICATE is not offered here\"\r\n");
    SessionOptions options;
    options.offered.unauthenticate = true;
    Talk yes({}, options);
    EXPECT_EQ(yes("UNAUTHENTICATE\r\n"), "OK\r\n");
    EXPECT_TRUE(yes.session.unauthenticated());
    EXPECT_FALSE(yes.session.closed());
    Talk pipelined({}, options);
    EXPECT_EQ(pipelined("UNAUTHENTICATE\r\nNOOP\r\n"), "OK\r\nBYE \"nothing may be sent behind UNAUTHENTICATE\"\r\n");
    EXPECT_TRUE(pipelined.session.closed());
}

TEST(ManageSieveSession, EndsWithWhoNeverMakesSense) {
    SessionOptions options;
    options.max_errors = 3;
    Talk talk({}, options);
    EXPECT_EQ(talk("A\r\nNOOP\r\nB\r\nC\r\n").find("BYE"), std::string::npos);
    EXPECT_NE(talk("D\r\nNOOP\r\n").find("BYE"), std::string::npos);
    EXPECT_TRUE(talk.session.closed());
    EXPECT_EQ(talk("NOOP\r\n"), "");
}

TEST(ManageSieveSession, ALineWithoutEndIsNotCollectedForEver) {
    for (const std::string begin : {"NOOP ", "NOOP \"", "", "NOOP {", "NOOP ("}) {
        Talk talk;
        std::string heard = talk(begin);
        for (int i = 0; i < 200 && !talk.session.closed(); ++i) heard += talk(std::string(1000, 'x'));
        EXPECT_TRUE(talk.session.closed()) << begin;
        EXPECT_NE(heard.find("BYE"), std::string::npos);
    }
}

}  // namespace
}  // namespace gk::managesieve
