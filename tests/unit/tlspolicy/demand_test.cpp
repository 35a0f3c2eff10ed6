// SPDX-License-Identifier: MIT
#include "common/tlspolicy/demand.hpp"

#include <gmock/gmock.h>

#include "common/tlspolicy/planner.hpp"
#include "tests/unit/tlspolicy/fake_dns.hpp"

using namespace gk;
using namespace gk::tlspolicy;
using gk::testing::FakeDns;
using ::testing::HasSubstr;

namespace {

const dns::Tlsa kGood{3, 1, 1, std::string(32, 'k')};

StsEntry entry(StsMode mode, std::vector<std::string> mx = {"mx.b.test"}) {
    return {"b.test", "1", now(), now() + std::chrono::hours(24), {mode, 86400, std::move(mx)}};
}

Facts facts(Level level, Wish wish = Wish::None) {
    Facts f;
    f.level = level;
    f.wish = wish;
    f.domain = "b.test";
    f.host = "mx.b.test";
    f.mx_secure = true;
    f.tlsa.why = "no TLSA records";
    return f;
}

Facts with_dane(Facts f) {
    f.tlsa = {HostTlsa::State::Usable, "mx.b.test", {kGood}, {{3, 1, 1, kGood.data}}, {}, false};
    return f;
}

Facts with_sts(Facts f, StsEntry e) {
    f.sts.source = StsView::Source::Cached;
    f.sts.entry = std::move(e);
    return f;
}

// mx.b.test in a signed zone.
FakeDns signed_zone() {
    FakeDns dns;
    dns.mx_records["b.test"] = {{10, "mx.b.test"}};
    dns.a_records["mx.b.test"] = {"192.0.2.1"};
    dns.tlsa_records["_25._tcp.mx.b.test"] = {kGood};
    return dns;
}

HostPlan plan_of(FakeDns& dns, Level level = Level::Opportunistic) {
    Settings settings;
    settings.levels = Levels(level);
    Planner planner(settings, dns);
    const auto plan = planner.domain("b.test");
    EXPECT_TRUE(plan);
    const auto host = planner.host(*plan, "mx.b.test", 25);
    EXPECT_TRUE(host);
    return *host;
}

}  // namespace

TEST(TlsDemand, DaneComesBeforeMtaSts) {
    const auto demand =
        decide(with_sts(with_dane(facts(Level::Opportunistic)), entry(StsMode::Enforce, {"other.test"})));
    EXPECT_EQ(demand.demand, Demand::Dane);
    EXPECT_EQ(demand.policy, PolicyType::Tlsa);
    EXPECT_FALSE(demand.blocked);
    EXPECT_EQ(demand.peer.tlsa.size(), 1u);
    EXPECT_EQ(demand.peer.names, (std::vector<std::string>{"mx.b.test", "b.test"}));
}

TEST(TlsDemand, AnEnforcedMtaStsPolicyWantsTheNamedHost) {
    const auto demand = decide(with_sts(facts(Level::Opportunistic), entry(StsMode::Enforce)));
    EXPECT_EQ(demand.demand, Demand::Certificate);
    EXPECT_EQ(demand.peer.server_name, "mx.b.test");
    EXPECT_TRUE(demand.peer.tlsa.empty());
    const auto other = decide(with_sts(facts(Level::Opportunistic), entry(StsMode::Enforce, {"mx.c.test"})));
    ASSERT_TRUE(other.blocked);
    EXPECT_EQ(other.blocked->reason_code, "mx-not-in-policy");
    EXPECT_EQ(other.blocked->status, "4.7.5");
    EXPECT_THAT(other.blocked->text, HasSubstr("mx.b.test is not among the hosts of the MTA-STS policy of b.test"));
}

TEST(TlsDemand, AMtaStsPolicyInTestingStopsNothing) {
    const auto demand = decide(with_sts(facts(Level::Opportunistic), entry(StsMode::Testing, {"mx.c.test"})));
    EXPECT_EQ(demand.demand, Demand::Opportunistic);
    EXPECT_TRUE(demand.is_tested);
    EXPECT_FALSE(demand.blocked);
    ASSERT_TRUE(demand.noticed);
    EXPECT_EQ(demand.noticed->reason_code, "mx-not-in-policy");
    EXPECT_EQ(decide(with_sts(facts(Level::Encrypt), entry(StsMode::Testing))).demand, Demand::Encrypt);
    EXPECT_TRUE(decide(with_sts(facts(Level::Secure), entry(StsMode::Testing))).blocked);
}

TEST(TlsDemand, AFailedTlsaLookupBlocksTheHostAtEveryLevelThatLooks) {
    auto f = facts(Level::Opportunistic);
    f.tlsa = {HostTlsa::State::Failed, "mx.b.test", {}, {}, "DNSSEC validation of x failed", true};
    const auto demand = decide(with_sts(f, entry(StsMode::Enforce)));
    ASSERT_TRUE(demand.blocked);
    EXPECT_EQ(demand.blocked->type, ResultType::DnssecInvalid);
    f.level = Level::Unchecked;
    EXPECT_FALSE(decide(f).blocked);
}

