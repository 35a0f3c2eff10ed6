// SPDX-License-Identifier: MIT
#include "common/directory/directory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "common/db/database.hpp"
#include "common/directory/schema.hpp"

namespace gk::directory {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const Actor kActor{"test"};

class DirectoryTest : public testing::Test {
protected:
    DirectoryTest() {
        std::string name = testing::TempDir() + "gk-directory-XXXXXX";
        root_ = ::mkdtemp(name.data());
        paths_ = config::Paths::under(root_);
        directory_ = Directory::open(paths_, false).value();
        EXPECT_TRUE(directory_->add_domain("a.test", kActor));
    }
    ~DirectoryTest() override { std::filesystem::remove_all(root_); }

    void account(const std::string& address, bool admin = false) {
        EXPECT_TRUE(directory_->add_account(address, {"", admin, 0}, kActor)) << address;
    }
    Status alias(const std::string& address, const std::vector<std::string>& targets) {
        auto added = directory_->add_alias(address, targets, kActor);
        return added ? ok() : Status(tl::unexpected<Error>(added.error()));
    }
    std::vector<std::string> accounts_for(const std::string& recipient) {
        std::vector<std::string> found;
        const auto resolved = directory_->resolve(recipient);
        if (!resolved) return {resolved.error().text};
        for (const auto& target : resolved->accounts)
            found.push_back(target.detail.empty() ? target.account : target.account + " " + target.detail);
        return found;
    }

