// SPDX-License-Identifier: MIT
#include "common/spam/field.hpp"

#include <gtest/gtest.h>

#include "common/base/text.hpp"

namespace gk::spam {
namespace {

TEST(SpamField, SaysVerdictScoreAndReasons) {
    const Judgement judged{Verdict::Spam, 0.99321, {{"word:cheap pills", 1.234}, {"link-host:a.test", -0.5}}};
    EXPECT_EQ(
        format_field(judged),
        "X-GK-Spam: spam; score=0.9932;\r\n\treasons=\"word:cheap pills +1.23,\r\n\t link-host:a.test -0.50\"\r\n");
    EXPECT_EQ(format_field({}), "X-GK-Spam: unsure; score=0.5000\r\n");
}

TEST(SpamField, WhatStrangersWroteCannotBreakOutOfIt) {
    const std::string field = format_field({Verdict::Ham, 0.1, {{"word:a\"\r\nX-Evil: b, c\\ caf\xc3\xa9", 1}}});
    EXPECT_EQ(field.find("\r\nX-Evil"), std::string::npos);
    EXPECT_EQ(std::count(field.begin(), field.end(), '"'), 2);
    EXPECT_TRUE(text::is_ascii(field));
}

TEST(SpamField, IsReadOnlyAboveTheFirstReceived) {
    const auto told = read_field(
        "Return-Path: <x>\r\nX-GK-Spam: spam; score=0.75;\r\n\treasons=\"a +1.00\"\r\nReceived: by b\r\n\r\n");
    ASSERT_TRUE(told);
    EXPECT_EQ(told->verdict, Verdict::Spam);
    EXPECT_DOUBLE_EQ(told->score, 0.75);
    EXPECT_FALSE(read_field("Received: by b\r\nX-GK-Spam: spam; score=0.75\r\n\r\n"));
    EXPECT_FALSE(read_field("Subject: x\r\n\r\nX-GK-Spam: spam; score=0.75\r\n"));
}

TEST(SpamField, ForgedOnesAreTakenOutAndNothingElse) {
    const std::string forged =
        "A: 1\r\nx-gk-spam: ham; score=0\r\n\tmore\r\nB: 2\r\nX-GK-SPAM : ham\r\n\r\nX-GK-Spam: body\r\n";
    EXPECT_EQ(without_field(forged), "A: 1\r\nB: 2\r\n\r\nX-GK-Spam: body\r\n");
    EXPECT_FALSE(without_field("A: 1\r\n\r\nX-GK-Spam: body\r\n"));
}

}  // namespace
}  // namespace gk::spam
