// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <thread>

#include "common/base/text.hpp"
#include "common/sieve/compose.hpp"
#include "tests/unit/sieve/case.hpp"

namespace gk::sieve::testing {
namespace {

constexpr std::string_view kMail = "From: bob@example.com\r\nTo: ann@example.org\r\nSubject: Hello\r\n\r\nBody\r\n";

std::shared_ptr<const Script> compiled(std::string_view text, const Dialect& dialect = {}) {
    auto script = compile(text, dialect);
    EXPECT_TRUE(script) << (script ? "" : script.error()[0].format());
    return script ? *script : nullptr;
}

Facts facts() {
    Facts facts;
    facts.reverse_path = "bob@example.com";
    facts.recipient = "ann@example.org";
    facts.own_addresses = {"ann@example.org"};
    return facts;
}

TEST(SieveRun, ScriptsInARowAddUpUntilOneTakesTheImplicitKeepAway) {
    TestHost host;
    const auto copies =
        compiled("require [\"fileinto\", \"copy\", \"imap4flags\"]; addflag \"$a\"; fileinto :copy \"A\";");
    const auto reads = compiled("require \"imap4flags\"; if hasflag \"$a\" { addflag \"$b\"; }");
    const auto files = compiled("require \"fileinto\"; fileinto \"B\";");
    const Outcome both = run_all({copies, reads}, facts(), kMail, host);
    ASSERT_EQ(both.actions.size(), 2u);
    EXPECT_EQ(describe(both.actions[1]), "keep (implicit) :flags [\"$a\", \"$b\"]");
    const Outcome ended = run_all({files, copies}, facts(), kMail, host);
    ASSERT_EQ(ended.actions.size(), 1u);
    EXPECT_EQ(describe(ended.actions[0]), "fileinto \"B\"");
}

TEST(SieveRun, AScriptThatFailsAsksForNothingAndTheOthersForWhatTheyDo) {
    TestHost host;
    const auto changes =
        compiled("require [\"editheader\", \"copy\"]; addheader \"X\" \"y\"; redirect :copy \"eve@example.com\";");
    const auto fails = compiled(
        "require [\"variables\", \"editheader\", \"fileinto\", \"copy\"]; fileinto :copy \"A\"; addheader \"Y\" \"z\"; "
        "fileinto :copy \"B\"; set \"x\" \"\"; redirect \"${x}\";");
    const auto files = compiled("require [\"fileinto\", \"copy\"]; if exists \"X\" { fileinto :copy \"C\"; }");
    const Outcome outcome = run_all({changes, fails, files}, facts(), kMail, host);
    std::vector<std::string> done;
    for (const Action& each : outcome.actions) done.push_back(describe(each));
    EXPECT_EQ(done, (std::vector<std::string>{"redirect \"eve@example.com\"", "fileinto \"C\"", "keep (implicit)"}));
    for (const Action& each : outcome.actions)
        EXPECT_EQ(outcome.editions.at(static_cast<std::size_t>(each.edition)).apply(kMail),
                  "X: y\r\n" + std::string(kMail));
    EXPECT_NE(outcome.error.find("line 1, column 1"), std::string::npos) << outcome.error;
    const Outcome alone = run_all({fails}, facts(), kMail, host);
    ASSERT_EQ(alone.actions.size(), 1u);
    EXPECT_TRUE(std::get<Store>(alone.actions[0].what).implicit);
    EXPECT_EQ(alone.actions[0].edition, -1);
    EXPECT_TRUE(alone.editions.empty());
}

TEST(SieveRun, EachActionHasTheMessageAsItWasAtThatMoment) {
    TestHost host;
    const auto script = compiled(
        "require [\"editheader\", \"copy\", \"fileinto\"]; fileinto :copy \"A\"; addheader \"X\" \"1\"; fileinto :copy "
        "\"B\"; "
        "deleteheader \"x\"; addheader \"Y\" \"2\";");
    const Outcome outcome = run(*script, facts(), kMail, host);
    ASSERT_EQ(outcome.actions.size(), 3u);
    EXPECT_EQ(outcome.actions[0].edition, -1);
    const auto bytes = [&](std::size_t i) {
        return outcome.editions.at(static_cast<std::size_t>(outcome.actions[i].edition)).apply(kMail);
    };
    EXPECT_EQ(bytes(1), "X: 1\r\n" + std::string(kMail));
    EXPECT_EQ(bytes(2), "Y: 2\r\n" + std::string(kMail));
}

TEST(SieveRun, OneProgramServesManyThreads) {
    const auto script = compiled(
        "require [\"fileinto\", \"regex\", \"variables\"]; if header :regex \"subject\" \"(h.*)\" { fileinto \"${1}\"; "
        "}");
    std::vector<std::thread> threads;
    std::vector<int> right(4);
    for (int& count : right)
        threads.emplace_back([&script, &count] {
            TestHost host;
            for (int i = 0; i < 200; ++i)
                count += describe(run(*script, facts(), kMail, host).actions.at(0)) == "fileinto \"Hello\"";
        });
    for (auto& each : threads) each.join();
    EXPECT_EQ(right, std::vector<int>(4, 200));
}

TEST(SieveRun, ALargeBodyIsDecodedOnceForAllTests) {
    TestHost host;
    std::string text = "require \"body\";\n";
    for (int i = 0; i < 100; ++i) text += "if body :text :contains \"word" + std::to_string(i) + "\" { discard; }\n";
    const auto script = compiled(text);
    const std::string message = std::string(kMail) + std::string(4 << 20, 'x');
    Limits limits;
    const Outcome outcome = run(*script, facts(), message, host, limits);
    EXPECT_EQ(outcome.error, "line 62, column 4: the script takes more than 1000000 steps");
    limits.steps = 10'000'000;
    const Outcome wide = run(*script, facts(), message, host, limits);
    EXPECT_EQ(wide.error, "");
}

TEST(SieveRun, TheTraceTellsTestsWithTheirValues) {
    TestHost host;
    const auto script = compiled("if header :contains \"subject\" [\"x\", \"ell\"] {\n  discard;\n}");
    std::vector<std::string> lines;
    run(*script, facts(), kMail, host, {}, [&](const Step& step) {
        lines.push_back(std::to_string(step.at.line) + ' ' + step.what + " -> " + step.detail);
    });
    EXPECT_EQ(lines, (std::vector<std::string>{"1 header :contains \"subject\" [\"x\", \"ell\"] -> \"Hello\": true",
                                               "2 discard -> "}));
}

TEST(SieveCompile, NamesWhatItIncludesAndRequires) {
    class One : public Includes {
        std::optional<std::string> find(Place place, std::string_view name) override {
            if (place == Place::Global && name == "there") return "require \"fileinto\"; fileinto \"x\";";
            return std::nullopt;
        }
    } includes;
    Dialect dialect;
    dialect.includes = &includes;
    const auto script =
        compiled("require \"include\"; include :global \"there\"; include :optional \"none\";", dialect);
    ASSERT_EQ(script->includes().size(), 2u);
    EXPECT_TRUE(script->includes()[0].found);
    EXPECT_EQ(script->includes()[1].name, "none");
    EXPECT_FALSE(script->includes()[1].found);
    EXPECT_EQ(script->required(), (std::vector<std::string>{"fileinto", "include"}));
}

TEST(SieveCompile, EveryExtensionCanBeTurnedOff) {
    for (const std::string_view name : Extensions::all().names()) {
        Dialect dialect;
        const std::string text = "require \"" + std::string(name) + "\";";
        EXPECT_TRUE(compile(text, dialect)) << name;
        EXPECT_TRUE(dialect.extensions.set(name, false));
        const bool base = name == "comparator-i;octet" || name == "comparator-i;ascii-casemap";
        EXPECT_EQ(compile(text, dialect).has_value(), base) << name;
    }
    EXPECT_FALSE(Extensions::all().has("vnd.dovecot.testsuite"));
    EXPECT_FALSE(Extensions::none().has("fileinto"));
}

TEST(SieveCompile, LimitsAreTold) {
    Dialect dialect;
    dialect.limits.script_size = 10;
    EXPECT_EQ(compile("keep; keep; keep;", dialect).error()[0].format("s"),
              "s:1:1: the script is larger than 10 bytes");
    dialect = {};
    dialect.limits.problems = 2;
    EXPECT_EQ(compile("a; b; c; d;", dialect).error().size(), 2u);
    dialect = {};
    dialect.limits.include_depth = 1;
    class Chain : public Includes {
        std::optional<std::string> find(Place, std::string_view name) override {
            return "require \"include\"; include \"" + std::string(name) + "x\";";
        }
    } chain;
    dialect.includes = &chain;
    EXPECT_EQ(compile("require \"include\"; include \"a\";", dialect).error()[0].format("s"),
              "a:1:20: scripts include each other more than 1 deep");
    dialect.limits.include_depth = 100, dialect.limits.includes = 3;
    EXPECT_NE(compile("require \"include\"; include \"a\";", dialect)
                  .error()[0]
                  .text.find("more than 3 scripts are included"),
              std::string::npos);
}

TEST(SieveCompose, AResponseIsMarkedAsOneAndThreaded) {
    TestHost host;
    const auto script = compiled("require \"vacation\"; vacation :subject \"Grüße\" \"Bin weg.\nÄrgerlich.\";");
    const std::string message = "Message-ID: <2@b>\r\nReferences: <1@b>\r\n" + std::string(kMail);
    const Outcome outcome = run(*script, facts(), message, host);
    const std::string sent = compose(std::get<Vacation>(outcome.actions.at(0).what), {0, "<3@a>"});
    for (const char* line :
         {"From: ann@example.org\r\n", "To: bob@example.com\r\n", "Auto-Submitted: auto-replied (vacation)\r\n",
          "In-Reply-To: <2@b>\r\n", "References: <1@b> <2@b>\r\n", "Message-ID: <3@a>\r\n",
          "Content-Transfer-Encoding: quoted-printable\r\n", "Bin weg.\r\n=C3=84rgerlich."})
        EXPECT_NE(sent.find(line), std::string::npos) << line << " in\n" << sent;
    EXPECT_TRUE(text::is_ascii(sent));
}

TEST(SieveCompose, AMimeResponseBringsItsContentFieldsAlone) {
    TestHost host;
    const auto script = compiled(
        "require \"vacation\"; vacation :mime \"Content-Type: text/html\nBcc: eve@example.com\n\n<p>Away</p>\";");
    const Outcome outcome = run(*script, facts(), kMail, host);
    const std::string sent = compose(std::get<Vacation>(outcome.actions.at(0).what), {0, ""});
    EXPECT_NE(sent.find("Content-Type: text/html\r\n\r\n<p>Away</p>\r\n"), std::string::npos) << sent;
    EXPECT_EQ(sent.find("Bcc"), std::string::npos);
}

TEST(SieveVacation, AHandleOrTheContentTellsResponsesApart) {
    TestHost host;
    const auto handle = [&](std::string_view arguments) {
        const auto script = compiled("require \"vacation\"; vacation " + std::string(arguments) + ";");
        return std::get<Vacation>(run(*script, facts(), kMail, host).actions.at(0).what).handle;
    };
    EXPECT_EQ(handle("\"a\""), handle("\"a\""));
    EXPECT_NE(handle("\"a\""), handle("\"b\""));
    EXPECT_NE(handle("\"a\""), handle(":subject \"s\" \"a\""));
    EXPECT_EQ(handle(":handle \"h\" \"a\""), handle(":handle \"h\" :subject \"s\" \"b\""));
}

}  // namespace
}  // namespace gk::sieve::testing
