// SPDX-License-Identifier: MIT
#include "common/message/base_subject.hpp"

#include <gtest/gtest.h>

namespace gk::message {
namespace {

TEST(BaseSubject, IsExtractedStepByStep) {
    const struct {
        std::string_view raw, base;
        bool reply;
    } kCases[] = {
        {"plans", "plans", false},
        {"", "", false},
        {" \t ", "", false},
        {"Re: plans", "plans", true},
        {"RE : plans", "plans", true},
        {"re[2]: plans", "plans", true},
        {"Fwd: Re: FW: plans", "plans", true},
        {"[list] plans", "plans", false},
        {"[list] Re: [list] plans", "plans", true},
        {"[a] [b] Re [c] : plans", "plans", true},
        {"[only]", "[only]", false},
        {"[a] [only]", "[only]", false},
        {"Re: [only]", "[only]", true},
        {"plans (fwd) (FWD)", "plans", true},
        {"plans(fwd)", "plans", true},
        {"[Fwd: Re: [x] plans (fwd)]", "plans", true},
        {"[fwd: [Fwd: plans]]", "plans", true},
        {"[Fwd: a] b", "b", false},
        {"Re: ", "", true},
        {"(fwd)", "", true},
        {"rE\tplans", "rE plans", false},
        {"request: plans", "request: plans", false},
        {"a  \t b\r\n c", "a b c", false},
        {"=?utf-8?q?Re:_Caf=C3=A9?=", "Caf\xC3\xA9", true},
        {"[open plans", "[open plans", false},
        {"[a[b] plans", "[a[b] plans", false},
        {"Re:Re:Re:x", "x", true},
    };
    for (const auto& each : kCases) {
        const BaseSubject found = base_subject(each.raw);
        EXPECT_EQ(found.text, each.base) << each.raw;
        EXPECT_EQ(found.reply, each.reply) << each.raw;
    }
}

TEST(BaseSubject, TakesLinearTime) {
    std::string blobs, replies, forwards;
    for (int i = 0; i < 20'000; ++i) blobs += "[a] ", replies += "Re: ", forwards += "[fwd:";
    EXPECT_EQ(base_subject(blobs).text, "[a]");
    EXPECT_EQ(base_subject(replies + "x").text, "x");
    EXPECT_EQ(base_subject(forwards + "x" + std::string(20'000, ']')).text, "x");
}

}  // namespace
}  // namespace gk::message
