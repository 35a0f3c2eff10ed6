// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "common/maildir/layout.hpp"
#include "common/maildir/state.hpp"
#include "common/maildir/texts.hpp"
#include "common/maildir/uidlist.hpp"

namespace gk::maildir {
namespace {

TEST(MaildirUidlist, ReadsADovecotSample) {
    const std::string bytes =
        "3 V1275660208 N25022 G3085f01b7f11094c501100008c4a11c1\n"
        "25006 :1276528487.M364837P9451.kurkku,S=1355,W=1394:2,\n"
        "25017 W2481 :1276533073.M242911P3632.kurkku:2,F\n";
    const auto list = parse_uidlist(bytes);
    ASSERT_TRUE(list);
    EXPECT_EQ(list->validity, 1275660208u);
    EXPECT_EQ(list->next, 25022u);
    EXPECT_EQ(list->guid, "3085f01b7f11094c501100008c4a11c1");
    ASSERT_EQ(list->entries.size(), 2u);
    EXPECT_EQ(list->entries[0].name, "1276528487.M364837P9451.kurkku,S=1355,W=1394");
    EXPECT_EQ(list->entries[1].extra, "W2481");
    EXPECT_EQ(list->entries[1].uid, 25017u);
    EXPECT_FALSE(list->damaged);
}

TEST(MaildirUidlist, CountsAppendedLinesIntoTheNextUid) {
    const std::string bytes = "3 V1795341029 N2 Gbcce5409e3ba026b5638000083ecc375\n1 :a\n2 :b\n";
    EXPECT_EQ(parse_uidlist(bytes)->next, 3u);
}

TEST(MaildirUidlist, PassesOverTornAndDisorderedLines) {
    const std::string bytes = "3 V5 N2\n1 :a\n1 :b\nx :c\n4294967295 :d\n7 e\n8 :.f\n9 :g\n10 :tor";
    const auto list = parse_uidlist(bytes);
    ASSERT_TRUE(list);
    EXPECT_TRUE(list->damaged);
    ASSERT_EQ(list->entries.size(), 2u);
    EXPECT_EQ(list->entries[1].uid, 9u);
}

TEST(MaildirUidlist, BelievesNothingWithoutAHeader) {
    for (const std::string bytes : {"", "\n", "1 V5 N2\n", "3 N2\n1 :a\n", "3 V99999999999 N1\n"})
        EXPECT_FALSE(parse_uidlist(bytes)) << bytes;
}

TEST(MaildirUidlist, ReadsBackWhatItWrites) {
    std::string out = format_uidlist_header(7, 12, new_guid());
    append_uidlist_line(out, 3, "", "base,S=1:2,S");
    append_uidlist_line(out, 11, "W5 Pabc", "other");
    const auto list = parse_uidlist(out);
    ASSERT_TRUE(list);
    EXPECT_FALSE(list->damaged);
    EXPECT_EQ(list->guid.size(), 32u);
    EXPECT_EQ(list->entries[0].name, "base,S=1");
    EXPECT_EQ(list->entries[1].extra, "W5 Pabc");
}

TEST(MaildirKeywords, ReadsAndWritesDovecotsFile) {
    const auto names = parse_keywords("0 $Forwarded\n1 Foo\n25 kw26\n26 kw27\nx y\n3 bad name\n4 foo\n");
    EXPECT_EQ(names[0], "$Forwarded");
    EXPECT_EQ(names[25], "kw26");
    EXPECT_EQ(names[3], "");
    EXPECT_EQ(names[4], "");  // the same keyword as 1
    EXPECT_EQ(format_keywords(names), "0 $Forwarded\n1 Foo\n25 kw26\n");
}

TEST(MaildirSubscriptions, ReadsAndWritesDovecotsVersion2) {
    const std::string bytes = "V\t2\n\nSent\nA\tB\nEntw&APw-rfe\n";
    const auto names = parse_subscriptions(bytes);
    EXPECT_EQ(names, (std::vector<std::string>{"A/B", "Entwürfe", "Sent"}));
    EXPECT_EQ(format_subscriptions(names), "V\t2\n\nA\tB\nEntw&APw-rfe\nSent\n");
}

TEST(MaildirSubscriptions, ReadsTheOlderForm) {
    EXPECT_EQ(parse_subscriptions("Sent\nA.B\nC/D\ninbox\n"),
              (std::vector<std::string>{"A/B", "C/D", "INBOX", "Sent"}));
}

TEST(MaildirLayout, MapsNamesToDirectoriesAndBack) {
    EXPECT_EQ(directory_of("INBOX"), "");
    EXPECT_EQ(directory_of("A/Entwürfe"), ".A.Entw&APw-rfe");
    EXPECT_EQ(name_of(".A.Entw&APw-rfe"), "A/Entwürfe");
    for (const char* none : {"", ".", "..", "A", ".A..B", "..gk-removed.x", ".INBOX", ".a&b", ".a/b"})
        EXPECT_FALSE(name_of(none)) << none;
}

TEST(MaildirLayout, RefusesNamesThatCannotBeMailboxes) {
    for (const std::string name :
         {"", "a.b", "a//b", "/a", "a/", "..", "a\x01", "\xff", "a*", "100%", "~", "inbox", "Inbox/x"})
        EXPECT_FALSE(check_name(name)) << name;
    EXPECT_FALSE(check_name(std::string(256, 'x')));
    for (const std::string name : {"a", "a/b", "INBOX/x", "日本語", "a & b", "x~"})
        EXPECT_TRUE(check_name(name)) << name;
}

TEST(MaildirState, ReadsBackWhatItWrites) {
    MailboxState state;
    state.boot = "b1";
    state.uid_ceiling = 1001;
    state.modseq_ceiling = 10001;
    state.special_use = "\\Sent";
    state.uidvalidity = 9;
    state.keywords[26] = "$Label";
    state.messages[26] = {{1, 1}, {4, 7}};
    EXPECT_EQ(parse_state(format_state(state)), state);
}

TEST(MaildirState, KeepsLinesItDoesNotKnow) {
    const auto state = parse_state("gk-state 1\nboot x\nmetadata /shared/comment hello\nuid-ceiling 5\n");
    EXPECT_EQ(state.unknown, (std::vector<std::string>{"metadata /shared/comment hello"}));
    EXPECT_NE(format_state(state).find("\nmetadata /shared/comment hello\n"), std::string::npos);
}

TEST(MaildirState, PassesOverWhatIsMalformed) {
    const auto state = parse_state(
        "uid-ceiling -1\nmodseq-ceiling x\nkeyword 5 low\nkeyword 70 high\nkeyword 30\nmessages 30 4,3\nmessages 31 "
        "0:5\n");
    EXPECT_EQ(state.uid_ceiling, 1u);
    EXPECT_EQ(state.modseq_ceiling, 1u);
    EXPECT_TRUE(state.keywords.empty());
    EXPECT_TRUE(state.messages.empty());
}

}  // namespace
}  // namespace gk::maildir
