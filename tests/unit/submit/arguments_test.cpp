// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>

#include "common/submit/arguments.hpp"

namespace gk::submit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Mode = Arguments::Mode;

Arguments parsed(const std::vector<std::string>& words, std::string_view program = "sendmail") {
    auto a = parse_arguments(program, words);
    EXPECT_TRUE(a) << (a ? "" : a.error().text);
    return a ? *a : Arguments{};
}

TEST(SendmailArguments, CronsCall) {
    const auto a = parsed({"-i", "-FCronDaemon", "-B8BITMIME", "-oem", "root"});
    EXPECT_TRUE(a.dot_is_text);
    EXPECT_FALSE(a.recipients_from_header);
    EXPECT_EQ(a.full_name, "CronDaemon");
    EXPECT_TRUE(a.eight_bit);
    EXPECT_THAT(a.recipients, ElementsAre("root"));
}

TEST(SendmailArguments, CallsOfPhpGitMuttAndMailx) {
    const auto php = parsed({"-t", "-i", "-fbounce@a.test"});
    EXPECT_TRUE(php.recipients_from_header && php.dot_is_text);
    EXPECT_EQ(php.sender, "bounce@a.test");
    const auto git = parsed({"-i", "-f", "ann@a.test", "bob@a.test", "carl@b.test"});
    EXPECT_EQ(git.sender, "ann@a.test");
    EXPECT_THAT(git.recipients, ElementsAre("bob@a.test", "carl@b.test"));
    const auto mutt =
        parsed({"-oem", "-oi", "-f", "ann@a.test", "-N", "failure,delay", "-R", "hdrs", "--", "-x@a.test"});
    EXPECT_TRUE(mutt.dot_is_text);
    EXPECT_EQ(mutt.notify, "FAILURE,DELAY");
    EXPECT_EQ(mutt.ret, "HDRS");
    EXPECT_THAT(mutt.recipients, ElementsAre("-x@a.test"));
    EXPECT_THAT(parsed({"-i", "-r", "ann@a.test", "--", "bob"}).recipients, ElementsAre("bob"));
}

TEST(SendmailArguments, TheNullSenderIsNotAMissingOne) {
    EXPECT_EQ(parsed({"-f", "<>", "x"}).sender, "");
    EXPECT_EQ(parsed({"-f", "", "x"}).sender, "");
    EXPECT_FALSE(parsed({"x"}).sender);
}

TEST(SendmailArguments, SwitchesMayShareAWord) {
    const auto a = parsed({"-tivf", "ann@a.test"});
    EXPECT_TRUE(a.recipients_from_header && a.dot_is_text && a.verbose);
    EXPECT_EQ(a.sender, "ann@a.test");
}

TEST(SendmailArguments, ModesByOptionAndByName) {
    EXPECT_EQ(parsed({"-bs"}).mode, Mode::Smtp);
    EXPECT_EQ(parsed({"-bm", "x"}).mode, Mode::Deliver);
    EXPECT_EQ(parsed({"-bp"}).mode, Mode::ListQueue);
    EXPECT_EQ(parsed({}, "mailq").mode, Mode::ListQueue);
    EXPECT_EQ(parsed({}, "newaliases").mode, Mode::Nothing);
    EXPECT_EQ(parsed({"-bi"}).mode, Mode::Nothing);
    EXPECT_EQ(parsed({"-q"}).mode, Mode::Flush);
    EXPECT_EQ(parsed({"-q30m"}).mode, Mode::Flush);
}

TEST(SendmailArguments, OptionsOfOthersAreReadPastWithTheirValues) {
    const auto a =
        parsed({"-v",   "-Am", "-L",  "tag", "-U",    "-G", "-h", "5",     "-C", "/etc/x.cf", "-O", "DeliveryMode=b",
                "-odb", "-X",  "log", "-p",  "ESMTP", "-n", "-m", "-d0.1", "bob"});
    EXPECT_THAT(a.recipients, ElementsAre("bob"));
    EXPECT_EQ(a.mode, Mode::Deliver);
}

TEST(SendmailArguments, WhatMeansNothingIsRefused) {
    for (const std::vector<std::string>& bad : {std::vector<std::string>{"-z"},
                                                {"-f"},
                                                {"-B", "9BIT"},
                                                {"-N", "sometimes"},
                                                {"-N", "never,delay"},
                                                {"-R", "some"},
                                                {"-bd"},
                                                {"-bx"},
                                                {"-V", ""},
                                                {"-V", std::string(101, 'x')},
                                                {"--nonsense"}}) {
        const auto a = parse_arguments("sendmail", bad);
        ASSERT_FALSE(a) << bad[0];
        EXPECT_EQ(a.error().code, Errc::BadInput);
    }
    EXPECT_THAT(parse_arguments("sendmail", {"-f"}).error().text, HasSubstr("-f wants a value"));
}

}  // namespace
}  // namespace gk::submit
