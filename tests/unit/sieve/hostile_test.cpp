// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "common/sieve/sieve.hpp"
#include "tests/unit/sieve/case.hpp"

// Messages and scripts that mean harm: what they may cost, and what they may not do.
namespace gk::sieve::testing {
namespace {

constexpr std::string_view kMail = "From: bob@example.com\r\nTo: ann@example.org\r\nSubject: Hello\r\n\r\nBody\r\n";

Outcome outcome_of(std::string_view text, std::string_view message, const Limits& limits = {}) {
    const auto script = compile(text);
    EXPECT_TRUE(script) << (script ? "" : script.error()[0].format());
    if (!script) return {};
    Facts facts;
    facts.reverse_path = "bob@example.com";
    facts.recipient = "ann@example.org";
    facts.own_addresses = {"ann@example.org"};
    TestHost host;
    return run(**script, facts, message, host, limits);
}

std::string edited(const Outcome& outcome, std::string_view message) {
    return outcome.editions.empty() ? "none" : outcome.editions.back().apply(message);
}

TEST(SieveHostile, APartThatAnEncloseMovedOutOfSightIsNoPartOfTheLoop) {
    std::string message;
    for (int i = 0; i < 99; ++i) {
        const std::string boundary = "b" + std::to_string(i) + "x";
        message += "Content-Type: multipart/mixed; boundary=" + boundary + "\r\n\r\n--" + boundary + "\r\n";
    }
    message += "\r\nleaf\r\n";
    for (int i = 0; i < 1000; ++i)
        message += "--b98x\r\n" + std::string(i == 999 ? "X-Last: 1\r\n" : "") + "\r\nleaf\r\n";
    const Outcome outcome = outcome_of(
        "require [\"foreverypart\", \"mime\", \"enclose\", \"replace\", \"extracttext\", \"variables\", \"body\"];"
        "foreverypart { if header :mime :is \"X-Last\" \"1\" { enclose \"x\"; extracttext \"v\";"
        "if header :mime :anychild :is \"X-Last\" \"1\" { stop; } foreverypart { extracttext \"v\"; } replace \"y\"; } "
        "}",
        message);
    EXPECT_EQ(outcome.error, "");
    EXPECT_EQ(outcome.actions.size(), 1u);
    EXPECT_FALSE(outcome.editions.empty());
}

TEST(SieveHostile, DeletingManyFieldsTakesOnePass) {
    std::string message;
    for (int i = 0; i < 9000; ++i) message += "a: " + std::to_string(i) + "\r\n";
    message += kMail;
    const Outcome outcome = outcome_of("require \"editheader\"; deleteheader \"a\";", message);
    EXPECT_EQ(edited(outcome, message), kMail);
    EXPECT_GT(outcome.steps, 9000 * 64 / 256u) << "each removal counts";
    const Outcome some = outcome_of("require \"editheader\"; deleteheader :contains \"a\" [\"1\", \"2\"];",
                                    "a: 1\r\na: 3\r\nb: 1\r\na: 2\r\n\r\n");
    EXPECT_EQ(edited(some, ""), "a: 3\r\nb: 1\r\n\r\n");
    EXPECT_EQ(edited(outcome_of("require \"editheader\"; deleteheader \"c\";", kMail), kMail), "none");
}

TEST(SieveHostile, TheBoundaryOfAnEncloseIsNotForTheSenderToKnow) {
    const std::string_view script = "require \"enclose\"; enclose \"x\";";
    std::string message(kMail);
    message.append("gk-enclosed gk-enclosed-0 gk-enclosed-1\r\n");
    const std::string first = edited(outcome_of(script, message), message);
    EXPECT_NE(first, edited(outcome_of(script, message), message));
    EXPECT_EQ(first.find("boundary=\"gk-enclosed-2\""), std::string::npos);
}

TEST(SieveHostile, AHeaderIsReadToABoundAndStaysWhole) {
    std::string message;
    for (int i = 0; i < 20'000; ++i) message += "a:\r\n";
    message += kMail;
    const Outcome many = outcome_of(
        "require [\"editheader\", \"relational\", \"comparator-i;ascii-numeric\"];"
        "if header :count \"gt\" :comparator \"i;ascii-numeric\" \"a\" \"10000\" { discard; } addheader \"X\" \"1\";",
        message);
    ASSERT_EQ(many.actions.size(), 1u) << many.error;
    EXPECT_EQ(edited(many, message), "X: 1\r\n" + message);
    const std::string huge = "To: " + std::string(2 << 20, 'x') + "\r\nSubject: y\r\n\r\nBody\r\n";
    const Outcome large =
        outcome_of("require \"editheader\"; if exists \"to\" { discard; } addheader \"X\" \"1\";", huge);
    ASSERT_EQ(large.actions.size(), 1u) << large.error;
    EXPECT_EQ(edited(large, huge), "X: 1\r\n" + huge);
}

TEST(SieveHostile, WhatEndsLoopsOfRedirectsIsNotDeleted) {
    const std::string message =
        "Return-Path: <bob@example.com>\r\nDelivered-To: ann@example.org\r\n" + std::string(kMail);
    const Outcome outcome = outcome_of(
        "require \"editheader\"; deleteheader \"delivered-to\"; deleteheader \"Return-Path\"; deleteheader \"subject\";"
        "redirect \"eve@example.com\";",
        message);
    const std::string sent = edited(outcome, message);
    EXPECT_NE(sent.find("Delivered-To: ann@example.org"), std::string::npos) << sent;
    EXPECT_NE(sent.find("Return-Path: <bob@example.com>"), std::string::npos) << sent;
    EXPECT_EQ(sent.find("Subject"), std::string::npos) << sent;
}

TEST(SieveHostile, NoScriptWritesWhatOnlyTheServerSays) {
    for (const std::string_view name : {"Authentication-Results", "ARC-Seal", "X-GK-Spam"}) {
        const std::string field = std::string(name) + ": mail.example.org; dkim=pass";
        for (const std::string& script : {"require \"editheader\"; addheader \"X\" \"1\"; addheader \"" +
                                              std::string(name) + "\" \"mail.example.org; dkim=pass\";",
                                          "require \"enclose\"; enclose :headers [\"X: 1\", \"" + field + "\"] \"x\";",
                                          "require [\"replace\"]; replace :mime \"X: 1\r\n" + field + "\r\n\r\nx\";"}) {
            const Outcome outcome = outcome_of(script, kMail);
            const std::string sent = edited(outcome, kMail);
            EXPECT_EQ(outcome.error, "") << script;
            EXPECT_NE(sent.find("X: 1\r\n"), std::string::npos) << sent;
            EXPECT_EQ(sent.find(name), std::string::npos) << sent;
            ASSERT_EQ(outcome.remarks.size(), 1u) << script;
        }
    }
}

TEST(SieveHostile, ARemarkIsMadeOnceAndNotWithoutEnd) {
    std::string message = "Content-Type: multipart/mixed; boundary=b\r\nList-Id: x\r\n\r\n";
    for (int i = 0; i < 100; ++i) message += "--b\r\n\r\nleaf\r\n";
    const Outcome same =
        outcome_of("require [\"foreverypart\", \"vacation\"]; foreverypart { vacation \"x\"; }", message);
    EXPECT_EQ(same.remarks.size(), 1u);
    std::string script = "require \"editheader\";";
    for (int i = 0; i < 100; ++i) script += "addheader \"X-GK-" + std::to_string(i) + "\" \"x\";";
    EXPECT_EQ(outcome_of(script, kMail).remarks.size(), Limits().actions);
}

std::string error_of(std::string_view text, const Dialect& dialect) {
    const auto script = compile(text, dialect);
    return script ? "" : script.error().front().text;
}

TEST(SieveHostile, EachRewriteAndEachCopyOfOneCounts) {
    const std::string message = std::string(kMail) + std::string(100'000, 'x');
    Limits limits;
    limits.copied = 250'000;
    EXPECT_EQ(outcome_of("require \"enclose\"; enclose \"x\"; keep;", message, limits).error, "");
    EXPECT_NE(outcome_of("require \"enclose\"; enclose \"x\"; enclose \"x\"; enclose \"x\"; keep;", message, limits)
                  .error.find("too large to be rewritten"),
              std::string::npos);
    std::string copies = "require [\"enclose\", \"editheader\", \"fileinto\", \"copy\"]; enclose \"x\";";
    for (int i = 0; i < 5; ++i) copies += "addheader \"X\" \"1\"; fileinto :copy \"m" + std::to_string(i) + "\";";
    EXPECT_NE(outcome_of(copies, message, limits).error.find("too large to be changed"), std::string::npos);
}

std::uint64_t steps_of(const std::string& extensions, const std::string& test, std::string_view message = kMail) {
    return outcome_of("require [" + extensions + "]; if " + test + " { discard; }", message).steps;
}

TEST(SieveHostile, WhatLooksAtMuchOrAsksTheStoreCountsForIt) {
    EXPECT_GE(steps_of("\"mboxmetadata\"", "metadata \"INBOX\" \"/private/x\" \"y\""), 64u);
    EXPECT_GE(steps_of("\"mailbox\"", "mailboxexists \"INBOX\""), 64u);
    EXPECT_GE(steps_of("\"duplicate\"", "duplicate :uniqueid \"x\""), 64u);
    std::string flags;
    for (int i = 0; i < 10'000; ++i) flags += "f" + std::to_string(i) + ' ';
    EXPECT_GE(steps_of("\"imap4flags\"", "hasflag \"" + flags + "\""), flags.size() / 64);
    EXPECT_GE(outcome_of("require \"imap4flags\"; setflag \"" + flags + "\";", kMail).steps, flags.size() / 256 * 2);
    const std::string pattern = "\"variables\", \"regex\"]; set \"p\" \"";
    const auto compiled_steps = [&](const std::string& regex) {
        return outcome_of("require [" + pattern + regex + "\"; if header :regex \"subject\" \"${p}\" { discard; }",
                          kMail)
            .steps;
    };
    EXPECT_GT(compiled_steps("(a{30}){20}"), compiled_steps("(a{1}){2}..") + 100) << "what a pattern became counts";
}

TEST(SieveHostile, AProgramIsBoundedInNodesAndInAllItsPatterns) {
    Dialect dialect;
    dialect.limits.nodes = 5;
    EXPECT_EQ(error_of("keep; keep; keep; keep; keep;", dialect), "");
    EXPECT_EQ(error_of("keep; keep; keep; keep; keep; keep;", dialect),
              "the program has more than 5 commands, tests and strings");
    EXPECT_NE(error_of("if header [\"a\", \"b\", \"c\"] \"d\" { keep; }", dialect).find("more than 5"),
              std::string::npos);
    dialect = {};
    dialect.limits.regexes_memory = 3 * (128u << 10);
    const std::string before = "require \"regex\"; if header :regex \"subject\" [\"a\", \"b\", \"c\"";
    EXPECT_EQ(error_of(before + "] { keep; }", dialect), "");
    EXPECT_NE(error_of(before + ", \"d\"] { keep; }", dialect).find("the regular expressions of the program take more"),
              std::string::npos);
}

TEST(SieveHostile, ANotificationGoesToFew) {
    EXPECT_EQ(outcome_of("require \"enotify\"; notify \"mailto:a@example.com,b@example.com\";", kMail).actions.size(),
              2u);
    EXPECT_NE(error_of("require \"enotify\"; notify \"mailto:a@example.com?cc=b@example.com&bcc=c@example.com\";", {})
                  .find("more than 2 addresses"),
              std::string::npos);
}

}  // namespace
}  // namespace gk::sieve::testing