    std::string root_;
    config::Paths paths_;
    std::shared_ptr<Directory> directory_;
};

TEST_F(DirectoryTest, KeepsQuotasOfAccountsAndDomains) {
    account("ann@a.test");
    auto ann = directory_->find_account("ann@a.test").value().value();
    ann.quota_bytes = 10;
    ann.quota_messages = 20;
    ASSERT_TRUE(directory_->change_account(ann, kActor));
    EXPECT_EQ(directory_->find_account("ann@a.test").value().value(), ann);
    EXPECT_EQ(directory_->quota_of_domain("a.test").value(), Quota{});
    ASSERT_TRUE(directory_->set_domain_quota("A.test", {30, 40}, kActor));
    EXPECT_EQ(directory_->quota_of_domain("a.test").value(), (Quota{30, 40}));
    EXPECT_EQ(directory_->find_domain("a.test").value()->quota, (Quota{30, 40}));
    EXPECT_EQ(directory_->quota_of_domain("nowhere.test").value(), Quota{});
    EXPECT_EQ(directory_->set_domain_quota("nowhere.test", {1, 1}, kActor).error().code, Errc::NotFound);
}

TEST_F(DirectoryTest, ReadsEveryOlderDirectoryAndAToolBringsItUpToDate) {
    for (std::size_t version = 1; version < schema().size(); ++version) {
        directory_.reset();
        for (const char* file : {"", "-wal", "-shm"}) std::filesystem::remove(paths_.directory_db + file);
        {
            auto db = db::Database::open(paths_.directory_db, {.persist_wal = true, .mode = 0640}).value();
            ASSERT_TRUE(db.migrate({schema().begin(), schema().begin() + static_cast<std::ptrdiff_t>(version)}));
            ASSERT_TRUE(
                db.execute("insert into domain (id, tenant_id, name, created_s) values (1, 1, 'a.test', 0);"
                           "insert into account (tenant_id, domain_id, local_part, created_s, changed_s) values (1, 1, "
                           "'ann', 0, 0);"
                           "insert into alias (id, tenant_id, domain_id, local_part, created_s, changed_s) values (7, "
                           "1, 1, 'x', 0, 0);"
                           "insert into alias_target values (7, 0, 'ann@a.test')"));
        }
        const auto reader = Directory::open(paths_, true).value();
        EXPECT_EQ(reader->find_account("ann@a.test").value()->address, "ann@a.test") << version;
        EXPECT_EQ(reader->resolve("x@a.test")->accounts.at(0).account, "ann@a.test") << version;
        EXPECT_EQ(reader->resolve("y@a.test")->kind, Resolution::Kind::NoSuchUser) << version;
        EXPECT_EQ(reader->quota_of_domain("a.test").value(), Quota{});
        EXPECT_EQ(reader->domains().value().size(), 1u);
        EXPECT_THAT(reader->domain_aliases().value(), IsEmpty());
        EXPECT_EQ(reader->aliases().value().size(), 1u);
        directory_ = Directory::open(paths_, false).value();
        auto ann = directory_->find_account("ann@a.test").value().value();
        EXPECT_EQ(ann.quota_messages, 0);
        ann.quota_messages = 7;
        ASSERT_TRUE(directory_->change_account(ann, kActor));
        EXPECT_EQ(reader->find_account("ann@a.test").value()->quota_messages, 7);
        ASSERT_TRUE(alias("/y+/@a.test", {"ann@a.test"}));
        EXPECT_EQ(reader->resolve("y@a.test")->kind, Resolution::Kind::Found) << version;
    }
}

TEST_F(DirectoryTest, FindsAnAccountUnderAnySpelling) {
    account("Ann@A.test");
    for (const char* spelling : {"ann@a.test", "ANN@A.TEST", "\"ann\"@a.test", "Ann@a.test."})
        EXPECT_THAT(accounts_for(spelling), ElementsAre("ann@a.test")) << spelling;
}

TEST_F(DirectoryTest, TellsUnknownUsersFromForeignDomains) {
    EXPECT_EQ(directory_->resolve("nobody@a.test")->kind, Resolution::Kind::NoSuchUser);
    EXPECT_EQ(directory_->resolve("ann@b.test")->kind, Resolution::Kind::NotLocal);
    EXPECT_EQ(directory_->resolve("\"ann@b.test\"@a.test")->kind, Resolution::Kind::NoSuchUser);
    EXPECT_EQ(directory_->resolve("no address").error().code, Errc::BadInput);
    EXPECT_TRUE(directory_->is_local_domain("A.Test").value());
    EXPECT_FALSE(directory_->is_local_domain("[127.0.0.1]").value());
}

TEST_F(DirectoryTest, GivesTheDetailOfASubAddress) {
    account("ann@a.test");
    EXPECT_THAT(accounts_for("ann+lists+x@a.test"), ElementsAre("ann@a.test lists+x"));
    EXPECT_EQ(directory_->resolve("ann+lists@a.test", "")->kind, Resolution::Kind::NoSuchUser);
}

TEST_F(DirectoryTest, FollowsAliasesToAccountsAndOut) {
    account("ann@a.test");
    account("bob@a.test");
    EXPECT_TRUE(alias("team@a.test", {"ann@a.test", "bob+team@a.test"}));
    EXPECT_TRUE(alias("all@a.test", {"team@a.test", "ann@a.test", "Eve@Elsewhere.example"}));
    const auto resolved = directory_->resolve("all@a.test").value();
    EXPECT_THAT(accounts_for("all@a.test"), ElementsAre("ann@a.test", "bob@a.test team"));
    EXPECT_THAT(resolved.external, ElementsAre("eve@elsewhere.example"));
    EXPECT_TRUE(resolved.through_alias);
}

TEST_F(DirectoryTest, SendsTheRestToTheCatchAll) {
    account("ann@a.test");
    EXPECT_TRUE(alias("@a.test", {"ann@a.test"}));
    EXPECT_THAT(accounts_for("whoever@a.test"), ElementsAre("ann@a.test"));
}

TEST_F(DirectoryTest, RefusesAnAliasThatLeadsInACircle) {
    account("ann@a.test");
    EXPECT_TRUE(alias("one@a.test", {"ann@a.test"}));
    EXPECT_TRUE(alias("two@a.test", {"one@a.test"}));
    const auto refused = directory_->add_alias("one@a.test", {"two@a.test"}, kActor);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().text, "the alias would lead in a circle: one@a.test → two@a.test → one@a.test");
    EXPECT_THAT(directory_->find_alias("one@a.test").value()->targets, ElementsAre("ann@a.test"));
}

TEST_F(DirectoryTest, AnswersACircleMadeElsewhereWithAPermanentError) {
    auto db = db::Database::open(paths_.directory_db).value();
    ASSERT_TRUE(
        db.execute("insert into alias (id, tenant_id, domain_id, local_part, created_s, changed_s) values "
                   "(1, 1, 1, 'x', 0, 0), (2, 1, 1, 'y', 0, 0);"
                   "insert into alias_target values (1, 0, 'y@a.test'), (2, 0, 'x@a.test');"));
    EXPECT_EQ(directory_->resolve("x@a.test").error().code, Errc::Permanent);
}

