// SPDX-License-Identifier: MIT
#include "common/mailauth/dkim/rotation.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <map>

#include "common/os/file.hpp"
#include "tests/unit/mailauth/dkim_fixture.hpp"

namespace gk::mailauth::dkim {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kDay = 86400;

// A store, and two servers that show what a test says.
class DkimRotation : public testing::Test {
protected:
    void SetUp() override {
        char name[] = "/tmp/gk-dkim-rotation-XXXXXX";
        ASSERT_NE(::mkdtemp(name), nullptr);
        directory_ = name;
    }
    void TearDown() override { (void)os::remove_tree(directory_); }

    std::vector<Step> run(bool begin = false, bool dry_run = false) {
        const auto look = [this](const std::string&, const std::string& name) -> Result<std::vector<Sight>> {
            std::vector<Sight> sights;
            for (auto& [server, zone] : zones_) {
                if (down_ == server) {
                    sights.push_back({server, {Outcome::TempError, {}, "no answer", false}});
                    continue;
                }
                const auto found = zone.find(name);
                Lookup<std::string> shown;
                if (found != zone.end()) shown = {Outcome::Found, {found->second}, {}, false};
                sights.push_back({server, shown});
            }
            return sights;
        };
        const Rotation rotation(store_(), look, {180 * kDay, 14 * kDay, 1024}, now_, dry_run);
        auto steps = rotation.advance("a.test", begin);
        EXPECT_TRUE(steps) << steps.error().text;
        return steps.value_or(std::vector<Step>{});
    }
    const KeyStore& store_() {
        static std::map<std::string, KeyStore> stores;
        return stores.try_emplace(directory_, directory_).first->second;
    }
    void publish(const StoredKey& key, const std::string& only = {}) {
        for (auto& [server, zone] : zones_)
            if (only.empty() || only == server) zone[dns_name(key)] = store_().record(key).value();
    }
    void withdraw(const StoredKey& key) {
        for (auto& [server, zone] : zones_) zone.erase(dns_name(key));
    }
    std::string states() {
        std::string out;
        const auto listed = store_().list("a.test").value();
        for (const auto& key : listed) out += key.selector + '=' + std::string(state_name(key.state)) + ' ';
        return out;
    }
    StoredKey key(const std::string& selector) { return store_().find("a.test", selector).value(); }
    StoredKey make(const std::string& selector, KeyState state, Algorithm algorithm = Algorithm::Ed25519Sha256) {
        const auto& made = algorithm == Algorithm::RsaSha256 ? keys().rsa : keys().ed25519;
        return store_().create("a.test", selector, made, state, now_).value();
    }
    static std::string actions(const std::vector<Step>& steps) {
        std::string out;
        for (const auto& step : steps) out += step.key.selector + ':' + step.action + ' ';
        return out;
    }

