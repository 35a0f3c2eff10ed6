// SPDX-License-Identifier: MIT
#include "common/message/lineage.hpp"

#include <gtest/gtest.h>

namespace gk::message {
namespace {

using Ids = std::vector<std::string>;

TEST(MessageIds, AreReadWhateverStandsAroundThem) {
    EXPECT_EQ(parse_message_ids("<a@x>"), Ids{"a@x"});
    EXPECT_EQ(parse_message_ids("<a@x> <b@y>\r\n\t<c@z>"), (Ids{"a@x", "b@y", "c@z"}));
    EXPECT_EQ(parse_message_ids("(<no@x>) \"<no@x>\" <\"a b\"@x><c\r\n @x>"), (Ids{"a b@x", "c@x"}));
    EXPECT_EQ(parse_message_ids("<\"01KF\"@x>"), parse_message_ids("<01KF@x>"));
    EXPECT_EQ(parse_message_ids("Your message (of today <a@x>"), Ids{"a@x"});
    EXPECT_EQ(parse_message_ids("<> <@> <a> <a@> <@a> a@b <a@b"), Ids{});
    EXPECT_EQ(parse_message_ids("<a <b@x>"), Ids{"b@x"});
}

TEST(MessageIds, KeepTheFirstAndTheLastOfTooMany) {
    EXPECT_EQ(parse_message_ids("<1@x><2@x><3@x><4@x><5@x><6@x>", 3), (Ids{"1@x", "5@x", "6@x"}));
    EXPECT_EQ(parse_message_ids("<1@x><2@x><3@x><4@x>", 3), (Ids{"1@x", "3@x", "4@x"}));
    EXPECT_EQ(parse_message_ids("<1@x><2@x>", 1), Ids{"1@x"});
}

TEST(Lineage, TakesReferencesBeforeInReplyTo) {
    const auto lineage = read_lineage(
        "Message-ID: <c@x>\nReferences: <a@x> <b@x> <b@x> <c@x>\nIn-Reply-To: <z@x>\nDate: Thu, 1 Jan 1970 01:00:00 "
        "+0100\nSubject: Re:\n two\n\nReferences: <y@x>\n");
    ASSERT_EQ(lineage.references.size(), 2u);
    EXPECT_EQ(lineage.sent, 0);
    EXPECT_TRUE(lineage.is_reply);
    const auto answer = read_lineage("In-Reply-To: <c@x> <d@x>\nReferences: none\n\n");
    EXPECT_EQ(answer.references, std::vector<std::uint64_t>{lineage.own});
    EXPECT_EQ(answer.own, 0u);
    EXPECT_FALSE(answer.sent);
}

TEST(Lineage, KnowsEqualSubjects) {
    const auto subject = [](const std::string& value) { return read_lineage("Subject: " + value + "\n\n"); };
    EXPECT_EQ(subject("Re: [list] HELLO (fwd)").subject, subject("hello").subject);
    EXPECT_TRUE(subject("Re: hello").is_reply);
    EXPECT_FALSE(subject("[list] hello").is_reply);
    EXPECT_NE(subject("hello").subject, subject("hallo").subject);
    EXPECT_EQ(subject("Re:").subject, 0u);
    EXPECT_EQ(read_lineage("To: x\n\n").subject, 0u);
}

}  // namespace
}  // namespace gk::message
