// SPDX-License-Identifier: MIT
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <map>

#include "common/db/database.hpp"
#include "common/maildir/state.hpp"
#include "common/maildir/uidlist.hpp"
#include "tests/unit/store/store_fixture.hpp"

namespace gk::store {
namespace {

class StoreReconcile : public StoreTest {
protected:
    void rename_in(const std::string& mailbox, const std::string& from, const std::string& to) {
        std::filesystem::rename(path(mailbox) + "/" + from, path(mailbox) + "/" + to);
    }
};

TEST_F(StoreReconcile, EverythingIsTheSameWithoutTheIndex) {
    IncomingMessage wanted;
    wanted.flags = kSeen;
    wanted.keywords = {"$Junk", "Work"};
    wanted.internal_date = 1'234'567'890;
    deliver("INBOX");
    deliver("INBOX", "b\r\n", wanted);
    deliver("INBOX", "c\nd\r\n");
    store("INBOX", {1}, {FlagAction::Add, kFlagged, {"Work"}, {}});
    ASSERT_TRUE(mailbox("INBOX").remove(std::vector<Uid>{3}));
    deliver("INBOX", "c\nd\r\n");
    const auto before = snapshot("INBOX", true);
    reopen(true);
    const auto after = snapshot("INBOX");
    EXPECT_EQ(after.uidvalidity, before.uidvalidity);
    EXPECT_EQ(after.keywords, before.keywords);
    ASSERT_EQ(after.rows.size(), before.rows.size());
    for (std::size_t i = 0; i < after.rows.size(); ++i) {
        EXPECT_EQ(after.rows[i].uid, before.rows[i].uid);
        EXPECT_EQ(after.rows[i].flags, before.rows[i].flags);
        EXPECT_EQ(after.rows[i].keywords, before.rows[i].keywords);
        EXPECT_EQ(after.rows[i].size, before.rows[i].size);
        EXPECT_EQ(after.rows[i].internal_date, before.rows[i].internal_date);
        EXPECT_GT(after.rows[i].modseq, before.highest_modseq) << "a client must see it as news";
    }
    EXPECT_GE(after.uidnext, before.uidnext);
}

TEST_F(StoreReconcile, OldHistoryIsAllGapsWithoutTheIndex) {
    deliver("INBOX");
    deliver("INBOX");
    const auto known = snapshot("INBOX").highest_modseq;
    ASSERT_TRUE(mailbox("INBOX").remove(std::vector<Uid>{1}));
    reopen(true);
    const auto changes = mailbox("INBOX").changes_since(known);
    ASSERT_TRUE(changes);
    ASSERT_FALSE(changes->vanished.ranges.empty());
    EXPECT_EQ(changes->vanished.ranges[0], (UidRange{1, 1}));
    EXPECT_EQ(changes->rows.size(), 1u);
}

TEST_F(StoreReconcile, FollowsWhatAMailReaderDoes) {
    const auto a = deliver("INBOX"), b = deliver("INBOX"), c = deliver("INBOX");
    auto box = mailbox("INBOX");
    const auto before = box.snapshot(true)->highest_modseq;
    while (box.has_chores()) ASSERT_TRUE(box.do_chore());
    const auto names = files("INBOX", "cur");
    ASSERT_EQ(names.size(), 3u);
    std::map<Uid, std::string> by_uid;
    const auto list_bytes = read(path("INBOX") + "/dovecot-uidlist");
    const auto list = *maildir::parse_uidlist(list_bytes);
    for (const auto& entry : list.entries) by_uid[entry.uid] = std::string(entry.name);
    rename_in("INBOX", "cur/" + by_uid[a] + ":2,", "cur/" + by_uid[a] + ":2,FS");
    std::filesystem::remove(path("INBOX") + "/cur/" + by_uid[b] + ":2,");
    write_file(path("INBOX") + "/new/1795000000.1.mutt", "Subject: foreign\n\nbody\n");
    const auto changes = box.changes_since(before);
    ASSERT_TRUE(changes) << changes.error().text;
    ASSERT_EQ(changes->rows.size(), 2u);
    EXPECT_EQ(changes->rows[0].uid, a);
    EXPECT_EQ(changes->rows[0].flags, kFlagged | kSeen);
    EXPECT_EQ(changes->rows[1].uid, c + 1);
    EXPECT_EQ(changes->rows[1].size, 26u);
    EXPECT_EQ(changes->vanished.ranges, (std::vector<UidRange>{{b, b}}));
    reopen(true);
    EXPECT_EQ(uids("INBOX"), (std::vector<Uid>{a, c, c + 1}));
}

TEST_F(StoreReconcile, OpensAMessageThatWasRenamedJustNow) {
    const auto uid = deliver("INBOX");
    auto box = mailbox("INBOX");
    const auto name = files("INBOX", "new").at(0);
    rename_in("INBOX", "new/" + name, "cur/" + name + ":2,S");
    EXPECT_TRUE(box.open(uid));
    rename_in("INBOX", "cur/" + name + ":2,S", "cur/" + name + ":2,RS");
    const auto stored = box.store(std::vector<Uid>{uid}, {FlagAction::Add, kFlagged, {}, {}});
    ASSERT_TRUE(stored);
    EXPECT_EQ(stored->rows.size(), 1u);
    std::filesystem::remove(path("INBOX") + "/cur/" + files("INBOX", "cur").at(0));
    EXPECT_EQ(box.open(uid).error().code, Errc::NotFound);
}

TEST_F(StoreReconcile, LeavesAnUnchangedMailboxAlone) {
    deliver("INBOX");
    auto box = mailbox("INBOX");
    const auto before = box.snapshot(true)->highest_modseq;
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(box.changes_since(before, Look::Thorough)->empty());
    EXPECT_EQ(box.changes_since(before)->highest_modseq, before);
}

TEST_F(StoreReconcile, GivesARowToAFileWhoseDeliveryDiedBeforeIt) {
    deliver("INBOX");
    // Renamed into new/, then killed: no row, no line.
    write_file(path("INBOX") + "/new/1795341042.M1P1Q1.host,S=2,W=3", "x\n");
    const auto taken = snapshot("INBOX");
    ASSERT_EQ(taken.rows.size(), 2u);
    EXPECT_EQ(taken.rows[1].uid, 2u);
    EXPECT_EQ(taken.rows[1].size, 3u);
}

TEST_F(StoreReconcile, TakesTheUidOfALineWhoseRowWasLost) {
    deliver("INBOX");
    write_file(path("INBOX") + "/new/2.b", "x\n");
    write_file(path("INBOX") + "/new/1.a", "x\n");
    {
        std::ofstream list(path("INBOX") + "/dovecot-uidlist", std::ios::app);
        list << "2 :2.b\n3 :1.a\n4 :tor";
    }
    const auto uid = deliver("INBOX");
    EXPECT_EQ(uid, 4u);
    reopen(true);
    const auto box = mailbox("INBOX");
    EXPECT_EQ(uids("INBOX"), (std::vector<Uid>{1, 2, 3, 4}));
    const auto list_bytes = read(path("INBOX") + "/dovecot-uidlist");
    const auto list = maildir::parse_uidlist(list_bytes);
    ASSERT_EQ(list->entries.size(), 4u);
    EXPECT_EQ(list->entries[1].name, "2.b");
    EXPECT_FALSE(list->damaged);
}

TEST_F(StoreReconcile, GivesNoUidTwiceAfterPowerLossTookTheLastCommits) {
    deliver("INBOX");
    account_.reset();
    const auto copy = directory_ + "/index.before";
    std::filesystem::copy_file(home_ + "/index.db", copy);
    const auto list = read(home_ + "/Maildir/dovecot-uidlist"), state = read(home_ + "/Maildir/gk-state");
    account_ = open();
    deliver("INBOX");
    const auto last = deliver("INBOX");
    const auto told = snapshot("INBOX").highest_modseq;
    ASSERT_TRUE(mailbox("INBOX").remove(std::vector<Uid>{last}));
    account_.reset();
    // What was not flushed is gone, and the machine started again.
    std::filesystem::copy_file(copy, home_ + "/index.db", std::filesystem::copy_options::overwrite_existing);
    for (const char* suffix : {"-wal", "-shm"}) std::filesystem::remove(home_ + "/index.db" + suffix);
    write_file(home_ + "/Maildir/dovecot-uidlist", list);
    auto before = maildir::parse_state(state);
    before.boot = "another-boot";
    write_file(home_ + "/Maildir/gk-state", maildir::format_state(before));
    account_ = open();
    {
        auto db = db::Database::open(home_ + "/index.db");
        ASSERT_TRUE(db);
        ASSERT_TRUE(db->execute("UPDATE mailboxes SET boot = 'another-boot'"));
    }
    const auto fresh = deliver("INBOX");
    EXPECT_GT(fresh, last);
    EXPECT_GT(snapshot("INBOX").highest_modseq, told);
    EXPECT_EQ(uids("INBOX").size(), 3u);
}

TEST_F(StoreReconcile, AdoptsADovecotMaildirWithItsUids) {
    const std::string root = directory_ + "/bob/Maildir";
    for (const char* sub :
         {"/cur", "/new", "/tmp", "/.A.Entw&APw-rfe/cur", "/.A.Entw&APw-rfe/new", "/.A.Entw&APw-rfe/tmp"})
        std::filesystem::create_directories(root + sub);
    write_file(root + "/cur/1276528487.M364837P9451.kurkku,S=4,W=5:2,Sab", "abc\n");
    write_file(root + "/cur/1276533073.M242911P3632.kurkku:2,FZ", "a\nb\r\n");
    write_file(root + "/new/1276533074.M1P1.kurkku,S=2,W=3:2,", "x\n");
    write_file(root + "/dovecot-keywords", "0 $Forwarded\n1 Foo\n");
    write_file(root + "/dovecot-uidlist",
               "3 V1275660208 N25018 G3085f01b7f11094c501100008c4a11c1\n"
               "25006 :1276528487.M364837P9451.kurkku,S=4,W=5\n"
               "25017 W2481 :1276533073.M242911P3632.kurkku\n");
    write_file(root + "/subscriptions", "V\t2\n\nA\tEntw&APw-rfe\n");
    const auto opened = Account::open(directory_ + "/bob");
    ASSERT_TRUE(opened) << opened.error().text;
    auto box = *(*opened)->mailbox("INBOX");
    const auto taken = *box.snapshot(false);
    EXPECT_EQ(taken.uidvalidity, 1275660208u);
    ASSERT_EQ(taken.rows.size(), 3u);
    EXPECT_EQ(taken.rows[0].uid, 25006u);
    EXPECT_EQ(taken.rows[0].flags, kSeen);
    EXPECT_EQ(taken.rows[0].keywords, 3u);
    EXPECT_EQ(taken.keywords[1], "Foo");
    EXPECT_EQ(taken.rows[1].uid, 25017u);
    EXPECT_EQ(taken.rows[1].size, 6u) << "only the LF without CR counts two";
    EXPECT_EQ(taken.rows[2].uid, 25018u);
    EXPECT_TRUE((*opened)->find("A/Entwürfe")->subscribed);
    ASSERT_TRUE(box.store(std::vector<Uid>{25017}, {FlagAction::Add, kSeen, {}, {}}));
    EXPECT_TRUE(std::filesystem::exists(root + "/cur/1276533073.M242911P3632.kurkku:2,FSZ"))
        << "letters of others stay";
    const auto list = read(root + "/dovecot-uidlist");
    EXPECT_NE(list.find("G3085f01b7f11094c501100008c4a11c1"), std::string::npos);
    EXPECT_NE(list.find("25017 W2481 :"), std::string::npos);
    EXPECT_NE(list.find("25018 :1276533074.M1P1.kurkku,S=2,W=3\n"), std::string::npos);
}

TEST_F(StoreReconcile, NamesLettersThatNobodyExplains) {
    write_file(path("INBOX") + "/cur/1.x:2,c", "x\n");
    const auto taken = snapshot("INBOX");
    EXPECT_EQ(taken.rows.at(0).keywords, 4u);
    EXPECT_EQ(taken.keywords[2], "unknown-2");
}

TEST_F(StoreReconcile, StartsAnewWhereTheUidlistHasAnotherValidity) {
    deliver("INBOX");
    auto old = mailbox("INBOX");
    write_file(path("INBOX") + "/dovecot-uidlist",
               "3 V77 N9 Gbcce5409e3ba026b5638000083ecc375\n8 :" + files("INBOX", "new").at(0) + "\n");
    const auto taken = snapshot("INBOX");
    EXPECT_EQ(taken.uidvalidity, 77u);
    EXPECT_EQ(taken.rows.at(0).uid, 8u);
    EXPECT_EQ(old.changes_since(1).error().code, Errc::NotFound);
}

TEST_F(StoreReconcile, WritesAUidlistThatWasLost) {
    deliver("INBOX");
    const auto validity = snapshot("INBOX").uidvalidity;
    std::filesystem::remove(path("INBOX") + "/dovecot-uidlist");
    EXPECT_EQ(snapshot("INBOX").uidvalidity, validity);
    EXPECT_TRUE(std::filesystem::exists(path("INBOX") + "/dovecot-uidlist"));
    EXPECT_EQ(deliver("INBOX"), 2u);
}

TEST_F(StoreReconcile, NeverFollowsLinksOutOfTheMailbox) {
    write_file(directory_ + "/secret", "secret\n");
    std::filesystem::create_symlink(directory_ + "/secret", path("INBOX") + "/cur/1.link:2,S");
    EXPECT_TRUE(uids("INBOX").empty());
}

TEST_F(StoreReconcile, TwoProcessesWorkOnOneAccountAtOnce) {
    // A child delivers and flags while we do; nothing may be lost, given twice or torn.
    account_.reset();
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    const auto work = [this] {
        account_ = open();
        for (int i = 0; i < 30; ++i) {
            const auto uid = deliver("INBOX");
            if (uid != 0) store("INBOX", {uid}, {FlagAction::Add, kSeen, {"both"}, {}});
            if (uid % 3 == 0) (void)mailbox("INBOX").move(std::vector<Uid>{uid}, "Trash");
        }
        const bool failed = HasFailure();
        account_.reset();
        return failed ? 1 : 0;
    };
    if (child == 0) ::_exit(work());
    EXPECT_EQ(work(), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    account_ = open();
    const auto inbox = snapshot("INBOX"), trash = snapshot("Trash");
    EXPECT_EQ(inbox.rows.size() + trash.rows.size(), 60u);
    EXPECT_EQ(inbox.uidnext, 61u);
    for (const auto& row : inbox.rows) EXPECT_EQ(row.flags, kSeen);
    auto ids = uids("INBOX");
    reopen(true);
    EXPECT_EQ(uids("INBOX"), ids);
    EXPECT_EQ(account_->status("INBOX")->unseen, 0u);
}

TEST_F(StoreReconcile, ASecondHandleSeesWhatTheFirstDid) {
    auto other = open();
    auto box = *other->mailbox("INBOX");
    const auto before = box.snapshot(false)->highest_modseq;
    const auto uid = deliver("INBOX");
    store("INBOX", {uid}, {FlagAction::Add, kSeen, {}, {}});
    const auto changes = box.changes_since(before);
    ASSERT_EQ(changes->rows.size(), 1u);
    EXPECT_EQ(changes->rows[0].flags, kSeen);
    EXPECT_TRUE(box.open(uid));
}

}  // namespace
}  // namespace gk::store
