// SPDX-License-Identifier: MIT
#include "common/db/database.hpp"
#include "tests/unit/store/store_fixture.hpp"

namespace gk::store {
namespace {

class StoreChanged : public StoreTest {
protected:
    void SetUp() override {
        StoreTest::SetUp();
        for (int i = 0; i < 60; ++i) all_.push_back(deliver("INBOX"));
    }
    // The UIDs that changed after MODSEQ, as the store says.
    std::vector<Uid> changed_since(ModSeq modseq) {
        const auto changes = mailbox("INBOX").changes_since(modseq);
        EXPECT_TRUE(changes) << changes.error().text;
        std::vector<Uid> uids;
        if (changes)
            for (const Row& row : changes->rows) uids.push_back(row.uid);
        return uids;
    }
    ModSeq flag(std::vector<Uid> uids, Flags flags) {
        const auto stored = mailbox("INBOX").store(uids, {FlagAction::Add, flags, {}, {}});
        EXPECT_TRUE(stored) << stored.error().text;
        return stored ? stored->modseq : 0;
    }
    void in_index(const std::string& sql) {
        auto db = db::Database::open(home_ + "/index.db");
        ASSERT_TRUE(db);
        const auto done = db->execute(sql);
        ASSERT_TRUE(done) << done.error().text;
    }
    std::int64_t count(const std::string& sql) {
        auto db = db::Database::open(home_ + "/index.db");
        EXPECT_TRUE(db);
        auto query = db->prepare(sql);
        EXPECT_TRUE(query);
        EXPECT_TRUE(query->step());
        return query->integer(0);
    }
    std::vector<Uid> all_;
};

TEST_F(StoreChanged, RowsAreToldAloneHoweverTheyLieApart) {
    const ModSeq before = snapshot("INBOX").highest_modseq;
    const ModSeq first = flag({all_[0], all_[1], all_[5], all_[40], all_[59]}, kFlagged);
    EXPECT_EQ(changed_since(before), (std::vector<Uid>{all_[0], all_[1], all_[5], all_[40], all_[59]}));
    flag({all_[5], all_[6]}, kSeen);
    EXPECT_EQ(changed_since(first), (std::vector<Uid>{all_[5], all_[6]}));
    EXPECT_EQ(changed_since(before), (std::vector<Uid>{all_[0], all_[1], all_[5], all_[6], all_[40], all_[59]}));
    ASSERT_TRUE(mailbox("INBOX").remove(std::vector<Uid>{all_[5]}));
    EXPECT_EQ(changed_since(first), std::vector<Uid>{all_[6]});
    EXPECT_EQ(changed_since(1), (std::vector<Uid>([&] {
                  auto left = all_;
                  left.erase(left.begin() + 5);
                  return left;
              }())));
}

TEST_F(StoreChanged, RowsThatAnotherProgramChangedAreTold) {
    ASSERT_EQ(snapshot("INBOX", true).rows.size(), all_.size());
    const ModSeq before = snapshot("INBOX").highest_modseq;
    const auto names = files("INBOX", "cur");
    std::filesystem::rename(path("INBOX") + "/cur/" + names.front(), path("INBOX") + "/cur/" + names.front() + "F");
    const auto changes = mailbox("INBOX").changes_since(before, Look::Thorough);
    ASSERT_TRUE(changes);
    EXPECT_EQ(changes->rows.size(), 1u);
}

TEST_F(StoreChanged, RowsOfCopiesAreToldInTheTarget) {
    ASSERT_TRUE(mailbox("Trash").copy(all_, "Sent"));
    ASSERT_TRUE(mailbox("INBOX").copy(all_, "Sent"));
    EXPECT_EQ(mailbox("Sent").changes_since(1)->rows.size(), all_.size());
    ASSERT_TRUE(mailbox("INBOX").move(std::vector<Uid>{all_[3], all_[7]}, "INBOX"));
    EXPECT_EQ(uids("INBOX").size(), all_.size());
    EXPECT_EQ(changed_since(snapshot("INBOX").highest_modseq - 2).size(), 2u);
}

TEST_F(StoreChanged, AreOneLineWhereTheyHappenAtOnce) {
    const auto before = count("SELECT count(*) FROM changed");
    flag(all_, kFlagged);
    EXPECT_EQ(count("SELECT count(*) FROM changed"), before + 1);
}

TEST_F(StoreChanged, AreForgottenBeforeTheyAreVeryMany) {
    account_.reset();
    in_index(
        "WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 11500) "
        "INSERT INTO changed SELECT number, i, 1, 1 FROM n, mailboxes WHERE name = 'INBOX'; "
        "UPDATE mailboxes SET modseq = 12031 WHERE name = 'INBOX'; "
        "UPDATE messages SET modseq = 5000 WHERE key = (SELECT max(key) FROM messages)");
    account_ = open();
    const ModSeq now = flag({all_[2]}, kFlagged);
    ASSERT_EQ(now % 256, 0u);
    EXPECT_LT(count("SELECT count(*) FROM changed"), 6000);
    EXPECT_EQ(changed_since(now - 1), std::vector<Uid>{all_[2]});
    // What was forgotten is looked for in all rows.
    EXPECT_EQ(changed_since(4999), (std::vector<Uid>{all_[2], all_[59]}));
    EXPECT_EQ(changed_since(1), all_);
}

TEST_F(StoreChanged, IncludeWhatWasBeforeTheLog) {
    const ModSeq before = snapshot("INBOX").highest_modseq;
    const ModSeq changed = flag({all_[30]}, kFlagged);
    account_.reset();
    in_index(
        "DROP TABLE changed; DROP TABLE columns; CREATE INDEX messages_by_modseq ON messages(mailbox, modseq); "
        "PRAGMA user_version = 5");
    account_ = open();
    EXPECT_EQ(changed_since(before), std::vector<Uid>{all_[30]});
    flag({all_[31]}, kSeen);
    EXPECT_EQ(changed_since(changed), std::vector<Uid>{all_[31]});
    EXPECT_EQ(changed_since(before), (std::vector<Uid>{all_[30], all_[31]}));
}

}  // namespace
}  // namespace gk::store
