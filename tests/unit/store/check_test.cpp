// SPDX-License-Identifier: MIT
#include "common/store/check.hpp"

#include <sys/stat.h>
#include <sys/time.h>
#include <set>

#include "common/db/database.hpp"
#include "tests/unit/store/store_fixture.hpp"

namespace gk::store {
namespace {

class StoreCheck : public StoreTest {
protected:
    std::set<std::string> kinds(bool files = true) {
        std::set<std::string> found;
        const auto checked = check(*account_, files, [&](const Finding& finding) { found.insert(finding.kind); });
        EXPECT_TRUE(checked) << checked.error().text;
        return found;
    }
    void damage(const std::string& sql) {
        auto db = db::Database::open(home_ + "/index.db");
        ASSERT_TRUE(db);
        ASSERT_TRUE(db->execute(sql));
    }
    // KIND is found, and after repair() nothing is.
    void expect_mended(const std::string& kind) {
        EXPECT_TRUE(kinds().contains(kind)) << kind;
        const auto repaired = repair(*account_);
        ASSERT_TRUE(repaired) << repaired.error().text;
        EXPECT_EQ(kinds(), std::set<std::string>()) << kind;
    }
    const std::set<std::string> nothing_{};
};

TEST_F(StoreCheck, FindsNothingInAHealthyAccount) {
    IncomingMessage wanted;
    wanted.flags = kSeen;
    wanted.keywords = {"Work"};
    deliver("INBOX");
    deliver("INBOX", "a\nb", wanted);
    store("INBOX", {1}, {FlagAction::Add, kDeleted, {"Other"}, {}});
    ASSERT_TRUE(mailbox("INBOX").move(std::vector<Uid>{1}, "Trash"));
    EXPECT_EQ(kinds(), nothing_);
    ASSERT_TRUE(repair(*account_));
    EXPECT_EQ(kinds(), nothing_);
    EXPECT_EQ(uids("INBOX"), std::vector<Uid>{2});
}

TEST_F(StoreCheck, MendsWhatFilesAndIndexDisagreeOn) {
    const auto a = deliver("INBOX"), b = deliver("INBOX");
    ASSERT_EQ(snapshot("INBOX", true).rows.size(), 2u);
    const auto names = files("INBOX", "cur");
    std::filesystem::rename(path("INBOX") + "/cur/" + names[0], path("INBOX") + "/cur/" + names[0] + "S");
    expect_mended("flags");
    std::filesystem::remove(path("INBOX") + "/cur/" + names[1]);
    expect_mended("missing-file");
    write_file(path("INBOX") + "/new/1.x", "x\n");
    expect_mended("unknown-file");
    EXPECT_EQ(uids("INBOX"), (std::vector<Uid>{a, uids("INBOX").back()}));
    EXPECT_GT(uids("INBOX").back(), b);
}

TEST_F(StoreCheck, MendsTheIndex) {
    deliver("INBOX");
    damage("UPDATE mailboxes SET messages = 7, unseen = 9 WHERE name = 'INBOX'");
    expect_mended("counters");
    damage("UPDATE messages SET size = 999999");
    expect_mended("size");
    EXPECT_EQ(snapshot("INBOX").rows.at(0).size, 21u);
    damage("UPDATE mailboxes SET uidnext = 1 WHERE name = 'INBOX'");
    expect_mended("ceiling");
    damage("UPDATE messages SET flags = 4");
    expect_mended("flags");
    damage("DELETE FROM messages");
    expect_mended("unknown-file");
    EXPECT_EQ(account_->status("INBOX")->messages, 1u);
}

TEST_F(StoreCheck, MendsTheUidlist) {
    deliver("INBOX");
    const auto list = path("INBOX") + "/dovecot-uidlist";
    const auto good = read(list);
    std::filesystem::remove(list);
    expect_mended("no-uidlist");
    write_file(list, "garbage");
    expect_mended("damaged-uidlist");
    write_file(list, good + "2 :torn");
    expect_mended("damaged-uidlist");
    write_file(list, good.substr(0, good.find('\n') + 1));
    expect_mended("unlisted");
    EXPECT_EQ(uids("INBOX"), std::vector<Uid>{1});
}

TEST_F(StoreCheck, MendsTheTreeOfMailboxes) {
    std::filesystem::create_directories(home_ + "/Maildir/.Foreign/cur");
    expect_mended("unknown-mailbox");
    std::filesystem::remove_all(home_ + "/Maildir/.Foreign");
    expect_mended("missing-mailbox");
}

TEST_F(StoreCheck, RemovesOnlyWhatDiedLongAgoFromTmp) {
    const auto old = path("INBOX") + "/tmp/old", fresh = path("INBOX") + "/tmp/fresh";
    write_file(old, "x");
    write_file(fresh, "x");
    const timeval times[2] = {{1, 0}, {1, 0}};
    ASSERT_EQ(::utimes(old.c_str(), times), 0);
    // ctime is now, and cannot be set: a file is old only when both are.
    EXPECT_EQ(kinds(), nothing_);
    ASSERT_TRUE(repair(*account_));
    EXPECT_TRUE(os::exists(old));
    EXPECT_TRUE(os::exists(fresh));
}

TEST_F(StoreCheck, LeavesTwoFilesOfOneMessageToAPerson) {
    deliver("INBOX");
    ASSERT_EQ(snapshot("INBOX", true).rows.size(), 1u);
    const auto name = files("INBOX", "cur").at(0);
    std::filesystem::copy(path("INBOX") + "/cur/" + name, path("INBOX") + "/cur/" + name + "F");
    ASSERT_TRUE(repair(*account_));
    EXPECT_EQ(kinds(), std::set<std::string>{"twice"});
    EXPECT_EQ(files("INBOX", "cur").size(), 2u);
}

TEST_F(StoreCheck, GivesWellKnownNamesTheSpecialUsesThatNobodyHas) {
    ASSERT_TRUE(account_->set_special_use("Sent", ""));
    ASSERT_TRUE(account_->remove("Junk"));
    ASSERT_TRUE(account_->remove("Sent"));
    ASSERT_TRUE(account_->create("Spam"));
    ASSERT_TRUE(account_->create("Sent Items"));
    const auto given = adopt_special_uses(*account_);
    ASSERT_TRUE(given);
    EXPECT_EQ(given->size(), 2u);
    EXPECT_EQ(account_->find("Spam")->special_use, "\\Junk");
    EXPECT_EQ(account_->find("Sent Items")->special_use, "\\Sent");
}

}  // namespace
}  // namespace gk::store
