// SPDX-License-Identifier: MIT
#include "common/mailauth/dkim/signing_keys.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/os/file.hpp"
#include "tests/unit/mailauth/dkim_fixture.hpp"

namespace gk::mailauth::dkim {
namespace {

const std::string kDigest(32, 'd');

class DkimSigningKeys : public testing::Test {
protected:
    void SetUp() override {
        char name[] = "/tmp/gk-dkim-ring-XXXXXX";
        ASSERT_NE(::mkdtemp(name), nullptr);
        directory_ = name;
    }
    void TearDown() override { (void)os::remove_tree(directory_); }
    KeyStore store() const { return KeyStore(directory_); }
    // As if the last change were long ago, by a time of its own.
    void age(const std::string& domain, int seconds) {
        const timespec times[2] = {{1'700'000'000 + seconds, 0}, {1'700'000'000 + seconds, 0}};
        ASSERT_EQ(::utimensat(AT_FDCWD, (directory_ + '/' + domain).c_str(), times, 0), 0);
    }
    std::string directory_;
};

TEST_F(DkimSigningKeys, SignsWithActiveKeysAlone) {
    ASSERT_TRUE(store().create("a.test", "active", keys().ed25519, KeyState::Active, 1));
    ASSERT_TRUE(store().create("a.test", "new", keys().rsa, KeyState::Published, 2));
    ASSERT_TRUE(store().create("a.test", "old", keys().rsa, KeyState::Retired, 3));
    SigningKeys signing(store());
    const auto active = signing.active("a.test").value();
    ASSERT_EQ(active->size(), 1u);
    EXPECT_EQ(active->front().selector, "active");
    const auto signature = signing.sign("a.test", "active", kDigest);
    ASSERT_TRUE(signature);
    EXPECT_TRUE(PublicKey::load(Algorithm::Ed25519Sha256, keys().ed25519.public_octets())
                    .value()
                    .verifies(kDigest, *signature));
    for (const char* selector : {"new", "old", "none"})
        EXPECT_EQ(signing.sign("a.test", selector, kDigest).error().code, Errc::NotFound) << selector;
    EXPECT_TRUE(signing.active("b.test").value()->empty());
    for (const char* domain : {"", "..", "../a.test", "a.test/..", "A.test", "a"})
        EXPECT_EQ(signing.active(domain).error().code, Errc::BadInput) << domain;
}

TEST_F(DkimSigningKeys, SeesEveryChangeOnDiskAtOnce) {
    const auto key = store().create("a.test", "s", keys().ed25519, KeyState::Published, 1).value();
    SigningKeys signing(store());
    EXPECT_TRUE(signing.active("a.test").value()->empty());
    ASSERT_TRUE(store().set_state(key, KeyState::Active, 2));
    EXPECT_EQ(signing.active("a.test").value()->size(), 1u);
    ASSERT_TRUE(store().set_state(key, KeyState::Revoked, 3));
    EXPECT_TRUE(signing.active("a.test").value()->empty());
    EXPECT_EQ(signing.sign("a.test", "s", kDigest).error().code, Errc::NotFound);
    ASSERT_TRUE(os::remove_tree(directory_ + "/a.test"));
    EXPECT_TRUE(signing.active("a.test").value()->empty());
}

TEST_F(DkimSigningKeys, ReadsAKeyOnce) {
    const auto key = store().create("a.test", "s", keys().ed25519, KeyState::Active, 1).value();
    age("a.test", 1);
    SigningKeys signing(store());
    const auto first = signing.active("a.test").value();
    // Were the folder read again, the state would be found broken.
    const std::string state = directory_ + "/a.test/s.state";
    ASSERT_EQ(::truncate(state.c_str(), 3), 0);
    EXPECT_EQ(signing.active("a.test").value(), first);
    ASSERT_TRUE(store().set_state(key, KeyState::Active, 2));
    const auto again = signing.active("a.test").value();
    EXPECT_NE(again, first);
    EXPECT_EQ(again->front().key, first->front().key);
}

TEST_F(DkimSigningKeys, SeesAnotherKeyUnderTheSameName) {
    ASSERT_TRUE(store().create("a.test", "s", keys().ed25519, KeyState::Active, 1));
    SigningKeys signing(store());
    ASSERT_TRUE(signing.active("a.test"));
    ASSERT_TRUE(os::remove_tree(directory_ + "/a.test"));
    ASSERT_TRUE(store().create("a.test", "s", keys().rsa, KeyState::Active, 1));
    EXPECT_EQ(signing.active("a.test").value()->front().key->algorithm(), Algorithm::RsaSha256);
}

}  // namespace
}  // namespace gk::mailauth::dkim
