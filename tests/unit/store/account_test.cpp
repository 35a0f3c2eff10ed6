// SPDX-License-Identifier: MIT
#include <sys/stat.h>
#include <cerrno>
#include <chrono>

#include "common/store/check.hpp"
#include "common/store/pool.hpp"
#include "common/store/state.hpp"
#include "tests/unit/store/store_fixture.hpp"

namespace gk::store {
namespace {

class StoreAccount : public StoreTest {};

TEST_F(StoreAccount, HasItsDefaultMailboxesSubscribedWithSpecialUses) {
    const auto list = *account_->list();
    ASSERT_EQ(list.size(), 6u);
    EXPECT_EQ(list[0].name, "INBOX");
    EXPECT_TRUE(list[0].subscribed);
    EXPECT_EQ(list[1].name, "Archive");
    for (std::size_t i = 1; i < list.size(); ++i) {
        EXPECT_EQ(list[i].special_use, "\\" + list[i].name);
        EXPECT_TRUE(list[i].subscribed);
        EXPECT_TRUE(list[i].exists);
    }
}

TEST_F(StoreAccount, IsNotFoundWhereItIsNotToBeMade) {
    const auto opened = Account::open(directory_ + "/bob");
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::NotFound);
}

TEST_F(StoreAccount, CreatesMailboxesWithSuperiorsThatDoNotExist) {
    ASSERT_TRUE(account_->create("A/B/C"));
    EXPECT_EQ(account_->create("A/B/C").error().code, Errc::Exists);
    EXPECT_EQ(account_->create("a.b").error().code, Errc::BadInput);
    EXPECT_EQ(account_->create("inbox").error().code, Errc::Exists);
    const auto a = account_->find("A"), c = account_->find("A/B/C");
    ASSERT_TRUE(a && c);
    EXPECT_FALSE(a->exists);
    EXPECT_TRUE(a->has_children);
    EXPECT_TRUE(c->exists);
    EXPECT_FALSE(c->has_children);
    EXPECT_TRUE(std::filesystem::exists(home_ + "/Maildir/.A.B.C/maildirfolder"));
}

TEST_F(StoreAccount, DoesNotReadTheTreeAgainForItsOwnChanges) {
    namespace fs = std::filesystem;
    const std::string root = home_ + "/Maildir";
    fs::last_write_time(root, fs::last_write_time(root) - std::chrono::seconds(60));
    ASSERT_TRUE(account_->list());
    const auto reads = account_->state().tree_reads;
    for (int i = 0; i < 10; ++i) {
        const std::string name = "Many/" + std::to_string(i);
        ASSERT_TRUE(account_->create(name));
        EXPECT_TRUE(account_->status(name));
        ASSERT_TRUE(account_->subscribe(name));
        EXPECT_TRUE(account_->find(name)->subscribed);
    }
    ASSERT_TRUE(account_->rename("Many", "More"));
    ASSERT_TRUE(account_->remove("More/3"));
    EXPECT_EQ(account_->list("More")->size(), 10u);  // with More itself, which does not exist
    deliver("INBOX");
    EXPECT_EQ(account_->state().tree_reads, reads);
    // Another process need not either.
    const auto other = open();
    EXPECT_TRUE(other->find("More/4"));
    EXPECT_FALSE(other->find("More/3"));
    EXPECT_EQ(other->state().tree_reads, 0u);
    ASSERT_TRUE(other->create("Other"));
    EXPECT_TRUE(account_->find("Other"));
    EXPECT_EQ(account_->state().tree_reads, reads);
}

TEST_F(StoreAccount, SeesAForeignMailboxThatIsMadeInTheSameInstantAsItsOwn) {
    namespace fs = std::filesystem;
    struct stat before {
    }, after{};
    ASSERT_EQ(::stat(directory_.c_str(), &before), 0);
    fs::create_directory(directory_ + "/counted");
    ASSERT_EQ(::stat(directory_.c_str(), &after), 0);
    if (after.st_nlink == before.st_nlink) GTEST_SKIP() << "this file system does not count directories";
    for (int i = 0; i < 20; ++i) {
        const std::string name = std::to_string(i);
        ASSERT_TRUE(account_->create("Own" + name));
        fs::create_directories(home_ + "/Maildir/.Foreign" + name + "/cur");
        EXPECT_TRUE(account_->find("Foreign" + name)) << i;
    }
}

TEST_F(StoreAccount, ListsWhatBeginsWithAPrefix) {
    for (const char* name : {"A", "A-x", "A/b", "A/b/c/d", "Ab", "INBOX/z"}) ASSERT_TRUE(account_->create(name));
    std::string names;
    const auto below = *account_->list("A");
    for (const auto& entry : below) names += entry.name + (entry.exists ? "" : "?") + (entry.has_children ? "+ " : " ");
    EXPECT_EQ(names, "A+ A-x A/b+ A/b/c?+ A/b/c/d Ab Archive ");
    EXPECT_EQ(account_->list()->front().name, "INBOX");
    EXPECT_TRUE(account_->list()->front().has_children);
    EXPECT_EQ(account_->list("Zz")->size(), 0u);
    EXPECT_EQ(*account_->find_special_use("\\Junk"), "Junk");
    EXPECT_EQ(*account_->find_special_use(""), "");
    EXPECT_EQ(*account_->find_any_case("a/B"), "A/b");
    EXPECT_EQ(*account_->find_any_case("nothing"), "");
}

TEST_F(StoreAccount, KeepsAnnotationsInFilesThatGoAlongWithTheMailbox) {
    ASSERT_TRUE(account_->create("A"));
    const std::string bytes("any \0 bytes\n%", 13);
    ASSERT_TRUE(account_->annotate("A", {{"/private/Comment", bytes}, {"/shared/x", "y"}}));
    ASSERT_TRUE(account_->annotate("", {{"/private/x", "account"}}));
    ASSERT_TRUE(account_->annotate("INBOX", {{"/private/x", "inbox"}}));
    ASSERT_TRUE(account_->rename("A", "B"));
    reopen(true);
    const auto kept = *account_->annotations("B");
    EXPECT_EQ(kept.size(), 2u);
    EXPECT_EQ(kept.at("/private/comment"), bytes);
    EXPECT_EQ(account_->annotations("")->at("/private/x"), "account");
    EXPECT_EQ(account_->annotations("INBOX")->at("/private/x"), "inbox");
    ASSERT_TRUE(account_->annotate("B", {{"/SHARED/X", std::nullopt}}));
    EXPECT_EQ(account_->annotations("B")->size(), 1u);
    EXPECT_EQ(account_->annotations("A").error().code, Errc::NotFound);
}

TEST_F(StoreAccount, BoundsAnnotations) {
    const auto refused = [&](const std::vector<AnnotationChange>& changes) {
        const auto status = account_->annotate("INBOX", changes);
        EXPECT_FALSE(status);
        return status ? 0 : status.error().os_errno;
    };
    EXPECT_EQ(refused({{"/private/a", "x"}, {"/private/b", std::string(kMaxAnnotationValue + 1, 'x')}}), EMSGSIZE);
    EXPECT_TRUE(account_->annotations("INBOX")->empty());  // all or none
    std::vector<AnnotationChange> many;
    for (std::size_t i = 0; i <= kMaxAnnotations; ++i) many.emplace_back("/private/" + std::to_string(i), "x");
    EXPECT_EQ(refused(many), E2BIG);
    many.pop_back();
    EXPECT_TRUE(account_->annotate("INBOX", many));
    const std::string large(kMaxAnnotationValue, 'x');
    EXPECT_EQ(refused({{"/private/1", large}, {"/private/2", large}, {"/private/3", large}, {"/private/4", large}}),
              E2BIG);
    for (const char* name :
         {"/private", "/private/", "/private//a", "/private/a*", "/other/a", "private/a", "/shared/\xc3\xa4"})
        EXPECT_EQ(account_->annotate("INBOX", {{name, "x"}}).error().code, Errc::BadInput) << name;
    EXPECT_FALSE(account_->annotate("INBOX", {{"/private/" + std::string(kMaxAnnotationName, 'x'), "x"}}));
}

TEST_F(StoreAccount, CountsWhatItKeepsHoweverItChanges) {
    ASSERT_TRUE(account_->create("A"));
    const auto bytes = [&] { return account_->totals()->bytes; };
    deliver("INBOX");
    const auto one = bytes();
    EXPECT_GT(one, 0u);
    deliver("A");
    EXPECT_EQ(account_->totals()->messages, 2u);
    EXPECT_EQ(bytes(), 2 * one);
    ASSERT_TRUE(account_->mailbox("INBOX")->copy(std::vector<Uid>{1}, "A"));
    EXPECT_EQ(account_->totals()->messages, 3u);
    ASSERT_TRUE(account_->mailbox("INBOX")->move(std::vector<Uid>{1}, "A"));
    EXPECT_EQ(account_->totals()->messages, 3u);
    EXPECT_EQ(Account::kept_totals(home_)->bytes, 3 * one);
    ASSERT_TRUE(account_->mailbox("A")->remove(std::vector<Uid>{1}));
    EXPECT_EQ(account_->totals()->messages, 2u);
    ASSERT_TRUE(account_->rename("A", "B"));
    EXPECT_EQ(bytes(), 2 * one);
    ASSERT_TRUE(account_->remove("B"));
    EXPECT_EQ(account_->totals()->messages, 0u);
    EXPECT_EQ(bytes(), 0u);
    EXPECT_EQ(Account::kept_totals(directory_ + "/nobody")->messages, 0u);
}

TEST_F(StoreAccount, RefusesWhatAQuotaDoesNotAllow) {
    EXPECT_TRUE(account_->room_for({}, 1'000'000, 1'000'000));
    deliver("INBOX");
    const Quota messages{0, 2};
    EXPECT_TRUE(account_->room_for(messages, 1, 1'000'000));
    const auto refused = account_->room_for(messages, 2, 1);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::Temporary);
    EXPECT_EQ(refused.error().os_errno, EDQUOT);
    const auto kept = account_->totals()->bytes;
    EXPECT_TRUE(account_->room_for({kept + 10, 0}, 1, 10));
    EXPECT_FALSE(account_->room_for({kept + 10, 0}, 1, 11));
    // A quota that became smaller still lets be what adds nothing.
    EXPECT_TRUE(account_->room_for({1, 1}, 0, 0));
}

