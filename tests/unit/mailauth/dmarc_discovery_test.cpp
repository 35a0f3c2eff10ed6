// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/text.hpp"
#include "tests/unit/mailauth/dmarc_fixture.hpp"

namespace gk::mailauth::dmarc {
namespace {

using testing::ElementsAre;

constexpr std::string_view kOne = "v=DMARC1; p=reject";

struct Walked {
    Walk walk;
    std::vector<std::string> asked;
};

// What one walk does in a zone, with the public suffix list where a text of it is given.
class WalkIn {
public:
    explicit WalkIn(std::string_view zone, std::string_view suffixes = {}) : dns_(DnsTable::parse(zone).value()) {
        if (!suffixes.empty()) list_.emplace(SuffixList::parse(suffixes).value());
    }
    std::string organization(const std::string& domain) { return run(domain).organization; }
    std::string policy_domain(const std::string& domain) {
        std::optional<Walk> walked;
        const auto discovery = discover(domain, records_, list_ ? &*list_ : nullptr, walked);
        return discovery.error.empty() ? discovery.found ? discovery.found->name : "" : "error";
    }
    Walk run(const std::string& domain) { return walk(domain, records_, list_ ? &*list_ : nullptr); }
    std::size_t queries() const { return records_.queries(); }

private:
    DnsTable dns_;
    std::optional<SuffixList> list_;
    Records records_{dns_, 100};
};

// RFC 9989, 4.10.
TEST(DmarcWalk, AsksForEightNamesAtMost) {
    EXPECT_THAT(
        walk_names("a.b.c.d.e.f.g.h.i.j.mail.example.com"),
        ElementsAre("a.b.c.d.e.f.g.h.i.j.mail.example.com", "g.h.i.j.mail.example.com", "h.i.j.mail.example.com",
                    "i.j.mail.example.com", "j.mail.example.com", "mail.example.com", "example.com", "com"));
    EXPECT_THAT(walk_names("a.mail.example.com"),
                ElementsAre("a.mail.example.com", "mail.example.com", "example.com", "com"));
    EXPECT_THAT(walk_names("com"), ElementsAre("com"));
    EXPECT_THAT(walk_names("1.2.3.4.5.6.7"), testing::SizeIs(7));
    EXPECT_THAT(walk_names("1.2.3.4.5.6.7.8"), testing::SizeIs(8));
    EXPECT_THAT(walk_names("0.1.2.3.4.5.6.7.8"), testing::SizeIs(8));
    EXPECT_EQ(walk_names("0.1.2.3.4.5.6.7.8")[1], "2.3.4.5.6.7.8");
}

TEST(DmarcWalk, ANameTooLongForDnsCostsNoQuery) {
    std::string name;
    while (name.size() < 246) name += "a.";
    name += "test";
    WalkIn zone("_dmarc.test TXT v=DMARC1; p=none\n");
    EXPECT_EQ(zone.organization(name), "test");
    EXPECT_EQ(zone.queries(), 7u);
}

// The examples of 4.10.2.
TEST(DmarcWalk, FindsTheOrganizationsOfTheRfcsExamples) {
    WalkIn highest("_dmarc.mail.example.com TXT v=DMARC1; p=none\n_dmarc.example.com TXT v=DMARC1; p=none\n");
    EXPECT_EQ(highest.organization("a.mail.example.com"), "example.com");
    WalkIn own("_dmarc.mail.example.com TXT v=DMARC1; p=none; psd=n\n_dmarc.example.com TXT v=DMARC1; p=none\n");
    EXPECT_EQ(own.organization("a.mail.example.com"), "mail.example.com");
    EXPECT_EQ(own.queries(), 2u);  // psd=n ends it
    WalkIn suffix("_dmarc.com TXT v=DMARC1; p=none; psd=y\n");
    EXPECT_EQ(suffix.organization("a.mail.example.com"), "example.com");
    WalkIn below("_dmarc.mail.example.com TXT v=DMARC1; p=none\n_dmarc.example.com TXT v=DMARC1; p=none; psd=y\n");
    EXPECT_EQ(below.organization("a.mail.example.com"), "mail.example.com");
}

TEST(DmarcWalk, WithoutAnyRecordADomainIsItsOwnOrganization) {
    WalkIn zone("a.test A 192.0.2.1\n");
    EXPECT_EQ(zone.organization("x.a.test"), "x.a.test");
    EXPECT_EQ(zone.policy_domain("x.a.test"), "");
}

TEST(DmarcWalk, APublicSuffixIsItsOwnOrganization) {
    WalkIn zone("_dmarc.bank TXT v=DMARC1; p=reject; psd=y\n");
    EXPECT_EQ(zone.organization("bank"), "bank");
    EXPECT_EQ(zone.policy_domain("bank"), "bank");
}

TEST(DmarcWalk, SeveralRecordsAreNone) {
    WalkIn zone(
        "_dmarc.x.a.test TXT v=DMARC1; p=none\n_dmarc.x.a.test TXT v=DMARC1; p=reject\n_dmarc.x.a.test TXT v=spf1 "
        "-all\n"
        "_dmarc.a.test TXT v=DMARC1; p=quarantine\n_dmarc.a.test TXT something else\n");
    EXPECT_EQ(zone.policy_domain("x.a.test"), "a.test");
    EXPECT_EQ(zone.run("x.a.test").steps[0]->records, 2u);
}

// 4.10.1: the author's record, else the organization's, else the public suffix's; nothing between.
TEST(DmarcDiscovery, TakesTheRecordsInTheirOrder) {
    WalkIn zone(
        "_dmarc.a.b.example.com TXT v=DMARC1; p=none\n_dmarc.b.example.com TXT v=DMARC1; p=none\n_dmarc.example.com "
        "TXT v=DMARC1; p=none\n"
        "_dmarc.com TXT v=DMARC1; p=none; psd=y\n");
    EXPECT_EQ(zone.policy_domain("a.b.example.com"), "a.b.example.com");
    EXPECT_EQ(zone.queries(), 1u);
    EXPECT_EQ(zone.policy_domain("c.b.example.com"), "example.com");
    EXPECT_EQ(zone.policy_domain("other.com"), "com");
    EXPECT_EQ(zone.policy_domain("x.other.com"), "com");
}

TEST(DmarcDiscovery, SilenceOfDnsIsNoAbsence) {
    WalkIn zone(
        "_dmarc.a.test TEMPFAIL\n_dmarc.b.test TXT v=DMARC1; p=none\n_dmarc.x.b.test TEMPFAIL\n_dmarc.top "
        "TEMPFAIL\n_dmarc.c.top TXT v=DMARC1; p=none\n");
    EXPECT_EQ(zone.policy_domain("a.test"), "error");
    EXPECT_EQ(zone.policy_domain("y.a.test"), "error");
    EXPECT_EQ(zone.policy_domain("y.x.b.test"), "error");
    // A top level domain that does not answer changes nothing where a record stands below it.
    EXPECT_EQ(zone.organization("y.c.top"), "c.top");
    EXPECT_EQ(zone.policy_domain("d.top"), "error");
}

// RFC 9989, B.4.1.
TEST(DmarcRfc9989Example, SimpleOrganizationAndPolicy) {
    const std::string zone =
        "_dmarc.example.com TXT v=DMARC1; p=reject\n_dmarc.signing.example.com TXT v=DMARC1; p=none\n";
    const auto evaluation = judge(zone, from("example.com").spf("example.com").dkim("signing.example.com"));
    EXPECT_EQ(evaluation.verdict, Verdict::Pass);
    EXPECT_TRUE(evaluation.spf_aligned && evaluation.dkim_aligned);
    EXPECT_EQ(evaluation.organization, "example.com");
    EXPECT_EQ(evaluation.published->domain, "example.com");
    EXPECT_EQ(evaluation.identifiers[1].alignment, Alignment::Relaxed);
}

// RFC 9989, B.4.2.
TEST(DmarcRfc9989Example, DeepTreeWalk) {
    const std::string zone =
        "_dmarc.example.com TXT v=DMARC1; p=reject\n_dmarc.signing.example.com TXT v=DMARC1; p=none\n";
    const auto evaluation =
        judge(zone, from("a.b.c.d.e.f.g.h.i.j.k.example.com").spf("example.com").dkim("signing.example.com"));
    EXPECT_EQ(evaluation.verdict, Verdict::Pass);
    EXPECT_TRUE(evaluation.spf_aligned && evaluation.dkim_aligned);
    EXPECT_EQ(evaluation.published->domain, "example.com");
    EXPECT_EQ(evaluation.published->source, Source::Organization);
    EXPECT_EQ(evaluation.queries, 9u);  // eight of the author, one more of the signature
}

// RFC 9989, B.4.3.
TEST(DmarcRfc9989Example, PublicSuffixWithARecord) {
    const std::string zone =
        "_dmarc.bank.example TXT v=DMARC1; p=reject; psd=y\n_dmarc.giant.bank.example TXT v=DMARC1; p=quarantine\n";
    const auto evaluation =
        judge(zone, from("giant.bank.example").spf("mail.giant.bank.example").dkim("mail.mega.bank.example"));
    EXPECT_EQ(evaluation.verdict, Verdict::Pass);
    EXPECT_TRUE(evaluation.spf_aligned);
    EXPECT_FALSE(evaluation.dkim_aligned);
    EXPECT_EQ(evaluation.organization, "giant.bank.example");
    const auto other = judge(zone, from("mega.bank.example").dkim("giant.bank.example"));
    EXPECT_EQ(other.verdict, Verdict::Fail);
    EXPECT_EQ(other.published->domain, "bank.example");
    EXPECT_EQ(other.published->source, Source::PublicSuffix);
    EXPECT_EQ(other.disposition, Policy::Reject);
}

// RFC 9989, B.1.1 and B.1.2.
TEST(DmarcRfc9989Example, SpfAndDkimAlignment) {
    const std::string zone = "_dmarc.example.com TXT v=DMARC1; p=reject\n";
    const auto spf = [&](std::string_view author, std::string_view mail_from) {
        return judge(zone, from(author).spf(mail_from)).identifiers[0].alignment;
    };
    EXPECT_EQ(spf("example.com", "example.com"), Alignment::Strict);
    EXPECT_EQ(spf("example.com", "child.example.com"), Alignment::Relaxed);
    EXPECT_EQ(spf("child.example.com", "example.net"), Alignment::None);
    const auto dkim = [&](std::string_view author, std::string_view signer) {
        return judge(zone, from(author).dkim(signer)).identifiers[0].alignment;
    };
    EXPECT_EQ(dkim("example.com", "example.com"), Alignment::Strict);
    EXPECT_EQ(dkim("child.example.com", "example.com"), Alignment::Relaxed);
    EXPECT_EQ(dkim("child.example.com", "sample.net"), Alignment::None);
}

// RFC 9989, B.2.
TEST(DmarcRfc9989Example, RecordsOfDomainOwners) {
    const auto monitoring = parse_record("v=DMARC1; p=none; rua=mailto:dmarc-feedback@example.com");
    EXPECT_EQ(monitoring.for_domain(), Policy::None);
    EXPECT_EQ(monitoring.rua[0].address, "dmarc-feedback@example.com");
    const auto failures = parse_record(
        "v=DMARC1; p=none; rua=mailto:dmarc-feedback@example.com; ruf=mailto:auth-reports@thirdparty.example.net");
    EXPECT_EQ(failures.ruf[0].domain, "thirdparty.example.net");
    EXPECT_FALSE(parse_record("v=DMARC1;").applies());  // only a consent
    const std::string testing =
        "_dmarc.test.example.com TXT v=DMARC1; p=quarantine; rua=mailto:dmarc-feedback@example.com,"
        "mailto:tld-test@thirdparty.example.net; t=y\n";
    const auto evaluation = judge(testing, from("test.example.com").spf("example.net"));
    EXPECT_EQ(evaluation.published->record.rua.size(), 2u);
    EXPECT_EQ(evaluation.published->policy, Policy::Quarantine);
    EXPECT_EQ(evaluation.disposition, Policy::None);
}

// RFC 9989, 4.4: the table of alignment examples.
TEST(DmarcRfc9989Example, Alignment) {
    const std::string zone = "_dmarc.example.com TXT v=DMARC1; p=reject\n";
    EXPECT_EQ(judge(zone, from("news.example.com").dkim("foo.example.com")).identifiers[0].alignment,
              Alignment::Relaxed);
    EXPECT_EQ(judge(zone, from("news.example.com").dkim("news.example.com")).identifiers[0].alignment,
              Alignment::Strict);
    EXPECT_EQ(judge(zone, from("news.example.com").dkim("foo.example.net")).identifiers[0].alignment, Alignment::None);
}

TEST(DmarcAlignment, ABorderDrawnByPsdCountsOnBothSides) {
    const std::string zone =
        "_dmarc.example.com TXT v=DMARC1; p=reject\n_dmarc.own.example.com TXT v=DMARC1; p=none; psd=n\n";
    EXPECT_EQ(judge(zone, from("example.com").dkim("own.example.com")).verdict, Verdict::Fail);
    EXPECT_EQ(judge(zone, from("own.example.com").dkim("example.com")).verdict, Verdict::Fail);
    EXPECT_EQ(judge(zone, from("x.own.example.com").dkim("own.example.com")).verdict, Verdict::Pass);
}

TEST(DmarcAlignment, WhoBringsManyNamesGetsNoErrorForIt) {
    auto many = from("example.com");
    for (int i = 0; i < 30; ++i) many.dkim("a.b.c.d.e" + std::to_string(i) + ".own.example.com");
    const auto evaluation =
        judge("_dmarc.example.com TXT v=DMARC1; p=reject\n_dmarc.own.example.com TXT v=DMARC1; p=none; psd=n\n", many);
    EXPECT_EQ(evaluation.verdict, Verdict::Fail);
    EXPECT_EQ(evaluation.disposition, Policy::Reject);
    EXPECT_LE(evaluation.queries, Options().queries);
}

constexpr std::string_view kSuffixes = "com\nuk\nco.uk\nexample\nbank.example\n";

TEST(DmarcSuffixList, SaysWhereRegistrationBegins) {
    const auto list = SuffixList::parse(kSuffixes).value();
    EXPECT_TRUE(list.is_suffix("co.uk"));
    EXPECT_TRUE(list.is_suffix("unlisted"));
    EXPECT_FALSE(list.is_suffix("a.co.uk"));
    EXPECT_EQ(list.registered_domain("x.a.co.uk"), "a.co.uk");
    EXPECT_EQ(list.registered_domain("co.uk"), "");
    EXPECT_FALSE(SuffixList::load("/nonexistent"));
    EXPECT_TRUE(SuffixList::load(""));
}

TEST(DmarcSuffixList, ASuffixThatDoesNotSayPsdIsTakenForOne) {
    const std::string_view zone = "_dmarc.co.uk TXT v=DMARC1; p=reject\n";
    WalkIn without(zone), with(zone, kSuffixes);
    EXPECT_EQ(without.organization("x.a.co.uk"), "co.uk");
    EXPECT_EQ(with.organization("x.a.co.uk"), "a.co.uk");
    EXPECT_EQ(with.run("x.a.co.uk").method, Method::Psl);
    EXPECT_EQ(with.policy_domain("x.a.co.uk"), "co.uk");
    // It said so itself.
    WalkIn said("_dmarc.co.uk TXT v=DMARC1; p=reject; psd=u\n", kSuffixes);
    EXPECT_EQ(said.organization("x.a.co.uk"), "co.uk");
}

TEST(DmarcSuffixList, AlignsNamesOfOneRegistrationWhereTheRecordIsOld) {
    const auto list = SuffixList::parse(kSuffixes).value();
    // No record at example.com: by the tree walk, each of them is an organization of its own.
    const auto verdict = [&](std::string_view record, std::string_view more, std::string_view dkim, bool with = true) {
        auto c = from("mail.example.com").dkim(dkim);
        if (with) c.options.suffixes = &list;
        return judge(lines({"_dmarc.mail.example.com TXT ", record, "\n", more}), c);
    };
    EXPECT_EQ(verdict(kOne, "", "example.com", false).verdict, Verdict::Fail);
    const auto old = verdict(kOne, "", "example.com");
    EXPECT_EQ(old.verdict, Verdict::Pass);
    EXPECT_EQ(old.method, Method::Psl);
    EXPECT_EQ(verdict(kOne, "", "other.example.com").verdict, Verdict::Pass);
    EXPECT_EQ(verdict(kOne, "", "example.co.uk").verdict, Verdict::Fail);
    EXPECT_EQ(verdict(kOne, "", "other.com").verdict, Verdict::Fail);
    // Tags that came with the tree walk, or a border drawn by either side, mean what RFC 9989 says.
    for (const char* tag : {"; t=n", "; np=none", "; psd=n", "; psd=u"})
        EXPECT_EQ(verdict(lines({kOne, tag}), "", "example.com").verdict, Verdict::Fail) << tag;
    EXPECT_EQ(verdict(kOne, "_dmarc.other.example.com TXT v=DMARC1; p=none; psd=n\n", "other.example.com").verdict,
              Verdict::Fail);
    EXPECT_EQ(verdict(kOne, "_dmarc.example.com TXT v=DMARC1; p=none; psd=y\n", "example.com").verdict, Verdict::Fail);
    EXPECT_EQ(verdict(lines({kOne, "; adkim=s"}), "", "example.com").verdict, Verdict::Fail);
}

}  // namespace
}  // namespace gk::mailauth::dmarc
