// SPDX-License-Identifier: MIT
#include "tests/unit/store/store_fixture.hpp"

namespace gk::store {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMessage = "Subject: x\r\n\r\nhello\r\n";

class StoreTogether : public StoreTest {
protected:
    Incoming begun(const std::string& mailbox, int count) {
        auto incoming = account_->incoming(mailbox);
        EXPECT_TRUE(incoming);
        for (int i = 0; i < count; ++i) {
            EXPECT_TRUE(incoming->begin());
            EXPECT_TRUE(incoming->write(kMessage));
        }
        return std::move(*incoming);
    }
    std::string journal(const std::string& mailbox) { return path(mailbox) + "/gk-together"; }
    // As a writer leaves it that died: COUNT files of which the first PLACED have their final names.
    void leave(const std::string& mailbox, int count, int placed, const std::string& more = "") {
        std::string lines;
        for (int i = 0; i < count; ++i) {
            const std::string base = "1700000000.M" + std::to_string(i) + "P1.host";
            const std::string name = (i < placed ? "/new/" : "/tmp/") + base;
            std::ofstream(path(mailbox) + name) << "Subject: x\n\nhello\n";
            lines += "place\ttmp/" + base + "\tnew/" + base + "\n";
        }
        std::ofstream(journal(mailbox)) << lines << more;
    }
};

TEST_F(StoreTogether, ComeInOneStep) {
    auto incoming = begun("Sent", 3);
    const auto appended = incoming.commit_together();
    ASSERT_TRUE(appended) << appended.error().text;
    EXPECT_EQ(appended->uids, (std::vector<Uid>{1, 2, 3}));
    EXPECT_EQ(uids("Sent"), appended->uids);
    EXPECT_FALSE(fs::exists(journal("Sent")));
    EXPECT_TRUE(files("Sent", "tmp").empty());
    reopen(true);
    EXPECT_EQ(uids("Sent"), appended->uids);
}

TEST_F(StoreTogether, HundredsHoldFewDescriptors) {
    const auto open_files = [] {
        return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
    };
    const auto before = open_files();
    auto incoming = account_->incoming("Sent");
    ASSERT_TRUE(incoming);
    for (int i = 0; i < 600; ++i) {
        ASSERT_TRUE(incoming->seal());
        ASSERT_TRUE(incoming->begin());
        ASSERT_TRUE(incoming->write(kMessage));
    }
    EXPECT_LT(open_files() - before, 100);
    const auto appended = incoming->commit_together();
    ASSERT_TRUE(appended) << appended.error().text;
    EXPECT_EQ(appended->uids.size(), 600u);
    EXPECT_EQ(uids("Sent").size(), 600u);
}

TEST_F(StoreTogether, ReplaceAMessageHereOrElsewhere) {
    const Uid old = deliver("Drafts");
    const Mailbox drafts = mailbox("Drafts");
    auto here = begun("Drafts", 1);
    ASSERT_TRUE(here.commit_together(Incoming::Replaced{&drafts, old}));
    EXPECT_EQ(uids("Drafts"), (std::vector<Uid>{2}));
    auto elsewhere = begun("Sent", 1);
    ASSERT_TRUE(elsewhere.commit_together(Incoming::Replaced{&drafts, 2}));
    EXPECT_TRUE(uids("Drafts").empty());
    EXPECT_EQ(uids("Sent").size(), 1u);
    auto nothing = begun("Sent", 1);
    const auto gone = nothing.commit_together(Incoming::Replaced{&drafts, 2});
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().code, Errc::NotFound);
    EXPECT_EQ(uids("Sent").size(), 1u);
    EXPECT_TRUE(files("Sent", "tmp").empty());
    reopen(true);
    EXPECT_TRUE(uids("Drafts").empty());
    EXPECT_EQ(uids("Sent").size(), 1u);
}

TEST_F(StoreTogether, AreTakenBackWhereTheWriterDiedBeforeTheFirst) {
    leave("Sent", 3, 0);
    ASSERT_TRUE(account_->reconcile(true));
    EXPECT_TRUE(uids("Sent").empty());
    EXPECT_TRUE(files("Sent", "tmp").empty());
    EXPECT_FALSE(fs::exists(journal("Sent")));
}

