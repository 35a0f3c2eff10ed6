// SPDX-License-Identifier: MIT
#include "common/search/index.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include "common/search/query.hpp"
#include "tests/unit/store/store_fixture.hpp"

namespace gk::search {
namespace {

class SearchIndexTest : public store::StoreTest {
protected:
    Index open_index(const IndexOptions& options = {}) {
        auto index = Index::open(home_, options);
        EXPECT_TRUE(index) << index.error().text;
        return std::move(*index);
    }
    // Everything taken in; returns how many messages were gone through.
    std::size_t fill(Index& index, std::size_t batch = 100) {
        EXPECT_TRUE(index.sync(*account_));
        EXPECT_TRUE(index.set_limit(*account_));
        std::size_t through = 0;
        const auto entries = account_->list();
        for (const auto& entry : *entries) {
            if (!entry.exists) continue;
            auto box = mailbox(entry.name);
            const auto number = index.sync(box);
            EXPECT_TRUE(number) << number.error().text;
            for (;;) {
                const auto added = index.add(box, *number, batch);
                EXPECT_TRUE(added) << added.error().text;
                if (!added || *added == 0) break;
                through += *added;
            }
        }
        EXPECT_TRUE(index.forget_lost());
        return through;
    }
    // "INBOX/1 Sent/2", the best first.
    std::string found(Index& index, std::string_view query) {
        const auto parsed = parse_query(query, 0);
        if (!parsed) return "! " + parsed.error().text;
        const auto matches = find(index, *account_, *parsed);
        if (!matches) return "! " + matches.error().text;
        std::string out;
        for (const auto& match : *matches)
            out += fmt::format("{}{}/{}", out.empty() ? "" : " ", match.mailbox, match.row.uid);
        return out;
    }
    IndexStatus status(Index& index) {
        const auto status = index.status();
        EXPECT_TRUE(status);
        return *status;
    }
    static std::string mail(std::string_view subject, std::string_view body, std::string_view more = "") {
        return fmt::format("From: Ann Example <ann.example@a.test>\r\nTo: bob@b.test\r\nSubject: {}\r\n{}\r\n{}\r\n",
                           subject, more, body);
    }
};

TEST_F(SearchIndexTest, FindsWordsWhereTheyAre) {
    deliver("INBOX", mail("Quarterly report", "the figures are in the table"));
    deliver("INBOX", mail("Lunch", "the report can wait", "Cc: carol@c.test\r\nList-Id: <food.lists.test>\r\n"));
    deliver("Sent", mail("=?utf-8?q?Caf=C3=A9?= au lait", "nothing"));
    Index index = open_index();
    EXPECT_EQ(fill(index), 3u);
    EXPECT_EQ(found(index, "report"), "INBOX/1 INBOX/2");  // the subject weighs more
    EXPECT_EQ(found(index, "subject:report"), "INBOX/1");
    EXPECT_EQ(found(index, "body:report"), "INBOX/2");
    EXPECT_EQ(found(index, "rep"), "");
    EXPECT_EQ(found(index, "rep*"), "INBOX/1 INBOX/2");
    EXPECT_EQ(found(index, "CAFE"), "Sent/1");
    EXPECT_EQ(found(index, "from:ann.example@a.test in:Sent"), "Sent/1");
    EXPECT_EQ(found(index, "from:example -in:Sent").size(), std::string("INBOX/1 INBOX/2").size());
    EXPECT_EQ(found(index, "cc:carol header:food.lists.test"), "INBOX/2");
    EXPECT_EQ(found(index, "\"the figures\""), "INBOX/1");
    EXPECT_EQ(found(index, "\"figures the\""), "");
    EXPECT_EQ(found(index, "(lunch OR lait) -wait"), "Sent/1");
    EXPECT_EQ(found(index, "report -is:read larger:10 smaller:1M").size(), std::string("INBOX/1 INBOX/2").size());
    EXPECT_EQ(found(index, "report is:read"), "");
}

TEST_F(SearchIndexTest, OfEqualsTheLatestComesFirst) {
    store::IncomingMessage early, late;
    early.internal_date = 1'000'000'000;
    late.internal_date = 1'700'000'000;
    deliver("INBOX", mail("same", "words"), late);
    deliver("INBOX", mail("same", "words"), early);
    deliver("INBOX", mail("same", "words"), late);
    Index index = open_index();
    fill(index);
    EXPECT_EQ(found(index, "same words"), "INBOX/1 INBOX/3 INBOX/2");
    EXPECT_EQ(found(index, "same after:2020"), "INBOX/1 INBOX/3");
    EXPECT_EQ(found(index, "same on:2001"), "INBOX/2");
}

TEST_F(SearchIndexTest, ReadsHtmlAttachmentsAndEnclosedMessages) {
    deliver(
        "INBOX",
        "Subject: parts\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html; "
        "charset=iso-8859-1\r\n\r\n<p>gr\xfc\xdf"
        "e <b>fett</b></p><script>geheim</script>\r\n--b\r\nContent-Type: "
        "text/csv\r\nContent-Disposition: attachment; "
        "filename*=utf-8''%C3%9Cbersicht.csv\r\nContent-Transfer-Encoding: "
        "base64\r\n\r\nenVja2VyO3NhbHo=\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nFrom: dora@d.test\r\nSubject: "
        "enclosed\r\n\r\nkernel\r\n--b\r\nContent-Type: application/pdf; name=\"r.pdf\"\r\n\r\nbinary\r\n--b--\r\n");
    deliver("INBOX", mail("none", "nothing"));
    Index index = open_index();
    fill(index);
    for (const char* query : {"grüße", "gruesse OR GRUSSE", "fett", "zucker", "salz", "filename:ubersicht.csv",
                              "dora@d.test", "enclosed", "kernel", "filename:r.pdf", "has:attachment"})
        EXPECT_EQ(found(index, query), "INBOX/1") << query;
    EXPECT_EQ(found(index, "geheim"), "");
    EXPECT_EQ(found(index, "binary"), "");
    EXPECT_EQ(found(index, "-has:attachment"), "INBOX/2");
}

TEST_F(SearchIndexTest, FindsScriptsWithoutSpaces) {
    deliver("INBOX",
            mail("=?utf-8?b?5p2x5Lqs6YO9?=", "今日は東京に行きます", "Content-Type: text/plain; charset=utf-8\r\n"));
    Index index = open_index();
    fill(index);
    for (const char* query : {"東京", "東京都", "京都", "都", "行きます", "今", "す"})
        EXPECT_EQ(found(index, query), "INBOX/1") << query;
    EXPECT_EQ(found(index, "京東"), "");
}

TEST_F(SearchIndexTest, FollowsMovesAndCopiesWithoutReadingAgain) {
    deliver("INBOX", mail("travelling", "light"));
    Index index = open_index();
    EXPECT_EQ(fill(index), 1u);
    const auto before = status(index).messages;
    const store::Uid one[] = {1};
    ASSERT_TRUE(mailbox("INBOX").copy(one, "Archive"));
    ASSERT_TRUE(mailbox("INBOX").move(one, "Trash"));
    store("Trash", {1},
          {.action = store::FlagAction::Add, .flags = store::kSeen, .keywords = {}, .unchanged_since = {}});
    fill(index);
    EXPECT_EQ(found(index, "travelling"), "Archive/1 Trash/1");
    EXPECT_EQ(found(index, "travelling is:read"), "Trash/1");
    EXPECT_EQ(status(index).messages, before);  // the same document: nothing was read
    EXPECT_EQ(status(index).remains, 0u);
}

TEST_F(SearchIndexTest, ForgetsWhatIsExpungedAndFollowsRenamedMailboxes) {
    deliver("INBOX", mail("stays", "x1"));
    deliver("INBOX", mail("goes", "x1"));
    ASSERT_TRUE(account_->create("Project"));
    deliver("Project", mail("within", "x1"));
    Index index = open_index();
    fill(index);
    const store::Uid two[] = {2};
    ASSERT_TRUE(mailbox("INBOX").remove(two));
    ASSERT_TRUE(account_->rename("Project", "Old/Project"));
    EXPECT_EQ(found(index, "goes"), "");
    EXPECT_EQ(fill(index), 1u);  // only its place is new
    EXPECT_EQ(found(index, "within"), "Old/Project/1");
    EXPECT_EQ(status(index).messages, 2u);
    EXPECT_EQ(status(index).remains, 1u);
}

TEST_F(SearchIndexTest, IsMadeAnewAfterEitherDatabaseIsDeleted) {
    for (int i = 0; i < 20; ++i) deliver("INBOX", mail(fmt::format("number{}", i), "x1"));
    {
        Index index = open_index();
        EXPECT_EQ(fill(index, 7), 20u);
    }
    reopen(true);
    {
        Index index = open_index();
        EXPECT_EQ(found(index, "number7"), "INBOX/8");
        EXPECT_EQ(status(index).waiting, 0u);
        ASSERT_TRUE(Index::discard(home_));
        EXPECT_FALSE(index.is_current());
    }
    Index index = open_index();
    EXPECT_EQ(found(index, "number7"), "");
    EXPECT_EQ(fill(index), 20u);
    EXPECT_EQ(found(index, "number7"), "INBOX/8");
}

TEST_F(SearchIndexTest, IsMadeAnewWhereItIsDamaged) {
    deliver("INBOX", mail("word", "x1"));
    write_file(home_ + "/search.db", "this is no database, and long enough for somebody to look at it ...");
    Index index = open_index();
    fill(index);
    EXPECT_EQ(found(index, "word"), "INBOX/1");
}

TEST_F(SearchIndexTest, TakesTwoWritersAtOnce) {
    for (int i = 0; i < 30; ++i) deliver("INBOX", mail(fmt::format("number{}", i), "x1"));
    Index one = open_index(), two = open_index();
    auto box = mailbox("INBOX");
    const auto number = one.sync(box);
    ASSERT_EQ(number.value(), two.sync(box).value());
    while (one.add(box, *number, 3).value() + two.add(box, *number, 5).value() > 0) {}
    EXPECT_EQ(status(one).messages, 30u);
    EXPECT_EQ(status(two).waiting, 0u);
    EXPECT_EQ(found(one, "number11"), "INBOX/12");
}

TEST_F(SearchIndexTest, PastItsLimitTakesInHeadersOnly) {
    deliver("INBOX", mail("early", "bodyword"));
    IndexOptions options;
    options.least_size = 1;
    options.share_percent = 0;
    Index index = open_index(options);
    fill(index);
    EXPECT_TRUE(index.is_full());
    EXPECT_EQ(found(index, "early"), "INBOX/1");
    EXPECT_EQ(found(index, "bodyword"), "");
    EXPECT_EQ(status(index).only_headers, 1u);
}

TEST_F(SearchIndexTest, EmptiesAVolumeWhoseRemainsOutweigh) {
    auto incoming = account_->incoming("INBOX");
    ASSERT_TRUE(incoming);
    for (int i = 0; i < 1200; ++i) {
        ASSERT_TRUE(incoming->begin({}));
        ASSERT_TRUE(incoming->write(mail(fmt::format("number{}", i), "x1")));
    }
    ASSERT_TRUE(incoming->commit());
    Index index = open_index();
    fill(index, 500);
    std::vector<store::Uid> gone;
    for (store::Uid uid = 1; uid <= 1100; ++uid) gone.push_back(uid);
    ASSERT_TRUE(mailbox("INBOX").remove(gone));
    fill(index);
    EXPECT_EQ(status(index).remains, 1100u);
    std::size_t moved = 0;
    for (;;) {
        const auto step = index.compact(*account_, 30);
        ASSERT_TRUE(step) << step.error().text;
        // In between, everything is found.
        EXPECT_EQ(found(index, "number1150"), "INBOX/1151");
        if (*step == 0) break;
        moved += *step;
    }
    EXPECT_EQ(moved, 100u);
    EXPECT_EQ(status(index).remains, 0u);
    EXPECT_EQ(status(index).messages, 100u);
    EXPECT_EQ(found(index, "x1 number1199"), "INBOX/1200");
    EXPECT_EQ(index.compact(*account_, 30).value(), 0u);
}

TEST_F(SearchIndexTest, ShowsWhereAWordStands) {
    EXPECT_EQ(snippet("short text", {{kAllColumns, "text", false}}), "short text");
    std::string body;
    for (int i = 0; i < 200; ++i) body += "filler words here\n";
    body += "the Needle é stands here";
    const auto shown = snippet(body, {{kAllColumns, "needle", false}}, 60);
    EXPECT_NE(shown.find("Needle"), std::string::npos) << shown;
    EXPECT_LT(shown.size(), 80u);
    EXPECT_EQ(snippet("", {}), "");
}

}  // namespace
}  // namespace gk::search
