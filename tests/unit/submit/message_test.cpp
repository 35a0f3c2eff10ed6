// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>

#include "common/submit/draft.hpp"
#include "common/submit/hand_over.hpp"
#include "common/submit/header.hpp"

namespace gk::submit {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

const Author kAnn{"ann@a.test", "Ann B. Example", "a.test"};

Prepared prepared(std::string_view block) { return prepare_header(block, kAnn, "ID1", from_unix_s(1'800'000'000)); }

TEST(SubmittedHeader, GetsWhatIsMissing) {
    const auto header = prepared("Subject: x\r\n").header;
    EXPECT_THAT(header, StartsWith("Subject: x\r\nFrom: \"Ann B. Example\" <ann@a.test>\r\nDate: "));
    EXPECT_THAT(header, EndsWith("\r\nMessage-ID: <ID1@a.test>\r\n"));
    const std::string whole = "From: bob@b.test\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\nMESSAGE-ID: <x@y>\r\n";
    EXPECT_EQ(prepared(whole).header, whole);
}

TEST(SubmittedHeader, NamesOutsideAsciiAreEncoded) {
    EXPECT_THAT(prepare_header("", {"ann@a.test", "J\xc3\xbcrgen", "a.test"}, "I", {}).header,
                StartsWith("From: =?UTF-8?B?SsO8cmdlbg==?= <ann@a.test>\r\n"));
}

TEST(SubmittedHeader, NobodySeesBcc) {
    const auto p = prepared(
        "To: bob@b.test\r\nBCC: eve@b.test,\r\n carl@b.test\r\nReturn-Path: <x@y>\r\nResent-Bcc: z@b.test\r\nCc: "
        "dan\r\n");
    for (const char* hidden : {"eve", "carl", "Return-Path", "z@b.test"}) EXPECT_THAT(p.header, Not(HasSubstr(hidden)));
    EXPECT_THAT(p.header, HasSubstr("To: bob@b.test\r\nCc: dan@a.test\r\n"));
}

TEST(SubmittedHeader, NamesItsRecipients) {
    EXPECT_THAT(
        prepared("To: Bob <bob@b.test>, root\r\nCc: team: x@c.test, y@c.test;\r\nBcc: eve@b.test\r\n").recipients,
        ElementsAre("bob@b.test", "root@a.test", "x@c.test", "y@c.test", "eve@b.test"));
    EXPECT_THAT(prepared("Subject: x\r\n").recipients, IsEmpty());
    EXPECT_THAT(prepared("To: undisclosed-recipients:;\r\n").recipients, IsEmpty());
}

TEST(SubmittedHeader, OfAResentMessageTheFirstBlockCounts) {
    EXPECT_THAT(prepared("Resent-From: ann@a.test\r\nResent-To: new@b.test\r\nResent-Bcc: too@b.test\r\n"
                         "Resent-From: old@a.test\r\nResent-To: older@b.test\r\nTo: first@b.test\r\n")
                    .recipients,
                ElementsAre("new@b.test", "too@b.test"));
}

TEST(SubmittedHeader, QualifiesNamesAndLeavesTheRestAlone) {
    EXPECT_THAT(prepared("From: root (Cron Daemon)\r\n").header, HasSubstr("From: Cron Daemon <root@a.test>\r\n"));
    EXPECT_THAT(prepared("To: ann, \"B, C\" <bob@b.test>\r\n").header,
                HasSubstr("To: ann@a.test,\r\n \"B, C\" <bob@b.test>\r\n"));
    EXPECT_THAT(prepared("To:   odd@b.test  (as it was)\r\n").header, HasSubstr("To:   odd@b.test  (as it was)\r\n"));
}

TEST(SubmittedHeader, AMailboxsFirstLineIsDropped) {
    EXPECT_THAT(prepared("From ann Mon Jan  1 00:00:00 2024\r\nSubject: x\r\n").header, StartsWith("Subject: x\r\n"));
}

TEST(Qualify, NamesAndWhatIsNone) {
    EXPECT_EQ(qualify("root", "a.test").value(), "root@a.test");
    EXPECT_EQ(qualify("Ann <ann@b.test>", "a.test").value(), "ann@b.test");
    for (const char* bad : {"", "a@", "@b.test", "a b@c@d", "x@-.."}) EXPECT_FALSE(qualify(bad, "a.test")) << bad;
    EXPECT_THAT(qualify_list("ann, bob@b.test", "a.test").value(), ElementsAre("ann@a.test", "bob@b.test"));
    EXPECT_FALSE(qualify_list("", "a.test"));
    // No line end, and no ">" that would end the path, comes through.
    for (const char* hostile : {"a\r\nRCPT TO:<x@y.test>", "a> NOTIFY=NEVER <b@c.test"}) {
        const auto address = qualify(hostile, "a.test");
        if (address) {
            EXPECT_THAT(*address, Not(testing::AnyOf(HasSubstr("\n"), HasSubstr("\r"), HasSubstr(">")))) << hostile;
        }
    }
}

struct Taken {
    std::string header, body;
};

Taken taken(std::string_view bytes, bool dot_ends = true) {
    Taken whole;
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
        Draft draft({dot_ends, 0, testing::TempDir()});
        EXPECT_TRUE(draft.feed(bytes.substr(0, cut)));
        EXPECT_TRUE(draft.feed(bytes.substr(cut)));
        EXPECT_TRUE(draft.finish());
        const Taken split{draft.header(), std::string(draft.body().memory())};
        if (cut == 0) whole = split;
        EXPECT_EQ(split.header, whole.header) << cut;
        EXPECT_EQ(split.body, whole.body) << cut;
    }
    return whole;
}

TEST(Draft, LineEndsOfEveryKindBecomeCrlfAtAnySplit) {
    const auto t = taken("Subject: a\n b\r\nX: y\n\none\r\ntwo\rthree\r\r\nfour");
    EXPECT_EQ(t.header, "Subject: a\r\n b\r\nX: y\r\n");
    EXPECT_EQ(t.body, "one\r\ntwo\r\nthree\r\nfour\r\n");
}

TEST(Draft, WithoutAHeaderAllIsBody) {
    EXPECT_EQ(taken("backup done: 3 files\nok\n").header, "");
    EXPECT_EQ(taken("backup done: 3 files\nok\n").body, "backup done: 3 files\r\nok\r\n");
    EXPECT_EQ(taken("\nSubject: no\n").body, "Subject: no\r\n");
    EXPECT_EQ(taken("Subject: x\nhello there\n").body, "hello there\r\n");
    EXPECT_EQ(taken("").body, "");
}

TEST(Draft, ADotAloneEndsTheMessageUnlessItIsText) {
    EXPECT_EQ(taken("A: b\n\none\n.\ntwo\n").body, "one\r\n");
    EXPECT_EQ(taken("A: b\n\none\r\n.\r\ntwo\r\n").body, "one\r\n");
    EXPECT_EQ(taken("A: b\n\none\n.\n..two\n", false).body, "one\r\n.\r\n..two\r\n");
    EXPECT_EQ(taken("A: b\n\n.x\n").body, ".x\r\n");
}

TEST(Draft, IsBoundedInSizeAndInHeader) {
    Draft small({true, 100, testing::TempDir()});
    EXPECT_EQ(small.feed("A: b\n\n" + std::string(100, 'x') + "\n").error().code, Errc::BadInput);
    Draft header({true, 0, testing::TempDir()});
    Status status = ok();
    for (int i = 0; i < 20'000 && status; ++i) status = header.feed("X: " + std::string(100, 'x') + "\n");
    EXPECT_EQ(status.error().code, Errc::BadInput);
}

TEST(Draft, ALargeBodyLeavesMemory) {
    Draft draft({true, 0, testing::TempDir()});
    EXPECT_TRUE(draft.feed("A: b\n\n"));
    for (int i = 0; i < 300; ++i) EXPECT_TRUE(draft.feed(std::string(9'999, 'x') + "\n"));
    EXPECT_TRUE(draft.finish());
    EXPECT_EQ(draft.body().size(), 300u * 10'001);
    EXPECT_LE(draft.body().memory().size(), 1u << 20);
}

TEST(Draft, SeesBytesOutsideAscii) {
    Draft draft({true, 0, testing::TempDir()});
    EXPECT_TRUE(draft.feed("A: b\n\nplain\n"));
    EXPECT_FALSE(draft.eight_bit());
    EXPECT_TRUE(draft.feed("gr\xc3\xbc\xc3\x9f\n"));
    EXPECT_TRUE(draft.eight_bit());
}

TEST(Xtext, HidesWhatAParameterMayNotHold) { EXPECT_EQ(to_xtext("a+b=c d"), "a+2Bb+3Dc+20d"); }

}  // namespace
}  // namespace gk::submit