TEST(TlsDemand, UnusableRecordsStillWantTls) {
    auto f = facts(Level::Opportunistic);
    f.tlsa = {HostTlsa::State::Unusable, "mx.b.test", {{1, 1, 1, kGood.data}}, {}, {}, false};
    EXPECT_EQ(decide(f).demand, Demand::Encrypt);
    EXPECT_EQ(decide(with_sts(f, entry(StsMode::Enforce))).demand, Demand::Certificate);
    f.level = Level::Dane;
    ASSERT_TRUE(decide(f).blocked);
    EXPECT_EQ(decide(f).blocked->type, ResultType::TlsaInvalid);
}

TEST(TlsDemand, LevelsAreALeast) {
    EXPECT_EQ(decide(with_dane(facts(Level::Never))).demand, Demand::Plain);
    EXPECT_EQ(decide(with_dane(facts(Level::Unchecked))).demand, Demand::Opportunistic);
    EXPECT_EQ(decide(facts(Level::Opportunistic)).demand, Demand::Opportunistic);
    EXPECT_EQ(decide(facts(Level::Encrypt)).demand, Demand::Encrypt);
    EXPECT_EQ(decide(with_dane(facts(Level::Encrypt))).demand, Demand::Dane);
    EXPECT_EQ(decide(facts(Level::Verify)).demand, Demand::Certificate);
    EXPECT_FALSE(decide(with_dane(facts(Level::Secure))).blocked);
    EXPECT_FALSE(decide(with_sts(facts(Level::Secure), entry(StsMode::Enforce))).blocked);
    EXPECT_FALSE(decide(with_dane(facts(Level::Dane))).blocked);
    const auto sts_for_dane = decide(with_sts(facts(Level::Dane), entry(StsMode::Enforce)));
    ASSERT_TRUE(sts_for_dane.blocked);
    EXPECT_EQ(sts_for_dane.blocked->type, ResultType::DaneRequired);
}

TEST(TlsDemand, SaysWhyTheWayIsNotSecure) {
    auto f = facts(Level::Secure);
    f.mx_secure = false;
    f.sts.expired = entry(StsMode::Enforce);
    f.sts.text = "cannot fetch it";
    const auto demand = decide(f);
    ASSERT_TRUE(demand.blocked);
    EXPECT_EQ(demand.blocked->reason_code, "sts-policy-expired");
    EXPECT_EQ(demand.blocked->type, ResultType::StsPolicyFetchError);
    EXPECT_THAT(demand.blocked->text, HasSubstr("the MX records of b.test are not signed"));
    EXPECT_THAT(demand.blocked->text, HasSubstr("the MTA-STS policy expired at"));
    EXPECT_THAT(demand.blocked->text, HasSubstr("cannot fetch it"));
}

TEST(TlsDemand, RequireTlsIsForGoodWhereNothingProtectsTheWay) {
    const auto demand = decide(facts(Level::Opportunistic, Wish::RequireTls));
    ASSERT_TRUE(demand.blocked);
    EXPECT_EQ(demand.blocked->status, "5.7.30");
    EXPECT_FALSE(decide(with_dane(facts(Level::Never, Wish::RequireTls))).blocked);
    auto away = facts(Level::Opportunistic, Wish::RequireTls);
    away.sts.problem = ResultType::StsPolicyFetchError;
    EXPECT_EQ(decide(away).blocked->status, "4.7.5");
}

TEST(TlsDemand, TlsRequiredNoOutweighsWhatTheDomainPublishesAndNotWhatIsConfigured) {
    const auto wish = Wish::TlsOptional;
    EXPECT_EQ(decide(with_dane(facts(Level::Opportunistic, wish))).demand, Demand::Opportunistic);
    EXPECT_EQ(decide(with_dane(facts(Level::Encrypt, wish))).demand, Demand::Encrypt);
    EXPECT_EQ(decide(with_dane(facts(Level::Dane, wish))).demand, Demand::Dane);
}

TEST(TlsDemand, APolicyThatCannotBeHadIsReportedAndStopsNothing) {
    auto f = facts(Level::Opportunistic);
    f.sts.problem = ResultType::StsWebpkiInvalid;
    f.sts.text = "cannot fetch it";
    const auto demand = decide(f);
    EXPECT_FALSE(demand.blocked);
    ASSERT_TRUE(demand.noticed);
    EXPECT_EQ(demand.noticed->type, ResultType::StsWebpkiInvalid);
}