TEST_F(StoreAccount, RepairsItsCounters) {
    deliver("INBOX");
    const auto before = *account_->totals();
    ASSERT_TRUE(account_->state().index.execute("UPDATE totals SET messages = 77, bytes = 1"));
    std::string kinds;
    ASSERT_TRUE(check(*account_, false, [&](const Finding& finding) { kinds += finding.kind; }));
    EXPECT_EQ(kinds, "counters");
    ASSERT_TRUE(repair(*account_));
    EXPECT_EQ(account_->totals()->messages, before.messages);
    EXPECT_EQ(account_->totals()->bytes, before.bytes);
}

TEST_F(StoreAccount, SeesMailboxesThatOtherToolsMakeAndRemove) {
    std::filesystem::create_directories(home_ + "/Maildir/.Foreign/cur");
    EXPECT_TRUE(account_->find("Foreign"));
    EXPECT_EQ(deliver("Foreign"), 1u);
    std::filesystem::remove_all(home_ + "/Maildir/.Foreign");
    EXPECT_FALSE(account_->find("Foreign"));
}

TEST_F(StoreAccount, DeletesAMailboxButKeepsItsChildren) {
    ASSERT_TRUE(account_->create("A"));
    ASSERT_TRUE(account_->create("A/B"));
    deliver("A");
    ASSERT_TRUE(account_->remove("A"));
    EXPECT_FALSE(account_->find("A")->exists);
    EXPECT_TRUE(account_->find("A/B")->exists);
    EXPECT_EQ(account_->remove("A").error().code, Errc::NotFound);
    EXPECT_EQ(account_->remove("INBOX").error().code, Errc::Denied);
}