    std::string directory_, down_;
    std::map<std::string, std::map<std::string, std::string>> zones_ = {{"ns1", {}}, {"ns2", {}}};
    std::int64_t now_ = 1'700'000'000;  // November 2023
};

TEST_F(DkimRotation, ANewKeySignsOnceEveryServerShowsIt) {
    const auto made = make("new", KeyState::Published);
    auto steps = run();
    ASSERT_EQ(actions(steps), "new:waits ");
    EXPECT_THAT(steps[0].reason, HasSubstr("ns1: missing; ns2: missing"));
    publish(made, "ns1");
    steps = run();
    EXPECT_THAT(steps.at(0).reason, HasSubstr("ns2: missing"));
    EXPECT_THAT(steps.at(0).reason, Not(HasSubstr("ns1")));
    down_ = "ns2";
    publish(made);
    steps = run();
    EXPECT_TRUE(steps.at(0).temporary && steps.at(0).waits());
    EXPECT_EQ(states(), "new=published ");
    down_ = "";
    EXPECT_EQ(actions(run()), "new:activated ");
    EXPECT_EQ(states(), "new=active ");
    EXPECT_EQ(actions(run()), "new:keeps ");
}

TEST_F(DkimRotation, AnotherKeyUnderItsNameDoesNotCount) {
    make("new", KeyState::Published);
    for (auto& [server, zone] : zones_) zone["new._domainkey.a.test"] = format_key_record(keys().rsa);
    EXPECT_THAT(run().at(0).reason, HasSubstr("differs: another key"));
    for (auto& [server, zone] : zones_) zone["new._domainkey.a.test"] = "v=DKIM1; k=ed25519; p=";
    EXPECT_THAT(run().at(0).reason, HasSubstr("revoked"));
    EXPECT_EQ(states(), "new=published ");
}

TEST_F(DkimRotation, GoesRoundFromSuccessorToForgottenName) {
    make("old", KeyState::Active);
    publish(key("old"));
    now_ += kDay;
    auto steps = run(true);
    ASSERT_EQ(actions(steps), "old:keeps 202311a-ed25519:created ");
    EXPECT_EQ(actions(run(true)), "202311a-ed25519:waits old:keeps ");  // again: no third key
    publish(key("202311a-ed25519"));
    now_ += kDay;
    EXPECT_EQ(actions(run(true)), "202311a-ed25519:activated old:retired ");
    EXPECT_EQ(states(), "old=retired 202311a-ed25519=active ");
    now_ += 13 * kDay;
    EXPECT_EQ(actions(run(true)), "202311a-ed25519:keeps old:keeps ");  // a round is under way
    now_ += kDay;
    steps = run();
    EXPECT_EQ(actions(steps), "202311a-ed25519:keeps old:removed ");
    EXPECT_THAT(steps.at(1).reason, HasSubstr("old._domainkey.a.test"));
    EXPECT_FALSE(os::exists(key("old").key_path));
    EXPECT_EQ(actions(run()), "202311a-ed25519:keeps old:waits ");
    for (auto& [server, zone] : zones_) zone.erase("old._domainkey.a.test");
    EXPECT_EQ(actions(run()), "202311a-ed25519:keeps old:forgotten ");
    EXPECT_EQ(states(), "202311a-ed25519=active ");
}

TEST_F(DkimRotation, AgeBeginsARoundByItself) {
    make("rsa", KeyState::Active, Algorithm::RsaSha256);
    now_ += 179 * kDay;
    EXPECT_EQ(actions(run()), "rsa:keeps ");
    now_ += kDay;
    const auto steps = run();
    ASSERT_EQ(actions(steps), "rsa:keeps 202405a-rsa:created ");
    EXPECT_EQ(steps[1].key.algorithm, Algorithm::RsaSha256);
    EXPECT_GE(steps[1].key.bits, 1024u);
}

TEST_F(DkimRotation, BothKindsOfKeysGoRoundEachByItself) {
    make("one", KeyState::Active, Algorithm::RsaSha256);
    make("two", KeyState::Active, Algorithm::Ed25519Sha256);
    const auto steps = run(true);
    EXPECT_EQ(actions(steps), "one:keeps 202311a-rsa:created two:keeps 202311a-ed25519:created ");
    publish(key("202311a-rsa"));
    run(true);
    EXPECT_EQ(key("202311a-rsa").state, KeyState::Active);
    EXPECT_EQ(key("one").state, KeyState::Retired);
    EXPECT_EQ(key("two").state, KeyState::Active);
}

TEST_F(DkimRotation, AKillBetweenTwoStepsIsMendedByTheNextRun) {
    // Activated, but the old one not yet retired.
    make("old", KeyState::Active);
    now_ += 1;
    make("new", KeyState::Active);
    EXPECT_EQ(actions(run()), "old:retired new:keeps ");
    // A key whose state was never written is in the way of the name.
    ASSERT_TRUE(os::append_file(directory_ + "/a.test/202311a-ed25519.key", "half", false));
    ASSERT_TRUE(store_().forget(key("old")));
    EXPECT_EQ(actions(run(true)), "new:keeps 202311b-ed25519:created ");
    // The state says removed, the private key is still there.
    const auto left = key("202311b-ed25519");
    ASSERT_TRUE(store_().set_state(left, KeyState::Removed, now_));
    ASSERT_TRUE(os::append_file(left.key_path, "left", false));
    run();
    EXPECT_FALSE(os::exists(left.key_path));
}

TEST_F(DkimRotation, OfSeveralNewKeysTheNewestThatIsShownCounts) {
    make("a", KeyState::Published);
    now_ += 1;
    make("b", KeyState::Published);
    now_ += 1;
    make("c", KeyState::Published);
    publish(key("b"));
    EXPECT_EQ(actions(run()), "c:waits b:activated a:removed ");
    EXPECT_EQ(states(), "a=removed b=active c=published ");
}

TEST_F(DkimRotation, ARevokedKeyStaysInDnsUntilItsTimeIsOver) {
    const auto made = make("bad", KeyState::Active);
    publish(made);
    ASSERT_TRUE(store_().set_state(made, KeyState::Revoked, now_));
    auto steps = run();
    ASSERT_EQ(actions(steps), "bad:waits ");
    EXPECT_THAT(steps[0].reason, HasSubstr("ns1: differs"));
    publish(key("bad"));
    EXPECT_EQ(actions(run()), "bad:keeps ");
    withdraw(made);
    EXPECT_EQ(actions(run()), "bad:waits ");  // too early: an old copy of the key would still count
    now_ += 14 * kDay;
    EXPECT_EQ(actions(run()), "bad:forgotten ");
    EXPECT_EQ(states(), "");
}

TEST_F(DkimRotation, ADryRunChangesNothing) {
    make("old", KeyState::Active);
    now_ += 1;
    publish(make("new", KeyState::Published));
    EXPECT_EQ(actions(run(true, true)), "new:activated old:retired ");
    EXPECT_EQ(states(), "old=active new=published ");
}

TEST_F(DkimRotation, WhereNoServerIsFoundEverythingWaits) {
    make("new", KeyState::Published);
    const Rotation rotation(
        store_(),
        [](const std::string&, const std::string&) -> Result<std::vector<Sight>> {
            return fail(Errc::Temporary, "no name server of the zone was found");
        },
        {180 * kDay, 14 * kDay, 1024}, now_, false);
    const auto steps = rotation.advance("a.test", false).value();
    ASSERT_EQ(steps.size(), 1u);
    EXPECT_TRUE(steps[0].temporary && steps[0].waits());
    zones_.clear();  // nor does an empty list of servers agree
    EXPECT_EQ(actions(run()), "new:waits ");
}

}  // namespace
}  // namespace gk::mailauth::dkim