TEST(Dane, KnowsWhichRecordsAreUsable) {
    const std::string sha256(32, 'x'), sha512(64, 'x');
    EXPECT_TRUE(is_usable({3, 1, 1, sha256}));
    EXPECT_TRUE(is_usable({2, 0, 2, sha512}));
    EXPECT_FALSE(is_usable({0, 1, 1, sha256}));
    EXPECT_FALSE(is_usable({1, 1, 1, sha256}));
    EXPECT_FALSE(is_usable({3, 2, 1, sha256}));
    EXPECT_FALSE(is_usable({3, 1, 3, sha256}));
    EXPECT_FALSE(is_usable({3, 1, 1, sha512}));
    EXPECT_FALSE(is_usable({3, 1, 2, sha256}));
    EXPECT_FALSE(is_usable({3, 0, 0, ""}));
}

TEST(Dane, AKeyGivenWholeHasToBeOne) {
    // An Ed25519 SubjectPublicKeyInfo (RFC 8410, 10.1).
    const std::string key = std::string("\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00", 12) +
                            "\x19\xbf\x44\x09\x69\x84\xcd\xfe\x85\x41\xba\xc1\x67\xdc\x3b\x96"
                            "\xc8\x50\x86\xaa\x30\xb6\xb6\xcb\x0c\x5c\x38\xad\x70\x31\x66\xe1";
    EXPECT_TRUE(is_usable({3, 1, 0, key}));
    EXPECT_FALSE(is_usable({3, 1, 0, key + "x"}));
    EXPECT_FALSE(is_usable({3, 1, 0, key.substr(0, 30)}));
    EXPECT_FALSE(is_usable({3, 0, 0, key})) << "it is no certificate";
    EXPECT_FALSE(is_usable({3, 0, 0, "der"}));
}

TEST(Dane, ASignedWayToSignedRecordsIsDane) {
    auto dns = signed_zone();
    EXPECT_EQ(plan_of(dns).demand.demand, Demand::Dane);
}

TEST(Dane, AnUnsignedMxMakesRecordsWorthNothing) {
    auto dns = signed_zone();
    dns.unsigned_names["b.test"] = true;
    const auto host = plan_of(dns);
    EXPECT_EQ(host.demand.demand, Demand::Opportunistic);
    EXPECT_EQ(dns.asked_tlsa, 0);
    EXPECT_THAT(plan_of(dns, Level::Dane).demand.blocked->text, HasSubstr("the MX records of b.test are not signed"));
}

TEST(Dane, AHostInAnUnsignedZoneIsNotEvenAsked) {
    auto dns = signed_zone();
    dns.unsigned_names["mx.b.test"] = true;
    EXPECT_EQ(plan_of(dns).demand.demand, Demand::Opportunistic);
    EXPECT_EQ(dns.asked_tlsa, 0);
}

TEST(Dane, BogusOrFailingRecordsBlockTheHost) {
    for (const bool bogus : {true, false}) {
        auto dns = signed_zone();
        (bogus ? dns.bogus : dns.broken)["_25._tcp.mx.b.test"] = true;
        const auto host = plan_of(dns);
        ASSERT_TRUE(host.demand.blocked);
        EXPECT_EQ(host.tlsa.bogus, bogus);
    }
}

TEST(Dane, UnsignedRecordsOfASignedHostCountForNothing) {
    auto dns = signed_zone();
    dns.unsigned_names["_25._tcp.mx.b.test"] = true;
    EXPECT_EQ(plan_of(dns).demand.demand, Demand::Opportunistic);
}

TEST(Dane, AnAliasIsLookedUpUnderItsTargetFirst) {
    auto dns = signed_zone();
    dns.aliases["mx.b.test"] = "real.c.test";
    dns.a_records["real.c.test"] = {"192.0.2.2"};
    EXPECT_EQ(plan_of(dns).tlsa.base, "mx.b.test");
    dns.tlsa_records["_25._tcp.real.c.test"] = {kGood};
    const auto host = plan_of(dns);
    EXPECT_EQ(host.tlsa.base, "real.c.test");
    EXPECT_EQ(host.demand.peer.server_name, "real.c.test");
}

TEST(Dane, ASignedAliasToAnUnsignedZoneKeepsTheRecordsOfItsOwnName) {
    auto dns = signed_zone();
    dns.aliases["mx.b.test"] = "real.c.test";
    dns.a_records["real.c.test"] = {"192.0.2.2"};
    dns.unsigned_names["real.c.test"] = true;
    const auto host = plan_of(dns);
    EXPECT_EQ(host.tlsa.state, HostTlsa::State::Usable);
    EXPECT_EQ(host.tlsa.base, "mx.b.test");
    dns.bogus_aliases = true;
    EXPECT_EQ(plan_of(dns).tlsa.state, HostTlsa::State::Failed);
    dns.bogus_aliases = false;
    dns.unsigned_names["mx.b.test"] = true;
    EXPECT_EQ(plan_of(dns).tlsa.state, HostTlsa::State::None);
}