TEST_F(DirectoryTest, BoundsHowDeepAliasesLead) {
    account("ann@a.test");
    std::string before = "ann@a.test";
    for (int i = 0; i < 25; ++i) {
        const std::string next = fmt::format("n{}@a.test", i);
        const auto status = alias(next, {before});
        if (i < 20) EXPECT_TRUE(status) << i;
        else EXPECT_FALSE(status) << i;
        if (!status) break;
        before = next;
    }
}

TEST_F(DirectoryTest, RefusesAnAliasToNobody) {
    EXPECT_EQ(alias("sales@a.test", {"nobody@a.test"}).error().text, "there is no account or alias 'nobody@a.test'");
    account("ann@a.test");
    EXPECT_EQ(alias("ann@a.test", {"x@y.example"}).error().code, Errc::Exists);
}

TEST_F(DirectoryTest, AlwaysFindsAPostmaster) {
    EXPECT_EQ(directory_->resolve("postmaster@a.test")->kind, Resolution::Kind::NoSuchUser);  // nobody at all yet
    account("ann@a.test");
    account("root@a.test", true);
    EXPECT_THAT(accounts_for("PostMaster@a.test"), ElementsAre("root@a.test"));
    EXPECT_THAT(accounts_for("postmaster"), ElementsAre("root@a.test"));
    account("postmaster@a.test");
    EXPECT_THAT(accounts_for("postmaster@a.test"), ElementsAre("postmaster@a.test"));
}

TEST_F(DirectoryTest, LetsAnAccountSendFromWhatLeadsToIt) {
    account("ann@a.test");
    account("bob@a.test");
    EXPECT_TRUE(alias("sales@a.test", {"ann@a.test"}));
    for (const char* own : {"ann@a.test", "Ann+x@a.test", "sales@a.test", "sales+x@a.test"})
        EXPECT_TRUE(directory_->may_send_as("ann@a.test", own).value()) << own;
    for (const char* foreign : {"bob@a.test", "ann@b.test", "nobody@a.test", "", "junk"})
        EXPECT_FALSE(directory_->may_send_as("ann@a.test", foreign).value()) << foreign;
}

TEST_F(DirectoryTest, SeesWhatAnotherProgramChangedAtTheNextLookUp) {
    account("ann@a.test");
    const auto reader = Directory::open(paths_, true).value();
    for (int i = 0; i < 20; ++i) {
        const std::string name = fmt::format("u{}@a.test", i);
        EXPECT_EQ(reader->resolve(name)->kind, Resolution::Kind::NoSuchUser);
        account(name);
        EXPECT_EQ(reader->resolve(name)->kind, Resolution::Kind::Found) << name;
    }
    EXPECT_EQ(reader->add_domain("b.test", kActor).error().code, Errc::Denied);
}

TEST_F(DirectoryTest, AnswersManyThreadsWhileAToolChangesIt) {
    account("ann@a.test");
    const auto reader = Directory::open(paths_, true).value();
    std::atomic<bool> stop{false};
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            while (!stop) {
                const auto ann = reader->resolve("ann@a.test"), nobody = reader->resolve("nobody@a.test");
                if (!ann || ann->accounts.size() != 1 || !nobody || nobody->kind != Resolution::Kind::NoSuchUser)
                    ++wrong;
            }
        });
    }
    for (int i = 0; i < 20; ++i) account(fmt::format("u{}@a.test", i));
    stop = true;
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
}

TEST_F(DirectoryTest, KeepsADomainThatIsInUse) {
    account("ann@a.test");
    EXPECT_EQ(directory_->remove_domain("a.test", kActor).error().code, Errc::Denied);
    EXPECT_TRUE(directory_->remove_account("ann@a.test", kActor));
    EXPECT_TRUE(directory_->remove_domain("a.test", kActor));
    EXPECT_THAT(directory_->domains().value(), IsEmpty());
}

TEST_F(DirectoryTest, RefusesAccountsThatAreNoSafeFileNames) {
    for (const char* bad : {"../etc@a.test", "\"a/b\"@a.test", ".x@a.test", "\"a b\"@a.test", "@a.test", "x@", "x"})
        EXPECT_FALSE(directory_->add_account(bad, {}, kActor)) << bad;
    EXPECT_THAT(directory_->add_account("ann@b.test", {}, kActor).error().text, HasSubstr("gk-domain add"));
}

}  // namespace
}  // namespace gk::directory
