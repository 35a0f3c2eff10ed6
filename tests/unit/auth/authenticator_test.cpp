// SPDX-License-Identifier: MIT
#include "common/auth/authenticator.hpp"

#include <crypt.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <time.h>
#include <filesystem>

#include "common/auth/passwords.hpp"
#include "common/auth/sasl_client.hpp"
#include "common/base/text.hpp"
#include "common/base/time.hpp"

namespace gk::auth {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class FakeAccounts final : public Accounts {
public:
    std::map<std::string, bool> disabled = {{"ann@a.test", false}, {"bob@a.test", false}};
    bool broken = false;
    Result<std::optional<Known>> find(std::string_view login) override {
        if (broken) return fail(Errc::Temporary, "disk on fire");
        const auto found = disabled.find(text::lower(login));
        if (found == disabled.end()) return std::optional<Known>();
        return std::optional<Known>(Known{found->first, found->second, 1000, 7});
    }
    Result<bool> may_send_as(std::string_view user, std::string_view address) override { return user == address; }
};

class AuthenticatorTest : public testing::Test {
protected:
    AuthenticatorTest() {
        std::string name = testing::TempDir() + "gk-auth-XXXXXX";
        root_ = ::mkdtemp(name.data());
        store_ = CredentialStore::open(root_ + "/auth.db").value();
        configure("");
        EXPECT_TRUE(store_->set_password("ann@a.test", "secret", {false, 4096}));
    }
    ~AuthenticatorTest() override { std::filesystem::remove_all(root_); }

    void configure(const std::string& more) {
        const auto config = config::Config::parse("[auth]\nscram_iterations = 4096\n" + more).value();
        authenticator_ = std::make_unique<Authenticator>(config, accounts_, store_);
    }
    Outcome plain(const std::string& user, const std::string& password, const std::string& service = "imap",
                  bool tls = true, const std::string& ip = "192.0.2.1") {
        const std::string nul(1, '\0');
        return Exchange(*authenticator_, {service, "PLAIN", ip, tls, "", "", nul + user + nul + password}).start();
    }
    Outcome scram(const std::string& user, const std::string& password, const std::string& service = "imap",
                  std::string* salt = nullptr) {
        auto client = make_sasl_client("SCRAM-SHA-256", user, password).value();
        Exchange exchange(*authenticator_,
                          {service, "SCRAM-SHA-256", "192.0.2.1", false, "", "", **client->initial_response()});
        Outcome outcome = exchange.start();
        if (outcome.reply.kind != Reply::Kind::Continue) return outcome;
        if (salt) *salt = outcome.reply.bytes->substr(outcome.reply.bytes->find(",s="));
        outcome = exchange.respond(client->respond(*outcome.reply.bytes).value());
        if (outcome.reply.kind == Reply::Kind::Ok) {
            EXPECT_TRUE(client->respond(*outcome.reply.bytes));
            EXPECT_TRUE(client->may_succeed());
        }
        return outcome;
    }
    static bool yes(const Outcome& outcome) { return outcome.reply.kind == Reply::Kind::Ok; }

