// SPDX-License-Identifier: MIT
#include "common/store/object_id.hpp"

#include <map>

#include "tests/unit/store/store_fixture.hpp"

namespace gk::store {
namespace {

class ObjectIds : public StoreTest {
protected:
    std::map<Uid, std::string> emails(const std::string& name) {
        std::map<Uid, std::string> ids;
        const auto all = uids(name);
        EXPECT_TRUE(mailbox(name).email_ids(all, [&](Uid uid, std::string_view id) {
            ids.emplace(uid, id);
            return true;
        }));
        EXPECT_EQ(ids.size(), all.size());
        return ids;
    }
};

TEST_F(ObjectIds, AMessageKeepsItsIdInItsCopiesAndOnItsWay) {
    const Uid one = deliver("INBOX"), two = deliver("INBOX");
    const auto before = emails("INBOX");
    EXPECT_NE(before.at(one), before.at(two));
    const std::vector<Uid> first{one}, second{two};
    const auto copied = mailbox("INBOX").copy(first, "Archive");
    ASSERT_TRUE(copied);
    const auto moved = mailbox("INBOX").move(second, "Archive");
    ASSERT_TRUE(moved);
    const auto again = mailbox("Archive").copy(std::vector<Uid>{copied->uids[0].second}, "Archive");
    ASSERT_TRUE(again);
    for (const bool delete_index : {false, true}) {
        reopen(delete_index);
        EXPECT_EQ(emails("INBOX").at(one), before.at(one));
        const auto there = emails("Archive");
        EXPECT_EQ(there.at(copied->uids[0].second), before.at(one));
        EXPECT_EQ(there.at(again->uids[0].second), before.at(one));
        EXPECT_EQ(there.at(moved->uids[0].second), before.at(two));
    }
}

TEST_F(ObjectIds, DovecotsGuidOfACopyIsBelieved) {
    account_.reset();
    write_file(home_ + "/Maildir/cur/111.a.host:2,S", "Subject: a\n\n");
    write_file(home_ + "/Maildir/cur/222.b.host:2,S", "Subject: a\n\n");
    write_file(home_ + "/Maildir/dovecot-uidlist",
               "3 V1700000000 N3 Gabcdefabcdefabcdefabcdefabcdef01\n1 :111.a.host\n2 W12 G111.a.host P3 :222.b.host\n");
    for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(home_ + "/index.db" + suffix);
    account_ = open();
    EXPECT_EQ(account_->status("INBOX")->id, "fabcdefabcdefabcdefabcdefabcdef01");
    const auto ids = emails("INBOX");
    EXPECT_EQ(ids.at(1), ids.at(2));
    EXPECT_EQ(ids.at(1), email_id("111.a.host"));
}

TEST_F(ObjectIds, AMailboxKeepsItsIdUnderAnotherNameAndWithoutTheIndex) {
    ASSERT_TRUE(account_->create("Work"));
    const std::string work = account_->status("Work")->id, inbox = account_->status("INBOX")->id;
    EXPECT_NE(work, inbox);
    EXPECT_EQ(snapshot("Work").id, work);
    ASSERT_TRUE(account_->rename("Work", "Done"));
    EXPECT_EQ(account_->status("Done")->id, work);
    ASSERT_TRUE(account_->create("Work"));
    const std::string anew = account_->status("Work")->id;
    EXPECT_NE(anew, work);
    reopen(true);
    EXPECT_EQ(account_->status("Done")->id, work);
    EXPECT_EQ(account_->status("Work")->id, anew);
    ASSERT_TRUE(account_->rename("INBOX", "Old"));
    EXPECT_EQ(account_->status("INBOX")->id, inbox);
    EXPECT_NE(account_->status("Old")->id, inbox);
}

TEST_F(ObjectIds, ACopiedDirectoryIsAnotherMailbox) {
    ASSERT_TRUE(account_->create("Work"));
    const std::string work = account_->status("Work")->id;
    std::filesystem::copy(path("Work"), path("Twin"), std::filesystem::copy_options::recursive);
    const std::string twin = account_->status("Twin")->id;
    EXPECT_NE(twin, work);
    reopen(true);
    EXPECT_EQ(account_->status("Work")->id, work);
    EXPECT_EQ(account_->status("Twin")->id, twin);
}

TEST(ObjectId, FieldsOfALineAreFoundAndSet) {
    EXPECT_EQ(uidlist_field("W12 Gabc P3", 'G'), "abc");
    EXPECT_EQ(uidlist_field("W12", 'G'), "");
    EXPECT_EQ(uidlist_field("", 'G'), "");
    EXPECT_EQ(with_uidlist_field("W12 Gabc P3", 'G', "d"), "W12 P3 Gd");
    EXPECT_EQ(with_uidlist_field("", 'T', "d"), "Td");
    EXPECT_EQ(message_guid("a b", "").find(' '), std::string::npos);
    EXPECT_EQ(message_guid("a b", ""), message_guid("x", "G" + message_guid("a b", "")));
}

TEST(ObjectId, ThreadsAreWrittenAndRead) {
    for (const std::uint64_t number : {std::uint64_t{1}, std::uint64_t{0x123456789abcdef0}, ~std::uint64_t{0}}) {
        EXPECT_EQ(thread_id(number).size(), 14u);
        EXPECT_EQ(parse_thread_id(thread_id(number)), number);
    }
    for (const char* bad : {"", "t", "taaaaaaaaaaaa", "xaaaaaaaaaaaab", "tAAAAAAAAAAAAA"})
        EXPECT_EQ(parse_thread_id(bad), 0u);
}

}  // namespace
}  // namespace gk::store
