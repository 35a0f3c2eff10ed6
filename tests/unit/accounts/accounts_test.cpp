// SPDX-License-Identifier: MIT
#include "common/accounts/accounts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <filesystem>

#include "common/os/file.hpp"

namespace gk::accounts {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const directory::Actor kActor{"test"};
constexpr const char* kHash =
    "$6$rounds=1000$saltsalt$G0s0n1zlVDqEfIcXLqmnC3oKZvRZWc6ZbRZ3UHIfTVDmGRLYkN6sn1dcR1bEbAUg5JcF0vKFcyPFHmuBYmtJp0";

class AccountsTest : public testing::Test {
protected:
    AccountsTest() {
        std::string name = testing::TempDir() + "gk-accounts-XXXXXX";
        root_ = ::mkdtemp(name.data());
        paths_ = config::Paths::under(root_);
        std::filesystem::create_directories(paths_.mail);
        accounts_ = std::make_unique<Accounts>(
            Accounts::open(config::Config::parse("[auth]\nscram_iterations = 4096\n", paths_).value()).value());
        EXPECT_TRUE(accounts_->directory().add_domain("a.test", kActor));
    }
    ~AccountsTest() override {
        accounts_.reset();
        std::filesystem::remove_all(root_);
    }
    std::vector<std::string> apply(const std::string& line, Accounts::ApplyOptions options = {}) {
        const auto declared = parse_declared(line);
        if (!declared) return {declared.error().text};
        const auto done = accounts_->apply(*declared, options, kActor);
        return done ? *done : std::vector<std::string>{done.error().text};
    }
    std::string exported(const std::string& address) {
        const auto account = accounts_->directory().find_account(address).value();
        const auto credentials = accounts_->credentials().find(address).value();
        return format_declared(*account, credentials ? &*credentials : nullptr);
    }

