// SPDX-License-Identifier: MIT
#include "common/store/outline.hpp"

#include "common/db/database.hpp"
#include "store_fixture.hpp"

namespace gk::store {
namespace {

// Enough messages that their rows get a file, made by COPY.
class StoreOutline : public StoreTest {
protected:
    void SetUp() override {
        StoreTest::SetUp();
        for (int i = 0; i < 16; ++i) deliver("INBOX");
        while (uids("INBOX").size() < kOutlinedFrom) ASSERT_TRUE(mailbox("INBOX").copy(uids("INBOX"), "INBOX"));
        all_ = uids("INBOX");
    }
    std::string file() const { return home_ + "/outlines/1"; }
    // Rows as a session gets them, which may come by way of the file, and as the index alone has them.
    void expect_true_rows(bool by_file) {
        EXPECT_EQ(std::filesystem::exists(file()), by_file);
        const auto taken = snapshot("INBOX");
        std::filesystem::rename(file(), file() + ".aside");
        const auto plain = mailbox("INBOX").snapshot(false);
        ASSERT_TRUE(plain);
        EXPECT_TRUE(std::equal(taken.rows.begin(), taken.rows.end(), plain->rows.begin(), plain->rows.end()));
        EXPECT_EQ(taken.highest_modseq, plain->highest_modseq);
        std::filesystem::rename(file() + ".aside", file());
    }
    void flag(const std::vector<Uid>& uids, Flags flags) {
        ASSERT_TRUE(mailbox("INBOX").store(uids, {FlagAction::Replace, flags, {}, {}}));
    }
    std::vector<Uid> all_;
};

TEST_F(StoreOutline, GivesTheRowsThatTheIndexHasWhateverHappenedSince) {
    snapshot("INBOX", true);  // and its chores
    expect_true_rows(true);
    flag({all_[0], all_[7], all_.back()}, kFlagged);
    expect_true_rows(true);
    ASSERT_TRUE(mailbox("INBOX").remove(std::vector<Uid>{all_[0], all_[1], all_[3], all_[500], all_.back()}));
    expect_true_rows(true);
    deliver("INBOX");
    deliver("INBOX");
    expect_true_rows(true);
    flag(uids("INBOX"), kSeen);
    expect_true_rows(true);
    ASSERT_TRUE(mailbox("INBOX").copy(uids("INBOX"), "INBOX"));
    expect_true_rows(true);
    std::filesystem::remove(path("INBOX") + "/cur/" + files("INBOX", "cur").at(3));  // by another program
    ASSERT_TRUE(mailbox("INBOX").changes_since(1, Look::Thorough));
    expect_true_rows(true);
}

TEST_F(StoreOutline, LeavesNoDraftsOfWritersThatWereKilled) {
    snapshot("INBOX", true);
    const std::string old = file() + ".01killed", young = file() + ".02writing";
    for (const auto& draft : {old, young}) write_file(draft, "x");
    std::filesystem::last_write_time(old, std::filesystem::file_time_type::clock::now() - std::chrono::hours(2));
    ASSERT_TRUE(mailbox("INBOX").remove(std::vector<Uid>{all_[0]}));
    snapshot("INBOX", true);  // writes another file
    EXPECT_FALSE(std::filesystem::exists(old));
    EXPECT_TRUE(std::filesystem::exists(young));
    expect_true_rows(true);
}

TEST_F(StoreOutline, KeepsForASessionWhatItSawAtFirst) {
    snapshot("INBOX", true);
    const auto first = mailbox("INBOX").snapshot(false);
    flag(all_, kDeleted);
    snapshot("INBOX", true);  // writes another file
    ASSERT_TRUE(mailbox("INBOX").expunge());
    ASSERT_EQ(first->rows.size(), all_.size());
    EXPECT_EQ(first->rows[5].flags, 0);
    EXPECT_EQ(first->rows.back().uid, all_.back());
    EXPECT_TRUE(snapshot("INBOX").rows.empty());
}

TEST_F(StoreOutline, TakesWhatArrivesAndWhatGoesWhereverTheRowsLie) {
    snapshot("INBOX", true);
    auto taken = snapshot("INBOX");
    const std::size_t many = 20'000;  // more than there is room for behind the file
    for (std::size_t i = 0; i < many; ++i) taken.rows.push_back({.uid = static_cast<Uid>(100'000 + i)});
    ASSERT_EQ(taken.rows.size(), all_.size() + many);
    EXPECT_EQ(taken.rows[3].uid, all_[3]);
    EXPECT_EQ(taken.rows.back().uid, 100'000 + many - 1);
    taken.rows.truncate(2);
    EXPECT_EQ(taken.rows.size(), 2u);
    EXPECT_EQ(taken.rows.back().uid, all_[1]);
}

TEST_F(StoreOutline, IsNotBelievedWhereItIsOfAnotherIndexOrTornOrGone) {
    snapshot("INBOX", true);
    const auto whole = std::filesystem::file_size(file());
    for (const std::uintmax_t size :
         {whole - 1, whole - sizeof(Row), std::uintmax_t{70'000}, std::uintmax_t{10}, std::uintmax_t{0}}) {
        std::filesystem::resize_file(file(), size);
        expect_true_rows(true);
        snapshot("INBOX", true);
        EXPECT_EQ(std::filesystem::file_size(file()), whole);
    }
    const std::string kept = file() + ".kept";
    std::filesystem::copy_file(file(), kept);
    ASSERT_TRUE(mailbox("INBOX").remove(std::vector<Uid>{all_[2]}));
    reopen(true);  // the new index knows nothing of that
    ASSERT_TRUE(account_->reconcile(true));
    std::filesystem::remove(file());
    std::filesystem::copy_file(kept, file());
    expect_true_rows(true);
    ASSERT_TRUE(account_->create("Other"));
    ASSERT_TRUE(account_->rename("INBOX", "Old"));
    EXPECT_TRUE(snapshot("INBOX").rows.empty());
    ASSERT_TRUE(mailbox("Old").snapshot(true));
    const auto old = mailbox("Old").status()->messages;
    EXPECT_EQ(old, all_.size() - 1);
}

}  // namespace
}  // namespace gk::store