    std::string root_;
    std::shared_ptr<FakeAccounts> accounts_ = std::make_shared<FakeAccounts>();
    std::shared_ptr<CredentialStore> store_;
    std::unique_ptr<Authenticator> authenticator_;
};

TEST_F(AuthenticatorTest, AcceptsTheRightPasswordByEveryMechanism) {
    const Outcome outcome = plain("Ann@A.test", "secret");
    EXPECT_EQ(outcome.reply.user, "ann@a.test");
    EXPECT_EQ(outcome.how, "main");
    EXPECT_FALSE(outcome.reply.ticket.empty());
    EXPECT_EQ(plain("ann@a.test", "secret").how, "cached");
    EXPECT_TRUE(yes(scram("ann@a.test", "secret")));

    Exchange login(*authenticator_, {"smtp", "LOGIN", "192.0.2.1", true, "", "", std::nullopt});
    EXPECT_EQ(login.start().reply.bytes, "Username:");
    EXPECT_EQ(login.respond("ann@a.test").reply.bytes, "Password:");
    const Outcome done = login.respond("secret");
    EXPECT_TRUE(yes(done));
    EXPECT_TRUE(done.reply.ticket.empty());  // smtp redeems none
}

TEST_F(AuthenticatorTest, RefusesWrongPasswordsAndUnknownNamesAlike) {
    const Outcome wrong = plain("ann@a.test", "wrong"), unknown = plain("eve@a.test", "wrong");
    EXPECT_EQ(wrong.reply.code, FailCode::Auth);
    EXPECT_EQ(wrong.reply.text, unknown.reply.text);
    EXPECT_GT(wrong.delay.count(), 0);
    std::string first, second, other;
    EXPECT_EQ(scram("eve@a.test", "x", "imap", &first).reply.text, wrong.reply.text);
    (void)scram("eve@a.test", "x", "imap", &second);
    (void)scram("mallory@a.test", "x", "imap", &other);
    EXPECT_EQ(first, second);  // as a real salt would be
    EXPECT_NE(first, other);
    EXPECT_THAT(first, HasSubstr(",i=4096"));
}

TEST_F(AuthenticatorTest, WorksAsLongForUnknownNames) {
    ASSERT_TRUE(store_->set_password("ann@a.test", "secret", {false, 200'000}));
    authenticator_->reconfigure(
        config::Config::parse("[auth]\nscram_iterations = 200000\ncache_time = 0\nlockout_failures = 0\n"
                              "address_failures = 0\n")
            .value());
    // Processor time, and the fastest of several taken in turns: what else the machine does shall not decide.
    const auto worked = [] {
        timespec t{};
        ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
    };
    std::map<std::string, double> fastest;
    for (int i = 0; i < 7; ++i) {
        for (const char* user : {"ann@a.test", "eve@a.test"}) {
            const double began = worked();
            (void)plain(user, "wrong");
            const double took = worked() - began;
            double& least = fastest.try_emplace(user, took).first->second;
            least = std::min(least, took);
        }
    }
    const double ratio = fastest["ann@a.test"] / fastest["eve@a.test"];
    EXPECT_LT(ratio, 1.7);
    EXPECT_GT(ratio, 1 / 1.7);
}

TEST_F(AuthenticatorTest, RefusesPasswordsInTheClear) {
    EXPECT_FALSE(yes(plain("ann@a.test", "secret", "imap", false)));
    configure("plaintext_without_tls = true\n");
    EXPECT_TRUE(yes(plain("ann@a.test", "secret", "imap", false)));
}

TEST_F(AuthenticatorTest, ForgetsAVerifiedPasswordWhenItChanges) {
    EXPECT_TRUE(yes(plain("ann@a.test", "secret")));
    const auto other_program = CredentialStore::open(root_ + "/auth.db").value();
    ASSERT_TRUE(other_program->set_password("ann@a.test", "new", {false, 4096}));
    EXPECT_FALSE(yes(plain("ann@a.test", "secret")));
    EXPECT_TRUE(yes(plain("ann@a.test", "new")));
    ASSERT_TRUE(other_program->remove("ann@a.test"));
    EXPECT_FALSE(yes(plain("ann@a.test", "new")));
}

TEST_F(AuthenticatorTest, RefusesDisabledAccountsOnlyAfterTheRightPassword) {
    accounts_->disabled["ann@a.test"] = true;
    EXPECT_EQ(plain("ann@a.test", "secret").reply.code, FailCode::Disabled);
    EXPECT_EQ(plain("ann@a.test", "wrong").reply.code, FailCode::Auth);
}

TEST_F(AuthenticatorTest, LocksAnAccountOutAfterItsFailures) {
    configure("lockout_failures = 3\n");
    for (int i = 0; i < 3; ++i) EXPECT_EQ(plain("ann@a.test", "wrong" + std::to_string(i)).reply.code, FailCode::Auth);
    EXPECT_EQ(plain("ann@a.test", "secret").reply.code, FailCode::Locked);
    EXPECT_EQ(scram("ann@a.test", "secret").reply.code, FailCode::Locked);
    for (int i = 0; i < 3; ++i) (void)plain("nobody@a.test", "wrong" + std::to_string(i));
    EXPECT_EQ(plain("nobody@a.test", "x").reply.code, FailCode::Locked);  // tells nothing about who exists
}

TEST_F(AuthenticatorTest, ChecksScopeAndExpiryOfAppPasswords) {
    const Hashing hashing{false, 4096};
    const auto imap = store_->add_app_password("ann@a.test", "phone", {"imap"}, 0, hashing).value();
    const auto late = store_->add_app_password("ann@a.test", "old", {"all"}, to_unix_s(now()) - 1, hashing).value();
    EXPECT_GE(imap.password.size(), 28u);
    EXPECT_EQ(plain("ann@a.test", imap.password).how, "app:phone");
    EXPECT_EQ(scram("ann@a.test", imap.password).how, "app:phone");
    EXPECT_TRUE(yes(scram("ann@a.test", "secret")));  // the same salt serves all
    EXPECT_EQ(plain("ann@a.test", imap.password, "smtp").reply.code, FailCode::Auth);
    EXPECT_EQ(plain("ann@a.test", late.password).reply.code, FailCode::Expired);
    EXPECT_GT(store_->find("ann@a.test").value()->app_passwords[1].last_used_s, 0);
    ASSERT_TRUE(store_->set_password("ann@a.test", "changed", hashing));
    EXPECT_TRUE(yes(plain("ann@a.test", imap.password)));
    ASSERT_TRUE(store_->remove_app_password("ann@a.test", "phone"));
    EXPECT_FALSE(yes(plain("ann@a.test", imap.password)));
    EXPECT_EQ(store_->add_app_password("ann@a.test", "old", {"all"}, 0, hashing).error().code, Errc::Exists);
}

TEST_F(AuthenticatorTest, AsksForAppPasswordsWhereConfigured) {
    configure("app_passwords_only = true\n");
    EXPECT_FALSE(yes(plain("ann@a.test", "secret")));
    const auto app = store_->add_app_password("ann@a.test", "x", {"all"}, 0, {false, 4096}).value();
    EXPECT_TRUE(yes(plain("ann@a.test", app.password)));
}

TEST_F(AuthenticatorTest, UpgradesImportedHashesAtLogin) {
    crypt_data scratch{};
    const std::string hash = ::crypt_r("secret", "$6$rounds=1000$saltsalt$", &scratch);
    ASSERT_TRUE(store_->set_imported("ann@a.test", "{SHA512-CRYPT}" + hash));
    EXPECT_FALSE(yes(scram("ann@a.test", "secret")));
    EXPECT_FALSE(yes(plain("ann@a.test", "wrong")));
    EXPECT_EQ(store_->find("ann@a.test").value()->main, Credentials::Main::Crypt);
    EXPECT_TRUE(yes(plain("ann@a.test", "secret")));
    EXPECT_EQ(store_->find("ann@a.test").value()->main, Credentials::Main::Scram);
    EXPECT_TRUE(yes(scram("ann@a.test", "secret")));
}

TEST_F(AuthenticatorTest, StoresArgon2idWhereConfigured) {
    configure("main = \"argon2id\"\n");
    EXPECT_TRUE(yes(plain("ann@a.test", "secret")));  // becomes argon2id
    const auto stored = store_->find("ann@a.test").value();
    EXPECT_THAT(stored->main_hash, StartsWith("$argon2id$v=19$m=19456,t=2,p=1$"));
    EXPECT_TRUE(yes(plain("ann@a.test", "secret")));
    EXPECT_FALSE(yes(plain("ann@a.test", "wrong")));
    EXPECT_FALSE(yes(plain("eve@a.test", "wrong")));
    EXPECT_FALSE(yes(scram("ann@a.test", "secret")));
}

TEST_F(AuthenticatorTest, GivesTicketsThatServeOnceForTheirService) {
    const std::string first = plain("ann@a.test", "secret").reply.ticket,
                      second = plain("ann@a.test", "secret").reply.ticket;
    const Reply redeemed = authenticator_->redeem({first, "imap"});
    EXPECT_EQ(redeemed.user, "ann@a.test");
    EXPECT_EQ(redeemed.quota_octets, 1000u);
    EXPECT_EQ(redeemed.quota_messages, 7u);
    EXPECT_EQ(authenticator_->redeem({first, "imap"}).kind, Reply::Kind::Fail);
    EXPECT_EQ(authenticator_->redeem({second, "managesieve"}).kind, Reply::Kind::Fail);
    EXPECT_EQ(authenticator_->redeem({second, "imap"}).kind, Reply::Kind::Fail);
    const std::string third = plain("ann@a.test", "secret").reply.ticket;
    accounts_->disabled["ann@a.test"] = true;
    EXPECT_EQ(authenticator_->redeem({third, "imap"}).code, FailCode::Disabled);
}

TEST_F(AuthenticatorTest, CallsTroubleTemporary) {
    accounts_->broken = true;
    EXPECT_EQ(plain("ann@a.test", "secret").reply.code, FailCode::Temp);
    EXPECT_EQ(scram("ann@a.test", "secret").reply.code, FailCode::Temp);
}

TEST_F(AuthenticatorTest, RefusesMalformedExchanges) {
    const auto start = [&](const std::string& mechanism, std::optional<std::string> response) {
        return Exchange(*authenticator_, {"imap", mechanism, "", true, "", "", std::move(response)}).start().reply.code;
    };
    EXPECT_EQ(start("CRAM-MD5", ""), FailCode::Malformed);
    EXPECT_EQ(start("PLAIN", "ann"), FailCode::Malformed);
    EXPECT_EQ(start("PLAIN", std::string("\0a\0b\0c", 6)), FailCode::Malformed);
    EXPECT_EQ(start("SCRAM-SHA-256", "junk"), FailCode::Malformed);
    EXPECT_EQ(start("PLAIN", std::string("bob@a.test\0ann@a.test\0secret", 28)), FailCode::Auth);
    Exchange plain(*authenticator_, {"imap", "PLAIN", "", true, "", "", std::nullopt});
    EXPECT_EQ(plain.start().reply.bytes, "");
    (void)plain.respond("x");
    EXPECT_EQ(plain.respond("x").reply.code, FailCode::Malformed);
}

TEST_F(AuthenticatorTest, DowngradesNoChannelBindingSilently) {
    const auto client =
        make_sasl_client("SCRAM-SHA-256-PLUS", "ann@a.test", "secret", {"tls-exporter", "bytes"}).value();
    Exchange exchange(*authenticator_,
                      {"imap", "SCRAM-SHA-256-PLUS", "", true, "bytes", "", **client->initial_response()});
    const Outcome first = exchange.start();
    EXPECT_TRUE(yes(exchange.respond(client->respond(*first.reply.bytes).value())));
    Exchange other(*authenticator_, {"imap", "SCRAM-SHA-256", "", true, "bytes", "", "y,,n=ann@a.test,r=abc"});
    EXPECT_EQ(other.start().reply.code, FailCode::Auth);
}

TEST(ImportedHash, IsOfAKindThatIsSlowEnough) {
    EXPECT_TRUE(imported_hash("$2b$05$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234"));
    EXPECT_TRUE(imported_hash("{BLF-CRYPT}$2y$05$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234"));
    for (const char* bad : {"", "secret", "$1$salt$0123456789012345678901", "{SSHA}0123456789012345678901234567",
                            "{PLAIN}secret", "{CRYPT", "ab01234567890"})
        EXPECT_FALSE(imported_hash(bad)) << bad;
}

TEST(ScramRecord, SurvivesText) {
    const ScramKeys keys{std::string(32, 'a'), std::string(32, '\0')};
    const auto back = parse_scram_record(format_scram_record("0123456789abcdef", 5000, keys)).value();
    EXPECT_EQ(back.keys, keys);
    EXPECT_EQ(back.iterations, 5000);
    for (const char* bad :
         {"", "SCRAM-SHA-256$", "SCRAM-SHA-256$1:c2FsdHNhbHQ=$a:b", "SCRAM-SHA-256$5000:c2FsdHNhbHQ=$YQ==:YQ=="})
        EXPECT_FALSE(parse_scram_record(bad)) << bad;
}

TEST(Throttle, DoublesTheDelayUpToItsBound) {
    Throttle throttle({});
    std::vector<std::int64_t> delays;
    for (int i = 0; i < 5; ++i) delays.push_back(throttle.failed("a", "192.0.2.1", std::to_string(i), 100).count());
    EXPECT_THAT(delays, testing::ElementsAre(1000, 2000, 4000, 8000, 8000));
}

TEST(Throttle, CountsTheSameWrongPasswordOnce) {
    Throttle throttle({.account_failures = 2, .address_failures = 0});
    for (int i = 0; i < 10; ++i) (void)throttle.failed("a", "", "same", 100);
    EXPECT_FALSE(throttle.locked("a", "", 100));
    (void)throttle.failed("a", "", "other", 100);
    EXPECT_TRUE(throttle.locked("a", "", 100));
}

TEST(Throttle, UnlocksWhenTheTimeIsOver) {
    Throttle throttle({.account_failures = 1, .lockout_s = 60});
    (void)throttle.failed("a", "", "", 100);
    EXPECT_TRUE(throttle.locked("a", "", 159));
    EXPECT_FALSE(throttle.locked("a", "", 160));
    (void)throttle.failed("a", "", "", 200);
    throttle.succeeded("a");
    EXPECT_FALSE(throttle.locked("a", "", 200));
}

TEST(Throttle, CountsIpv6ByNetworkAndSparesTrusted) {
    Throttle::Settings settings{.account_failures = 0, .address_failures = 2};
    settings.trusted = net::Networks::parse({"127.0.0.0/8"}).value();
    Throttle throttle(settings);
    for (const char* ip : {"2001:db8:0:1::1", "2001:db8:0:1::2", "127.0.0.1", "127.0.0.1", "192.0.2.1"})
        (void)throttle.failed("x", ip, "", 1);
    EXPECT_TRUE(throttle.locked("y", "2001:db8:0:1:ffff::3", 1));
    EXPECT_FALSE(throttle.locked("y", "2001:db8:0:2::1", 1));
    EXPECT_FALSE(throttle.locked("y", "127.0.0.1", 1));
    EXPECT_FALSE(throttle.locked("y", "192.0.2.1", 1));
}

TEST(Throttle, ForgetsTheOldestWhenFull) {
    Throttle throttle({.account_failures = 1, .remembered = 100});
    for (int i = 0; i < 150; ++i) (void)throttle.failed(std::to_string(i), "", "", 1);
    EXPECT_FALSE(throttle.locked("0", "", 1));
    EXPECT_TRUE(throttle.locked("149", "", 1));
}

TEST(Tickets, RunOut) {
    Tickets tickets(30);
    const std::string ticket = tickets.issue("ann@a.test", "imap", 100);
    EXPECT_EQ(tickets.redeem(ticket, "imap", 131), std::nullopt);
    Tickets small(30, 2);
    (void)small.issue("a", "imap", 100);
    (void)small.issue("a", "imap", 100);
    EXPECT_EQ(small.issue("a", "imap", 100), "");
    EXPECT_NE(small.issue("a", "imap", 200), "");
}

TEST(ScramRecords, HaveNoMoreRoundsThanCyrusSaslComputesAsAClient) {
    const auto config = config::Config::parse("").value();
    EXPECT_LE(config.integer("auth.scram_iterations"), 65'536);
    EXPECT_EQ(Hashing{}.iterations, config.integer("auth.scram_iterations"));
}

}  // namespace
}  // namespace gk::auth