    std::string root_;
    config::Paths paths_;
    std::unique_ptr<Accounts> accounts_;
};

TEST_F(AccountsTest, MakesAHomeWithDefaultMailboxes) {
    ASSERT_TRUE(accounts_->create("Ann@a.test", {}, "secret", kActor));
    for (const char* mailbox : {"cur", ".Drafts", ".Sent", ".Junk", ".Trash", ".Archive"})
        EXPECT_TRUE(os::exists(root_ + "/mail/a.test/ann/Maildir/" + mailbox)) << mailbox;
    EXPECT_EQ(accounts_->credentials().find("ann@a.test").value()->main, auth::Credentials::Main::Scram);
}

TEST_F(AccountsTest, MakesNothingForAPasswordThatCannotBe) {
    EXPECT_FALSE(accounts_->create("ann@a.test", {}, "tab\there", kActor));
    EXPECT_FALSE(accounts_->directory().find_account("ann@a.test").value());
}

TEST_F(AccountsTest, AppliesItsOwnExportWithoutAChange) {
    ASSERT_TRUE(accounts_->create("ann@a.test", {"Ann \"Ä\"", true, 1 << 20}, "secret", kActor));
    ASSERT_TRUE(accounts_->credentials().add_app_password("ann@a.test", "phone", {"imap", "smtp"}, 4102444800,
                                                          accounts_->hashing()));
    const std::string line = exported("ann@a.test");
    EXPECT_THAT(apply(line), IsEmpty());
    ASSERT_TRUE(accounts_->remove("ann@a.test", true, kActor));
    EXPECT_FALSE(os::exists(root_ + "/mail/a.test/ann"));
    EXPECT_THAT(apply(line),
                ElementsAre("add ann@a.test", "set password of ann@a.test", "set app password 'phone' of ann@a.test"));
    EXPECT_EQ(exported("ann@a.test"), line);
    EXPECT_THAT(apply(line), IsEmpty());
}

TEST_F(AccountsTest, SaysWhatItWouldDoAndDoesNot) {
    ASSERT_TRUE(accounts_->create("ann@a.test", {}, "secret", kActor));
    const std::string before = exported("ann@a.test");
    const std::string wanted = R"({"account":"ann@a.test","name":"Ann","disabled":true,"quota":"1GB","password":""})";
    const std::vector<std::string> said = apply(wanted, {.dry_run = true});
    EXPECT_THAT(said,
                ElementsAre("change name of ann@a.test: '' → 'Ann'", "change disabled of ann@a.test: false → true",
                            "change quota of ann@a.test: 0 → 1073741824", "remove password of ann@a.test"));
    EXPECT_EQ(exported("ann@a.test"), before);
    EXPECT_EQ(apply(wanted), said);
    EXPECT_THAT(apply(wanted), IsEmpty());
    EXPECT_THAT(apply(R"({"account":"new@a.test"})", {.dry_run = true}), ElementsAre("add new@a.test"));
    EXPECT_FALSE(accounts_->directory().find_account("new@a.test").value());
}

TEST_F(AccountsTest, LeavesWhatIsNotDeclared) {
    ASSERT_TRUE(accounts_->create("ann@a.test", {"Ann", true, 5}, "secret", kActor));
    EXPECT_THAT(apply(R"({"account":"ann@a.test"})"), IsEmpty());
}

TEST_F(AccountsTest, DoesNotUndoTheUpgradeOfAnImportedHash) {
    const std::string line = std::string(R"({"account":"ann@a.test","password":")") + kHash + "\"}";
    EXPECT_THAT(apply(line), ElementsAre("add ann@a.test", "set password of ann@a.test"));
    EXPECT_THAT(apply(line), IsEmpty());
    ASSERT_TRUE(
        accounts_->credentials().set_password("ann@a.test", "secret", accounts_->hashing()));  // as a login does
    EXPECT_THAT(apply(line), IsEmpty());
    EXPECT_THAT(apply(line, {.reset_passwords = true}), ElementsAre("set password of ann@a.test"));
}

TEST_F(AccountsTest, RefusesToVoidAppPasswords) {
    ASSERT_TRUE(accounts_->create("ann@a.test", {}, "secret", kActor));
    const std::string other_salt = exported("ann@a.test");
    ASSERT_TRUE(accounts_->remove("ann@a.test", false, kActor));
    ASSERT_TRUE(accounts_->create("ann@a.test", {}, "secret", kActor));
    ASSERT_TRUE(accounts_->credentials().add_app_password("ann@a.test", "phone", {"all"}, 0, accounts_->hashing()));
    const std::string without_apps = other_salt.substr(0, other_salt.find(",\"app_passwords\"")) + "}";
    EXPECT_THAT(apply(without_apps), ElementsAre(HasSubstr("declare them too")));
}

TEST_F(AccountsTest, ComplainsAboutWhatItDoesNotKnow) {
    EXPECT_THAT(apply(R"({"acount":"ann@a.test"})"), ElementsAre("unknown field 'acount'; did you mean 'account'?"));
    EXPECT_THAT(apply("[]"), ElementsAre("not a JSON object"));
    EXPECT_THAT(apply(R"({"name":"x"})"), ElementsAre("'account' is missing"));
    EXPECT_THAT(apply(R"({"account":"ann@a.test","password":"secret"})"), ElementsAre(HasSubstr("not a yescrypt")));
    EXPECT_THAT(apply(R"({"account":"ann@b.test"})"), ElementsAre(HasSubstr("gk-domain add")));
    EXPECT_THAT(apply(R"({"account":"ann@a.test","quota_messages":"many"})"),
                ElementsAre(HasSubstr("'quota_messages'")));
    EXPECT_THAT(apply(R"({"account":"ann@a.test","quota":-1})"), ElementsAre(HasSubstr("'quota'")));
    EXPECT_THAT(apply(R"({"account":"ann@a.test","app_passwords":[{"label":"x"}]})"),
                ElementsAre(HasSubstr("needs label")));
}

TEST_F(AccountsTest, GivesARemovedNameNoOldPassword) {
    ASSERT_TRUE(accounts_->create("ann@a.test", {}, "secret", kActor));
    ASSERT_TRUE(accounts_->directory().remove_account("ann@a.test", kActor));  // credentials left behind
    ASSERT_TRUE(accounts_->create("ann@a.test", {}, std::nullopt, kActor));
    EXPECT_FALSE(accounts_->credentials().find("ann@a.test").value());
}

}  // namespace
}  // namespace gk::accounts
