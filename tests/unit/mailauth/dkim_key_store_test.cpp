// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mailauth/dkim/key_store.hpp"
#include "common/os/file.hpp"
#include "tests/unit/mailauth/dkim_fixture.hpp"

namespace gk::mailauth::dkim {
namespace {

class DkimKeyStore : public testing::Test {
protected:
    void SetUp() override {
        char name[] = "/tmp/gk-dkim-keys-XXXXXX";
        ASSERT_NE(::mkdtemp(name), nullptr);
        directory_ = name;
    }
    void TearDown() override { (void)os::remove_tree(directory_); }
    std::string directory_;
};

TEST_F(DkimKeyStore, KeepsAKeyAndItsState) {
    const KeyStore store(directory_ + "/keys/dkim");
    EXPECT_TRUE(store.list().value().empty());
    const auto made = store.create("a.test", "s1", keys().rsa, KeyState::Published, 1000).value();
    ASSERT_TRUE(store.set_state(made, KeyState::Active, 2000));
    const auto found = store.find("a.test", "s1").value();
    EXPECT_EQ(found.state, KeyState::Active);
    EXPECT_EQ(found.algorithm, Algorithm::RsaSha256);
    EXPECT_EQ(found.bits, 1024u);
    EXPECT_EQ(found.created_s, 1000);
    EXPECT_EQ(found.changed_s, 2000);
    EXPECT_EQ(store.load(found).value().public_octets(), keys().rsa.public_octets());
}

TEST_F(DkimKeyStore, DestroysTheKeyThatIsRevokedOrRemovedAndKeepsItsName) {
    const KeyStore store(directory_);
    const auto key = store.create("a.test", "s1", keys().rsa, KeyState::Active, 1000).value();
    EXPECT_NE(store.record(key).value().find("p=MI"), std::string::npos);
    ASSERT_TRUE(store.set_state(key, KeyState::Revoked, 2000));
    EXPECT_FALSE(os::exists(key.key_path));
    const auto revoked = store.find("a.test", "s1").value();
    EXPECT_EQ(revoked.state, KeyState::Revoked);
    EXPECT_EQ(store.record(revoked).value(), "v=DKIM1; k=rsa; p=");
    ASSERT_TRUE(store.set_state(revoked, KeyState::Removed, 3000));
    const auto removed = store.find("a.test", "s1").value();
    EXPECT_EQ(store.record(removed).error().code, Errc::NotFound);
    ASSERT_TRUE(store.forget(removed));
    EXPECT_TRUE(store.list("a.test").value().empty());
}

TEST_F(DkimKeyStore, OneWriterAtATime) {
    const KeyStore store(directory_ + "/dkim");
    {
        const auto held = store.lock();
        ASSERT_TRUE(held);
        EXPECT_EQ(store.lock().error().code, Errc::Temporary);
    }
    EXPECT_TRUE(store.lock());
}

TEST_F(DkimKeyStore, NobodyElseReadsAKey) {
    const KeyStore store(directory_);
    const auto made = store.create("a.test", "s1", keys().ed25519, KeyState::Published, 1000).value();
    struct stat status {};
    ASSERT_EQ(::stat(made.key_path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777u, 0600u);
}

TEST_F(DkimKeyStore, NeverWritesOverAKey) {
    const KeyStore store(directory_);
    ASSERT_TRUE(store.create("a.test", "s1", keys().ed25519, KeyState::Published, 1000));
    EXPECT_EQ(store.create("a.test", "s1", keys().rsa, KeyState::Published, 1000).error().code, Errc::Exists);
    EXPECT_EQ(store.load(store.find("a.test", "s1").value()).value().algorithm(), Algorithm::Ed25519Sha256);
}

TEST_F(DkimKeyStore, ListsByDomainAndAge) {
    const KeyStore store(directory_);
    ASSERT_TRUE(store.create("b.test", "s", keys().rsa, KeyState::Active, 1));
    ASSERT_TRUE(store.create("a.test", "new", keys().rsa, KeyState::Published, 3));
    ASSERT_TRUE(store.create("a.test", "old", keys().rsa, KeyState::Retired, 2));
    std::vector<std::string> all;
    const auto listed = store.list().value();
    for (const auto& key : listed) all.push_back(key.domain + '/' + key.selector);
    EXPECT_THAT(all, testing::ElementsAre("a.test/old", "a.test/new", "b.test/s"));
    EXPECT_EQ(store.list("b.test").value().size(), 1u);
    EXPECT_TRUE(store.list("c.test").value().empty());
}

TEST_F(DkimKeyStore, TakesNoNameThatLeadsElsewhere) {
    const KeyStore store(directory_ + "/dkim");
    for (const char* selector : {"", "../x", "a/b", ".", "..", "A", "ü"})
        EXPECT_EQ(store.create("a.test", selector, keys().rsa, KeyState::Active, 1).error().code, Errc::BadInput)
            << selector;
    for (const char* domain : {"", "..", "a/b.test", "../a.test", "A.test", "test"})
        EXPECT_EQ(store.create(domain, "s", keys().rsa, KeyState::Active, 1).error().code, Errc::BadInput) << domain;
    EXPECT_EQ(store.find("a.test", "none").error().code, Errc::NotFound);
}

TEST(DkimZone, SplitsLongRecordsIntoStrings) {
    const StoredKey key{"a.test", "s", Algorithm::RsaSha256, 2048, KeyState::Published, 0, 0, ""};
    const std::string record(600, 'x');
    const std::string line = zone_lines(key, record);
    EXPECT_TRUE(line.starts_with("s._domainkey.a.test. IN TXT ( \"x"));
    EXPECT_EQ(std::count(line.begin(), line.end(), '"'), 6);
}

TEST(DkimSelector, IsMadeFromTheMonthAndNotTakenTwice) {
    EXPECT_EQ(default_selector(Algorithm::RsaSha256, kNow, {}), "202609a-rsa");
    EXPECT_EQ(
        default_selector(Algorithm::RsaSha256, kNow, {{.domain = "a.test", .selector = "202609a-rsa", .key_path = ""}}),
        "202609b-rsa");
}

}  // namespace
}  // namespace gk::mailauth::dkim
