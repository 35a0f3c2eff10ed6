// SPDX-License-Identifier: MIT
#include "common/imap/grammar/message_url.hpp"

#include <gtest/gtest.h>

namespace gk::imap {
namespace {

TEST(ImapMessageUrl, ReadsWhatNamesAMessage) {
    const auto part = parse_message_url("/Drafts;UIDVALIDITY=385759045/;UID=20/;SECTION=1.2.MIME/;PARTIAL=5.10");
    ASSERT_TRUE(part);
    EXPECT_EQ(part->mailbox, "Drafts");
    EXPECT_EQ(part->uidvalidity, 385759045u);
    EXPECT_EQ(part->uid, 20u);
    EXPECT_EQ(part->section.part, (std::vector<std::uint32_t>{1, 2}));
    EXPECT_EQ(part->section.text, Section::Text::Mime);
    EXPECT_EQ(part->partial->offset, 5u);
    EXPECT_EQ(part->partial->length, 10u);
    const auto absolute = parse_message_url("IMAP://ann%40a.test;AUTH=*@mail.a.test:993/a/b%20c%C3%A9/;uid=3");
    ASSERT_TRUE(absolute);
    EXPECT_EQ(absolute->user, "ann@a.test");
    EXPECT_EQ(absolute->host, "mail.a.test");
    EXPECT_EQ(absolute->mailbox, "a/b c\xC3\xA9");
    EXPECT_EQ(parse_message_url("imap://[::1]:143/INBOX/;UID=3")->host, "[::1]:143");
    EXPECT_EQ(parse_message_url(";UID=3")->mailbox, "");
    EXPECT_EQ(parse_message_url("/;UID=3;section=TEXT")->section.text, Section::Text::Text);
    EXPECT_GT(parse_message_url("/INBOX/;UID=3/;PARTIAL=7")->partial->length, 1u << 30);
}

TEST(ImapMessageUrl, RefusesWhatDoesNot) {
    for (const char* wrong : {"",
                              "/",
                              "/INBOX",
                              "INBOX",
                              "/INBOX/;UID=0",
                              "/INBOX/;UID=",
                              "/INBOX/;UID=x",
                              "/INBOX/;UID=4294967296",
                              "/INBOX/;SECTION=1/;UID=2",
                              "/INBOX/;UID=1/;UIDVALIDITY=2",
                              "/INBOX/;UID=1/;UID=2",
                              "/INBOX/;UID=1/;SECTION=",
                              "/INBOX/;UID=1/;SECTION=MIME",
                              "/INBOX/;UID=1/;PARTIAL=1.0",
                              "/INBOX/;UID=1/;SECTION=1/;URLAUTH=anonymous",
                              "/IN%00BOX/;UID=1",
                              "/IN%0DBOX/;UID=1",
                              "/IN%4/;UID=1",
                              "/IN%C3/;UID=1",
                              "imap://",
                              "imap:///INBOX/;UID=1",
                              "imap://h/;UID=1",
                              "imap://u@/INBOX/;UID=1",
                              "http://h/INBOX/;UID=1",
                              "/INBOX/;UID=1/;",
                              "/INBOX/;UID=1x"})
        EXPECT_FALSE(parse_message_url(wrong)) << wrong;
}

}  // namespace
}  // namespace gk::imap
