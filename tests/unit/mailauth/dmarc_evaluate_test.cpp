// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/mailauth/dmarc_fixture.hpp"

namespace gk::mailauth::dmarc {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view kReject = "_dmarc.a.test TXT v=DMARC1; p=reject\n";

TEST(DmarcEvaluate, AnAlignedPassOfSpfOrDkimIsAPass) {
    EXPECT_EQ(judge(kReject, from("a.test").spf("a.test")).verdict, Verdict::Pass);
    EXPECT_EQ(judge(kReject, from("a.test").dkim("a.test")).verdict, Verdict::Pass);
    const auto both = judge(kReject, from("a.test").spf("b.test").dkim("b.test").dkim("A.test."));
    EXPECT_EQ(both.verdict, Verdict::Pass);
    EXPECT_FALSE(both.spf_aligned);
    EXPECT_TRUE(both.dkim_aligned);
    ASSERT_EQ(both.identifiers.size(), 3u);
    EXPECT_EQ(both.identifiers[2].alignment, Alignment::Strict);
    EXPECT_EQ(both.identifiers[2].index, 1u);
}

TEST(DmarcEvaluate, WhatPassesForAnotherDomainIsAFailWithThePolicyOfTheAuthor) {
    const auto evaluation = judge(kReject, from("a.test").spf("b.test").dkim("b.test"));
    EXPECT_EQ(evaluation.verdict, Verdict::Fail);
    EXPECT_EQ(evaluation.disposition, Policy::Reject);
    EXPECT_THAT(evaluation.reason, HasSubstr("not aligned"));
    ASSERT_TRUE(evaluation.published);
    EXPECT_EQ(evaluation.published->domain, "a.test");
    EXPECT_EQ(evaluation.published->tag, "p");
}

TEST(DmarcEvaluate, WithoutARecordThereIsNoVerdict) {
    const auto evaluation = judge("a.test A 192.0.2.1\n", from("a.test").spf("b.test"));
    EXPECT_EQ(evaluation.verdict, Verdict::None);
    EXPECT_EQ(evaluation.disposition, Policy::None);
    EXPECT_FALSE(evaluation.published);
}

TEST(DmarcEvaluate, AMessageWithoutAnAuthorDomainHasNoVerdict) {
    EXPECT_THAT(judge(kReject, Case()).reason, HasSubstr("no From field"));
    for (const char* header : {"From: undisclosed:;\n", "From: root\n", "From: <>\n", "From: ann@[192.0.2.1]\n"})
        EXPECT_EQ(judge(kReject, header_case(header)).verdict, Verdict::None) << header;
}

TEST(DmarcEvaluate, OfSeveralAuthorsTheStrictestAnswerCounts) {
    const std::string zone =
        lines({kReject, "_dmarc.b.test TXT v=DMARC1; p=none\n_dmarc.q.test TXT v=DMARC1; p=quarantine\n"});
    const auto two = judge(zone, header_case("From: x@b.test, y@a.test, z@q.test\n").spf("b.test"));
    EXPECT_EQ(two.verdict, Verdict::Fail);
    EXPECT_EQ(two.author, "a.test");
    EXPECT_EQ(two.disposition, Policy::Reject);
    // Two fields are as good as one with two addresses, and never more than quarantined.
    const auto fields = judge(zone, header_case("From: x@b.test\nFrom: y@b.test\n").spf("b.test"));
    EXPECT_EQ(fields.verdict, Verdict::PermError);
    EXPECT_EQ(fields.disposition, Policy::Quarantine);
    EXPECT_EQ(judge(zone, header_case("From: x@b.test\nFrom: y@a.test\n").spf("b.test")).author, "a.test");
    // All of them must pass; one without a policy leaves the message without a verdict.
    EXPECT_EQ(judge(zone, header_case("From: x@b.test, y@a.test\n").spf("b.test").dkim("a.test")).verdict,
              Verdict::Pass);
    EXPECT_EQ(judge(zone, header_case("From: x@b.test, y@none.test\n").spf("b.test")).verdict, Verdict::None);
    // Members of a group are authors (RFC 6854).
    EXPECT_EQ(judge(zone, header_case("From: team: x@b.test, y@a.test;\n").spf("b.test")).verdict, Verdict::Fail);
}

TEST(DmarcEvaluate, ATemporaryErrorSaysWhatAFailWouldBring) {
    const auto temp = dkim::Verdict::TempError;
    EXPECT_EQ(judge(kReject, from("a.test").dkim("a.test", temp)).at_stake, Policy::Reject);
    EXPECT_EQ(judge(kReject, from("a.test").dkim("a.test")).at_stake, Policy::None);
    EXPECT_EQ(judge("_dmarc.b.test TXT v=DMARC1; p=none\n", from("b.test").dkim("b.test", temp)).at_stake,
              Policy::None);
    EXPECT_EQ(judge("_dmarc.b.test TXT TEMPFAIL\n", from("b.test")).at_stake, Policy::None);
    auto forwarded = from("a.test").dkim("a.test", temp);
    forwarded.options.forwarder_domains = {"lists.test"};
    forwarded.facts.client_name = "lists.test";
    EXPECT_EQ(judge(kReject, forwarded).at_stake, Policy::None);
}

TEST(DmarcEvaluate, ASlowAuthorDoesNotHideAnother) {
    const std::string zone = lines({kReject, "_dmarc.slow.test TXT TEMPFAIL\n_dmarc.b.test TXT v=DMARC1; p=none\n"});
    const auto failed = judge(zone, header_case("From: x@slow.test, y@a.test\n"));
    EXPECT_EQ(failed.disposition, Policy::Reject);
    // Whether its policy is known or not, it is not hidden behind a fail that means nothing.
    const auto unknown = judge(zone, header_case("From: x@b.test, y@slow.test\n"));
    EXPECT_EQ(unknown.verdict, Verdict::TempError);
    EXPECT_EQ(unknown.at_stake, Policy::Reject);
}

TEST(DmarcEvaluate, AnExemptDomainDoesNotCoverOthersBesideIt) {
    const auto see = [](const std::string& header) {
        auto one = header_case(header);
        one.options.exempt_domains = {"lax.test"};
        return judge(kReject, one).disposition;
    };
    EXPECT_EQ(see("From: x@lax.test, y@a.test\n"), Policy::Reject);
    EXPECT_EQ(see("From: x@lax.test\nFrom: y@other.test\n"), Policy::Quarantine);
    std::string many = "From: x@lax.test";
    for (int i = 0; i < 20; ++i) many += ", x@n" + std::to_string(i) + ".test";
    EXPECT_EQ(see(many + "\n"), Policy::Reject);
}

TEST(DmarcEvaluate, MoreAuthorsThanAreEvaluatedAreRefused) {
    std::string header = "From: ";
    for (int i = 0; i < 50; ++i) header += "x@n" + std::to_string(i) + ".test, ";
    const auto evaluation = judge(kReject, header_case(header + "y@a.test\n"));
    EXPECT_EQ(evaluation.verdict, Verdict::PermError);
    EXPECT_EQ(evaluation.disposition, Policy::Reject);
    EXPECT_LE(evaluation.queries, 40u);
}

TEST(DmarcEvaluate, AnAuthorWhomReadersDisagreeOnIsAPermanentErrorAndQuarantined) {
    for (const char* header : {"From: x@a..test\n", "From: x@a_\xff.test\n", "From: x@a.test .evil.test\n"}) {
        const auto evaluation = judge("", header_case(header));
        EXPECT_EQ(evaluation.verdict, Verdict::PermError) << header;
        EXPECT_EQ(evaluation.disposition, Policy::Quarantine) << header;
    }
    auto mild = header_case("From: x@a..test\n");
    mild.options.most_severe = Policy::None;
    EXPECT_EQ(judge("", mild).disposition, Policy::None);
    auto trusted = header_case("From: x@a..test\n");
    trusted.options.forwarder_domains = {"lists.test"};
    trusted.facts.client_name = "lists.test";
    EXPECT_EQ(judge("", trusted).disposition, Policy::None);
    // What one of the domains asks for may be harsher.
    EXPECT_EQ(judge(kReject, header_case("From: x@a.test, y@b..test\n")).disposition, Policy::Reject);
}

TEST(DmarcEvaluate, AHeaderThatWasCutIsRejected) {
    auto cut = from("b.test").spf("b.test");
    cut.facts.authors.whole = false;
    EXPECT_EQ(judge(kReject, cut).verdict, Verdict::PermError);
    EXPECT_EQ(judge(kReject, cut).disposition, Policy::Reject);
}

TEST(DmarcEvaluate, ADomainBeyondAsciiIsItsALabels) {
    const std::string zone = "_dmarc.xn--bcher-kva.test TXT v=DMARC1; p=reject\n";
    EXPECT_EQ(judge(zone, header_case("From: x@Bücher.test\n").dkim("xn--bcher-kva.test")).verdict, Verdict::Pass);
    EXPECT_EQ(judge(zone, header_case("From: x@bücher.test\n").spf("other.test")).verdict, Verdict::Fail);
}

TEST(DmarcEvaluate, TemporaryErrorsCountOnlyWhereTheyCouldHaveHelped) {
    const auto temp = dkim::Verdict::TempError;
    EXPECT_EQ(judge(kReject, from("a.test").dkim("a.test", temp)).verdict, Verdict::TempError);
    EXPECT_EQ(judge(kReject, from("a.test").dkim("sub.a.test", temp)).verdict, Verdict::TempError);
    EXPECT_EQ(judge(kReject, from("a.test").spf("a.test", spf::Verdict::TempError)).verdict, Verdict::TempError);
    // A forger's own zone may be as broken as he likes.
    EXPECT_EQ(judge(kReject, from("a.test").dkim("evil.test", temp)).verdict, Verdict::Fail);
    const std::string zone = lines({kReject, "_dmarc.evil.test TEMPFAIL\n"});
    const auto forged = judge(zone, from("a.test").dkim("evil.test").spf("x.evil.test"));
    EXPECT_EQ(forged.verdict, Verdict::Fail);
    EXPECT_EQ(forged.queries, 2u);  // _dmarc.a.test and _dmarc.test
    // A pass beside it decides.
    EXPECT_EQ(judge(kReject, from("a.test").dkim("a.test", temp).spf("a.test")).verdict, Verdict::Pass);
    // Nobody knows the policy.
    const auto unknown = judge("_dmarc.a.test TEMPFAIL\n", from("a.test").spf("a.test"));
    EXPECT_EQ(unknown.verdict, Verdict::TempError);
    EXPECT_EQ(unknown.disposition, Policy::None);
}

TEST(DmarcEvaluate, StrictAlignmentWantsTheSameDomain) {
    const std::string zone = "_dmarc.a.test TXT v=DMARC1; p=reject; adkim=s\n";
    EXPECT_EQ(judge(zone, from("a.test").dkim("sub.a.test")).verdict, Verdict::Fail);
    EXPECT_EQ(judge(zone, from("a.test").spf("sub.a.test")).verdict, Verdict::Pass);
    EXPECT_EQ(judge(zone, from("sub.a.test").dkim("a.test")).verdict, Verdict::Fail);
    EXPECT_EQ(judge("_dmarc.a.test TXT v=DMARC1; p=reject; aspf=S\n", from("a.test").spf("sub.a.test")).verdict,
              Verdict::Fail);
}

TEST(DmarcEvaluate, AnAlignedPassAtTheSameDomainCostsOneQuery) {
    EXPECT_EQ(judge(kReject, from("a.test").spf("a.test").dkim("a.test")).queries, 1u);
}

TEST(DmarcPolicy, ComesFromSpBelowTheOrganizationAndFromNpForNamesThatDoNotExist) {
    const std::string zone =
        "_dmarc.a.test TXT v=DMARC1; p=none; sp=quarantine; np=reject\nsub.a.test MX 10 mx.a.test\ndeep.name.a.test A "
        "192.0.2.1\n";
    const auto policy_of = [&](std::string_view author) { return judge(zone, from(author).spf("b.test")); };
    EXPECT_EQ(policy_of("a.test").disposition, Policy::None);
    EXPECT_EQ(policy_of("sub.a.test").disposition, Policy::Quarantine);
    EXPECT_EQ(policy_of("sub.a.test").published->tag, "sp");
    EXPECT_EQ(policy_of("gone.a.test").disposition, Policy::Reject);
    EXPECT_EQ(policy_of("gone.a.test").published->tag, "np");
    EXPECT_EQ(policy_of("gone.a.test").published->author_exists, false);
    // NODATA is existence (RFC 9989, 3.2.13).
    EXPECT_EQ(policy_of("name.a.test").published->author_exists, true);
    EXPECT_EQ(policy_of("name.a.test").disposition, Policy::Quarantine);
}

TEST(DmarcPolicy, MissingTagsTakeTheNextOne) {
    EXPECT_EQ(judge("_dmarc.a.test TXT v=DMARC1; p=reject\n", from("x.a.test").spf("b.test")).disposition,
              Policy::Reject);
    EXPECT_EQ(judge("_dmarc.a.test TXT v=DMARC1; p=none; sp=reject\n", from("x.a.test").spf("b.test")).disposition,
              Policy::Reject);
    EXPECT_EQ(
        judge("_dmarc.a.test TXT v=DMARC1; p=none; sp=reject\nx.a.test A 192.0.2.1\n", from("x.a.test").spf("b.test"))
            .published->tag,
        "sp");
    EXPECT_EQ(
        judge("_dmarc.a.test TXT v=DMARC1; p=reject; np=none\nx.a.test A 192.0.2.1\n", from("x.a.test").spf("b.test"))
            .disposition,
        Policy::Reject);
}

TEST(DmarcDisposition, TestModeIsOneStepLess) {
    const auto with = [](std::string_view tags) {
        return judge("_dmarc.a.test TXT v=DMARC1; " + std::string(tags) + "\n", from("a.test").spf("b.test"));
    };
    EXPECT_EQ(with("p=reject; t=y").disposition, Policy::Quarantine);
    EXPECT_EQ(with("p=quarantine; t=y").disposition, Policy::None);
    EXPECT_EQ(with("p=reject; t=y").overrides[0].type, Override::Type::PolicyTestMode);
    EXPECT_THAT(with("p=none; t=y").overrides, IsEmpty());
    EXPECT_EQ(with("p=reject; t=n").disposition, Policy::Reject);
    EXPECT_EQ(with("p=reject; t=y; pct=0").disposition, Policy::Quarantine);
}

TEST(DmarcDisposition, PctOfOldRecordsTakesItsShare) {
    const std::string zone = "_dmarc.a.test TXT v=DMARC1; p=reject; pct=30\n";
    const auto sampled = [&](unsigned sample, bool honour = true) {
        auto c = from("a.test").spf("b.test");
        c.facts.sample = sample;
        c.options.honour_pct = honour;
        return judge(zone, c);
    };
    EXPECT_EQ(sampled(29).disposition, Policy::Reject);
    EXPECT_THAT(sampled(29).overrides, IsEmpty());
    EXPECT_EQ(sampled(30).disposition, Policy::Quarantine);
    EXPECT_THAT(sampled(30).overrides[0].comment, HasSubstr("pct=30"));
    EXPECT_EQ(sampled(99, false).disposition, Policy::Reject);
}

TEST(DmarcDisposition, LocalOverridesLetThroughWithAReason) {
    auto exempt = from("sub.a.test").spf("b.test");
    exempt.options.exempt_domains = {"a.test"};
    EXPECT_EQ(judge(kReject, exempt).verdict, Verdict::Fail);
    EXPECT_EQ(judge(kReject, exempt).disposition, Policy::None);
    EXPECT_EQ(judge(kReject, exempt).overrides[0].type, Override::Type::LocalPolicy);

    auto forwarded = from("a.test").spf("b.test");
    forwarded.options.forwarder_networks = {{*Ip::parse("192.0.2.0"), 24}};
    forwarded.options.forwarder_domains = {"lists.test"};
    EXPECT_EQ(judge(kReject, forwarded).disposition, Policy::Reject);
    forwarded.facts.ip = Ip::parse("192.0.2.7");
    EXPECT_EQ(judge(kReject, forwarded).overrides[0].type, Override::Type::TrustedForwarder);
    forwarded.facts.ip = Ip::parse("203.0.113.7");
    EXPECT_EQ(judge(kReject, forwarded).disposition, Policy::Reject);
    forwarded.facts.client_name = "mx.lists.test";
    EXPECT_EQ(judge(kReject, forwarded).disposition, Policy::None);

    auto arc = from("a.test").spf("b.test");
    arc.facts.trusted_arc = "arc=pass as[1].d=lists.test";
    EXPECT_EQ(judge(kReject, arc).disposition, Policy::None);
    EXPECT_EQ(judge(kReject, arc).overrides[0].comment, "arc=pass as[1].d=lists.test");
}

TEST(DmarcDisposition, NothingHarsherThanConfiguredIsDone) {
    auto c = from("a.test").spf("b.test");
    c.options.most_severe = Policy::Quarantine;
    EXPECT_EQ(judge(kReject, c).disposition, Policy::Quarantine);
    EXPECT_EQ(judge(kReject, c).overrides[0].type, Override::Type::LocalPolicy);
    EXPECT_EQ(judge("_dmarc.a.test TXT v=DMARC1; p=none\n", c).disposition, Policy::None);
}

}  // namespace
}  // namespace gk::mailauth::dmarc