TEST_F(StoreAccount, GivesAMailboxMadeAnewAnotherUidvalidity) {
    ASSERT_TRUE(account_->create("A"));
    const auto first = account_->status("A")->uidvalidity;
    auto old = mailbox("A");
    ASSERT_TRUE(account_->remove("A"));
    ASSERT_TRUE(account_->create("A"));
    EXPECT_GT(account_->status("A")->uidvalidity, first);
    EXPECT_EQ(old.changes_since(1).error().code, Errc::NotFound);
}

TEST_F(StoreAccount, RenamesWithChildrenAndKeepsUids) {
    ASSERT_TRUE(account_->create("A"));
    ASSERT_TRUE(account_->create("A/B"));
    deliver("A/B");
    const auto before = *account_->status("A/B");
    ASSERT_TRUE(account_->rename("A", "X/Y"));
    EXPECT_FALSE(account_->find("A"));
    const auto after = *account_->status("X/Y/B");
    EXPECT_EQ(after.uidvalidity, before.uidvalidity);
    EXPECT_EQ(after.messages, 1u);
    EXPECT_TRUE(mailbox("X/Y/B").open(1));
    EXPECT_EQ(account_->rename("X/Y", "X/Y/Z").error().code, Errc::BadInput);
    EXPECT_EQ(account_->rename("X/Y", "Sent").error().code, Errc::Exists);
    EXPECT_EQ(account_->rename("none", "n").error().code, Errc::NotFound);
}

