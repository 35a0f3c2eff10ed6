// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <optional>

#include "common/store/state.hpp"
#include "tests/unit/store/store_fixture.hpp"

namespace gk::store {
namespace {

// What is kept of a large mailbox besides its rows: packed rows, how much of it is read, and columns of values.
class LargeMailbox : public StoreTest {
protected:
    static constexpr Uid kMessages = 1500;

    void SetUp() override {
        StoreTest::SetUp();
        for (Uid i = 0; i < kMessages; ++i)
            write_file(fmt::format("{}/cur/{}.M{}P1.host:2,S", path("INBOX"), 1'700'000'000 + i, i),
                       fmt::format("Subject: number {}\n\nhello\n", i + 1));
        ASSERT_EQ(snapshot("INBOX", true).rows.size(), kMessages);
    }
    std::int64_t number(const std::string& sql) {
        auto query = account_->state().index.prepare(sql);
        EXPECT_TRUE(query);
        if (!query || !query->step().value_or(false)) return -1;
        const auto found = query->integer(0);
        query->reset();
        return found;
    }
    void run(const std::string& sql) { ASSERT_TRUE(account_->state().index.execute(sql)); }
    // As the packed rows say, and as the table says.
    void expect_both_alike() {
        ASSERT_EQ(number("SELECT count(*) FROM packed_rows"), 1);
        const auto packed = snapshot("INBOX");
        run("DELETE FROM packed_rows");
        const auto read = snapshot("INBOX");
        EXPECT_EQ(packed.rows, read.rows);
        EXPECT_EQ(packed.exists, read.rows.size());
        EXPECT_EQ(number("SELECT count(*) FROM packed_rows"), 1);
    }
    Uid first_unseen() { return mailbox("INBOX").outline(false, true)->first_unseen; }
};

TEST_F(LargeMailbox, HasTheSameRowsPackedAfterAnyChange) {
    expect_both_alike();
    store("INBOX", {3, 700, 701, 1500}, {FlagAction::Add, kFlagged, {"$Junk"}, {}});
    expect_both_alike();
    store("INBOX", {5, 6, 900, 1499}, {FlagAction::Add, kDeleted, {}, {}});
    ASSERT_TRUE(mailbox("INBOX").expunge());
    store("INBOX", {7, 901}, {FlagAction::Remove, kSeen, {}, {}});
    deliver("INBOX");
    deliver("INBOX");
    expect_both_alike();
    ASSERT_TRUE(mailbox("INBOX").remove(std::vector<Uid>{1501, 1502}));
    std::filesystem::remove(path("INBOX") + "/cur/1700000009.M9P1.host:2,S");
    ASSERT_TRUE(account_->reconcile(true));
    expect_both_alike();
    EXPECT_EQ(snapshot("INBOX").rows.size(), kMessages - 5);
}

TEST_F(LargeMailbox, IsPackedAnewWhenMuchHasChanged) {
    const auto before = number("SELECT modseq FROM packed_rows");
    store("INBOX", {1}, {FlagAction::Add, kFlagged, {}, {}});
    EXPECT_EQ(snapshot("INBOX").rows[0].flags, kSeen | kFlagged);
    EXPECT_EQ(number("SELECT modseq FROM packed_rows"), before);
    std::vector<Uid> many;
    for (Uid uid = 2; uid < 1200; ++uid) many.push_back(uid);
    store("INBOX", many, {FlagAction::Add, kAnswered, {}, {}});
    EXPECT_EQ(snapshot("INBOX").rows[5].flags, kSeen | kAnswered);
    EXPECT_GT(number("SELECT modseq FROM packed_rows"), before);
}

TEST_F(LargeMailbox, DoesWithoutPackedRowsThatCannotBeTrue) {
    const auto rows = snapshot("INBOX").rows;
    run("UPDATE packed_rows SET rows = substr(rows, 1, 5000)");
    EXPECT_EQ(snapshot("INBOX").rows, rows);
    run("UPDATE packed_rows SET rows = x'02ff'");
    EXPECT_EQ(snapshot("INBOX").rows, rows);
    run("UPDATE packed_rows SET modseq = modseq + 1000");
    EXPECT_EQ(snapshot("INBOX").rows, rows);
}

TEST_F(LargeMailbox, NamesTheFirstUnseenMessageWhateverHappens) {
    EXPECT_EQ(first_unseen(), 0u);
    deliver("INBOX");
    EXPECT_EQ(first_unseen(), kMessages + 1);
    EXPECT_EQ(number("SELECT messages FROM seen_before"), kMessages);
    deliver("INBOX");
    EXPECT_EQ(first_unseen(), kMessages + 1);
    store("INBOX", {kMessages + 1}, {FlagAction::Add, kSeen, {}, {}});
    EXPECT_EQ(first_unseen(), kMessages + 2);
    store("INBOX", {100}, {FlagAction::Remove, kSeen, {}, {}});
    EXPECT_EQ(first_unseen(), 100u);
    store("INBOX", {100}, {FlagAction::Add, kSeen, {}, {}});
    EXPECT_EQ(first_unseen(), kMessages + 2);
    ASSERT_TRUE(mailbox("INBOX").remove(std::vector<Uid>{4, 5}));
    EXPECT_EQ(first_unseen(), kMessages);
}

TEST_F(LargeMailbox, IsOutlinedAsItIs) {
    auto inbox = mailbox("INBOX");
    deliver("INBOX");
    auto outline = *inbox.outline(true, false);
    EXPECT_EQ(outline.snapshot.exists, kMessages + 1);
    EXPECT_EQ(outline.recent, 1u);
    EXPECT_EQ(outline.first_unseen, 0u);
    EXPECT_TRUE(outline.snapshot.rows.empty());
    EXPECT_EQ(inbox.outline(true, false)->recent, 0u);
    // Its rows come later, as they were but for flags; of what is gone the UID.
    ASSERT_TRUE(inbox.remove(std::vector<Uid>{10}));
    deliver("INBOX");
    const auto& known = outline.snapshot;
    const auto rows = inbox.recall({known.uidvalidity, known.uidnext, known.highest_modseq, known.exists}, true)->rows;
    ASSERT_EQ(rows.size(), kMessages + 1);
    EXPECT_EQ(rows[9], (Row{.uid = 10}));
    EXPECT_EQ(rows.back().uid, kMessages + 1);
}

TEST_F(LargeMailbox, KeepsColumnsAndMakesEachValueOnce) {
    auto inbox = mailbox("INBOX");
    std::size_t made = 0;
    Mailbox::Column subjects{40, 1, message::kSubjectField, [&](const message::Envelope& envelope) {
                                 ++made;
                                 return *envelope.subject;
                             }};
    const auto values = [&](const std::vector<Uid>& uids) {
        std::vector<std::string> out;
        EXPECT_TRUE(inbox.column(subjects, uids, [&](Uid, std::optional<std::string_view> value) {
            out.emplace_back(value.value_or("gone"));
        }));
        return out;
    };
    using Strings = std::vector<std::string>;
    EXPECT_EQ(values({2, 1030, 1032}), (Strings{"number 2", "number 1030", "number 1032"}));
    EXPECT_EQ(made, 3u);
    EXPECT_EQ(values({1, 2, 1030, 1031, 1032}),
              (Strings{"number 1", "number 2", "number 1030", "number 1031", "number 1032"}));
    EXPECT_EQ(made, 5u);
    std::vector<Uid> all;
    for (Uid uid = 1; uid <= kMessages; ++uid) all.push_back(uid);
    const auto first = values(all);
    EXPECT_EQ(made, kMessages);
    reopen();
    inbox = mailbox("INBOX");
    EXPECT_EQ(values(all), first);
    EXPECT_EQ(made, kMessages);
    EXPECT_EQ(first.back(), "number 1500");
    EXPECT_EQ(values({1400, 4'000'000'000}), (Strings{"number 1400", "gone"}));
    run("UPDATE columns SET pieces = substr(pieces, 1, 100)");
    EXPECT_EQ(values(all), first);
    made = 0;
    subjects.version = 2;
    EXPECT_EQ(values({7}), Strings{"number 7"});
    EXPECT_EQ(made, 1u);
}

}  // namespace
}  // namespace gk::store