TEST_F(StoreTogether, AreCompletedWhereTheWriterDiedInTheMiddle) {
    const Uid old = deliver("Drafts");
    ASSERT_EQ(old, 1u);
    const std::string file = files("Drafts", "new").at(0);
    leave("Sent", 3, 1, "remove\t.Drafts\t" + file + "\n");
    ASSERT_TRUE(account_->reconcile(true));
    EXPECT_EQ(uids("Sent").size(), 3u);
    EXPECT_TRUE(uids("Drafts").empty());
    EXPECT_TRUE(files("Sent", "tmp").empty());
    EXPECT_FALSE(fs::exists(journal("Sent")));
}

TEST_F(StoreTogether, LeaveAloneWhatAJournalMayNotName) {
    std::ofstream(path("Sent") + "/tmp/x") << "x";
    std::ofstream(home_ + "/Maildir/outside") << "x";
    std::ofstream(journal("Sent")) << "place\ttmp/../../outside\tnew/y\nplace\ttmp/x\tnew/../../z\nremove\t..\tx\n"
                                      "remove\t.Sent/..\tx\nplace\n\n";
    ASSERT_TRUE(account_->reconcile(true));
    EXPECT_TRUE(fs::exists(home_ + "/Maildir/outside"));
    EXPECT_TRUE(fs::exists(path("Sent") + "/tmp/x"));
    EXPECT_FALSE(fs::exists(journal("Sent")));
}

TEST_F(StoreTogether, WaitForOthersAndAreForgottenOneByOne) {
    auto incoming = begun("Sent", 2);
    ASSERT_TRUE(incoming.seal());
    ASSERT_TRUE(incoming.begin());
    ASSERT_TRUE(incoming.write("half of it"));
    const auto first = incoming.commit_first(2);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->uids, (std::vector<Uid>{1, 2}));
    EXPECT_EQ(uids("Sent").size(), 2u);
    incoming.drop(1);
    EXPECT_TRUE(files("Sent", "tmp").empty());
    ASSERT_TRUE(incoming.begin());
    ASSERT_TRUE(incoming.write(kMessage));
    EXPECT_EQ(incoming.commit()->uids, (std::vector<Uid>{3}));
}

TEST_F(StoreTogether, KeepTheirSavedDateWithoutTheIndex) {
    IncomingMessage old;
    old.internal_date = 1'000'000'000;
    deliver("INBOX", std::string(kMessage), old);
    ASSERT_TRUE(mailbox("INBOX").copy(std::vector<Uid>{1}, "Sent"));
    const Row here = snapshot("INBOX").rows.at(0), there = snapshot("Sent").rows.at(0);
    EXPECT_GT(here.saved_date, 1'700'000'000);
    EXPECT_EQ(here.internal_date, 1'000'000'000);
    FlagUpdate update;
    update.flags = kSeen;
    ASSERT_TRUE(mailbox("INBOX").store(std::vector<Uid>{1}, update));
    std::ofstream(path("INBOX") + "/cur/1234567890.V1.host:2,") << "Subject: y\n\n";
    reopen(true);
    EXPECT_EQ(snapshot("INBOX").rows.at(0).saved_date, here.saved_date);
    EXPECT_EQ(snapshot("Sent").rows.at(0).saved_date, there.saved_date);
    EXPECT_EQ(snapshot("INBOX").rows.at(1).saved_date, 1'234'567'890);
}

TEST_F(StoreTogether, GiveTheirPreviewOnceMade) {
    deliver("INBOX");
    const std::vector<Uid> wanted{1, 7};
    EXPECT_FALSE(mailbox("INBOX").previews(wanted, true)->at(0));
    const auto made = mailbox("INBOX").previews(wanted, false);
    ASSERT_TRUE(made);
    EXPECT_EQ(made->at(0), "hello");
    EXPECT_FALSE(made->at(1));
    EXPECT_EQ(mailbox("INBOX").previews(wanted, true)->at(0), "hello");
    ASSERT_TRUE(mailbox("INBOX").copy(std::vector<Uid>{1}, "Sent"));
    EXPECT_EQ(mailbox("Sent").previews(wanted, true)->at(0), "hello");
    ASSERT_TRUE(mailbox("INBOX").remove(std::vector<Uid>{1}));
    EXPECT_FALSE(mailbox("INBOX").previews(wanted, true)->at(0));
}

}  // namespace
}  // namespace gk::store