TEST_F(StoreAccount, RenamingInboxMovesItsMessagesAndLeavesIt) {
    IncomingMessage flagged;
    flagged.flags = kSeen;
    flagged.keywords = {"$Label"};
    deliver("INBOX", "Subject: 1\r\n\r\n", flagged);
    deliver("INBOX");
    ASSERT_TRUE(account_->rename("INBOX", "Old"));
    EXPECT_EQ(account_->status("INBOX")->messages, 0u);
    const auto old = snapshot("Old");
    ASSERT_EQ(old.rows.size(), 2u);
    EXPECT_EQ(old.rows[0].flags, kSeen);
    EXPECT_EQ(old.rows[0].keywords, 1u);
    EXPECT_EQ(old.keywords[0], "$Label");
}

TEST_F(StoreAccount, KeepsSubscriptionsOfNamesThatAreGone) {
    ASSERT_TRUE(account_->create("A"));
    ASSERT_TRUE(account_->subscribe("A"));
    ASSERT_TRUE(account_->remove("A"));
    const auto names = *account_->subscriptions();
    EXPECT_NE(std::find(names.begin(), names.end(), "A"), names.end());
    ASSERT_TRUE(account_->unsubscribe("A"));
    ASSERT_TRUE(account_->unsubscribe("A"));
}

TEST_F(StoreAccount, KeepsSpecialUsesWithoutTheIndex) {
    ASSERT_TRUE(account_->create("Gesendet", "\\Sent"));
    reopen(true);
    EXPECT_EQ(account_->find("Gesendet")->special_use, "\\Sent");
    EXPECT_EQ(account_->find("Trash")->special_use, "\\Trash");
}

TEST_F(StoreAccount, RebuildsADamagedIndex) {
    const auto uid = deliver("INBOX");
    account_.reset();
    for (const char* suffix : {"-wal", "-shm"}) std::filesystem::remove(home_ + "/index.db" + suffix);
    write_file(home_ + "/index.db", std::string(8192, 'x'));
    account_ = open();
    EXPECT_EQ(uids("INBOX"), std::vector<Uid>{uid});
    EXPECT_TRUE(std::filesystem::exists(home_ + "/index.db.damaged"));
}

TEST_F(StoreAccount, CountsTotalsOverAllMailboxes) {
    deliver("INBOX", "12\r\n");
    deliver("Sent", "345\r\n");
    EXPECT_EQ(account_->totals()->messages, 2u);
    EXPECT_EQ(account_->totals()->bytes, 9u);
    ASSERT_TRUE(account_->remove("Sent"));
    EXPECT_EQ(account_->totals()->bytes, 4u);
}

TEST_F(StoreAccount, PoolHoldsNoMoreThanItsBound) {
    AccountPool pool(2);
    auto held = *pool.get(directory_ + "/p0", "p0", true);
    for (int i = 1; i < 5; ++i) ASSERT_TRUE(pool.get(directory_ + "/p" + std::to_string(i), "p", true));
    EXPECT_LE(pool.size(), 3u);
    EXPECT_EQ(*pool.get(directory_ + "/p0", "p0", false), held);
}

}  // namespace
}  // namespace gk::store
