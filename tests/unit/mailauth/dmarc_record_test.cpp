// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/text.hpp"
#include "common/mailauth/dmarc/record.hpp"

namespace gk::mailauth::dmarc {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(DmarcRecord, BeginsWithItsVersionAndNothingElse) {
    for (const char* good : {"v=DMARC1", "v=DMARC1;", "v=DMARC1; p=none", "v = DMARC1 ;p=none", "v=\tDMARC1\t; p=none",
                             "V=DMARC1; p=none"})
        EXPECT_TRUE(is_record(good)) << good;
    for (const char* bad :
         {"", "v", "v=", "v=dmarc1; p=none", "v=DMARC2; p=none", "v=DMARC10; p=none", "v=DMARC1 p=none",
          " v=DMARC1; p=none", "p=none; v=DMARC1", "=DMARC1", "vv=DMARC1", "v=spf1 -all", "v;=DMARC1"})
        EXPECT_FALSE(is_record(bad)) << bad;
}

TEST(DmarcRecord, HoldsEveryTagOfRfc9989) {
    const auto record = parse_record(
        "v=DMARC1; p=quarantine; sp=reject; np=none; adkim=s; aspf=r; fo=d:s; psd=n; t=y;"
        " rua=mailto:a@a.test, mailto:b@b.test; ruf=mailto:c@a.test");
    EXPECT_EQ(record.p, Policy::Quarantine);
    EXPECT_EQ(record.sp, Policy::Reject);
    EXPECT_EQ(record.np, Policy::None);
    EXPECT_TRUE(record.strict_dkim);
    EXPECT_FALSE(record.strict_spf);
    EXPECT_EQ(record.adkim, "s");
    EXPECT_EQ(record.aspf, "r");
    EXPECT_EQ(record.psd, Psd::No);
    EXPECT_EQ(record.testing, true);
    ASSERT_EQ(record.rua.size(), 2u);
    EXPECT_EQ(record.rua[1].address, "b@b.test");
    EXPECT_EQ(record.ruf[0].domain, "a.test");
    EXPECT_TRUE(record.failures.dkim && record.failures.spf && !record.failures.all && !record.failures.any);
    EXPECT_EQ(record.fo, "d:s");
    EXPECT_FALSE(record.of_old_form());
    EXPECT_THAT(record.problems, IsEmpty());
    EXPECT_THAT(record.remarks, IsEmpty());
}

TEST(DmarcRecord, DefaultsAreThoseOfTheRfc) {
    const auto record = parse_record("v=DMARC1;p=reject");
    EXPECT_FALSE(record.strict_dkim || record.strict_spf || record.psd || record.testing || record.pct);
    EXPECT_EQ(record.adkim + record.aspf + record.fo, "");
    EXPECT_TRUE(record.failures.all && !record.failures.any);
    EXPECT_TRUE(record.of_old_form());
    EXPECT_EQ(record.for_subdomain(), Policy::Reject);
    EXPECT_EQ(record.for_nonexistent(), Policy::Reject);
    EXPECT_EQ(parse_record("v=DMARC1; p=none; sp=reject").for_nonexistent(), Policy::Reject);
}

TEST(DmarcRecord, OrderCaseAndWhiteSpaceDoNotMatter) {
    const auto record = parse_record("v=DMARC1 ;  RUA = mailto:A@a.test ;; SP=Reject;\tP = NONE ; t=N ; psd=U;");
    EXPECT_EQ(record.p, Policy::None);
    EXPECT_EQ(record.sp, Policy::Reject);
    EXPECT_EQ(record.testing, false);
    EXPECT_EQ(record.psd, Psd::Unsaid);
    EXPECT_EQ(record.rua.size(), 1u);
    EXPECT_THAT(record.problems, IsEmpty());
}

// RFC 9989, 4.7: unknown tags are passed over, errors take the default.
TEST(DmarcRecord, WhatIsWrongTakesItsDefaultAndIsNamed) {
    const auto record = parse_record(
        "v=DMARC1; p=reject; adkim=x; aspf=strict; t=yes; psd=1; fo=9; pct=101; colour=red; ; nonsense; =; 1a=b");
    EXPECT_EQ(record.p, Policy::Reject);
    EXPECT_TRUE(record.policy_is_usable);
    EXPECT_FALSE(record.strict_dkim || record.strict_spf || record.testing || record.psd || record.pct);
    EXPECT_TRUE(record.failures.all);
    EXPECT_EQ(record.problems.size(), 10u);
    EXPECT_THAT(record.problems, Contains(HasSubstr("colour")));
}

// RFC 9989, 4.10.1.
TEST(DmarcRecord, AnUnusablePolicyIsNoneWhereReportsAreAskedForElseNothing) {
    for (const char* text :
         {"v=DMARC1", "v=DMARC1; p=", "v=DMARC1; p=deny", "v=DMARC1; p=reject; sp=x", "v=DMARC1; p=reject; np=x",
          "v=DMARC1; sp=reject", "v=DMARC1; p=reject; sp=", "v=DMARC1; p=reject\xc3\xa9"}) {
        const auto bare = parse_record(text);
        EXPECT_FALSE(bare.applies()) << text;
        const auto reporting = parse_record(std::string(text) + "; rua=mailto:r@a.test");
        EXPECT_TRUE(reporting.applies()) << text;
        EXPECT_EQ(reporting.for_domain(), Policy::None) << text;
        EXPECT_EQ(reporting.for_subdomain(), Policy::None) << text;
        EXPECT_EQ(reporting.for_nonexistent(), Policy::None) << text;
        EXPECT_FALSE(parse_record(std::string(text) + "; rua=nonsense").applies()) << text;
    }
}

TEST(DmarcRecord, TagsOfRfc7489AreReadAndRemarkedOn) {
    const auto record = parse_record("v=DMARC1; p=reject; pct=20; ri=3600; rf=afrf; rua=mailto:r@a.test!10m; fo=1:d:s");
    EXPECT_EQ(record.pct, 20u);
    EXPECT_EQ(record.ri_s, 3600u);
    EXPECT_EQ(record.rf, "afrf");
    EXPECT_EQ(record.rua[0].most_octets, 10u << 20);
    EXPECT_EQ(record.rua[0].uri, "mailto:r@a.test");
    EXPECT_EQ(record.rua[0].text, "mailto:r@a.test!10m");
    EXPECT_TRUE(record.failures.any && record.failures.dkim && record.failures.spf);
    EXPECT_TRUE(record.of_old_form());
    EXPECT_THAT(record.problems, IsEmpty());
    EXPECT_EQ(record.remarks.size(), 4u);
}

TEST(DmarcRecord, ATagThatStandsTwiceCountsOnce) {
    const auto record = parse_record("v=DMARC1; p=none; p=reject; rua=mailto:r@a.test");
    EXPECT_EQ(record.p, Policy::None);
    EXPECT_THAT(record.problems, Contains(HasSubstr("twice")));
}

TEST(DmarcRecord, IsBoundedHoweverMuchThereIs) {
    std::string tags = "v=DMARC1; p=reject", addresses = "v=DMARC1; p=reject; rua=";
    for (int i = 0; i < 5000; ++i) tags += "; x=y", addresses += "mailto:r@a.test,";
    EXPECT_LE(parse_record(tags).problems.size(), 21u);
    EXPECT_LE(parse_record(addresses).rua.size(), 20u);
    EXPECT_EQ(parse_record(tags).p, Policy::Reject);
}

TEST(DmarcRecord, ProblemsShowNoBytesThatCommandATerminal) {
    for (const auto& problem : parse_record("v=DMARC1; p=\x1b[2J; \x1b]0;x\a=1; rua=mailto:\x1b@a.test").problems)
        for (const char c : problem) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << problem;
}

TEST(DmarcReportUri, ReadsMailAddresses) {
    const auto plain = parse_report_uri(" mailto:dmarc%2Breports@A.test?subject=x ");
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain->address, "dmarc+reports@a.test");
    EXPECT_EQ(plain->domain, "a.test");
    EXPECT_FALSE(plain->most_octets);
    EXPECT_EQ(parse_report_uri("MAILTO:a@a.test!50")->most_octets, 50u);
    EXPECT_EQ(parse_report_uri("mailto:a@a.test!2K")->most_octets, 2048u);
    EXPECT_EQ(parse_report_uri("mailto:a@a.test!1g")->most_octets, 1u << 30);
    EXPECT_EQ(parse_report_uri("mailto:a%21b@a.test")->address, "a!b@a.test");
    EXPECT_EQ(parse_report_uri("mailto:x@xn--bcher-kva.test")->domain, "xn--bcher-kva.test");
}

TEST(DmarcReportUri, KeepsOtherSchemesWithTheirHost) {
    const auto uri = parse_report_uri("https://user@Reports.A.test:8443/dmarc?x=1");
    ASSERT_TRUE(uri);
    EXPECT_FALSE(uri->is_mail());
    EXPECT_EQ(uri->domain, "reports.a.test");
    EXPECT_EQ(parse_report_uri("about:blank")->domain, "");
}

TEST(DmarcReportUri, RefusesWhatIsNone) {
    for (const char* bad : {"",
                            " ",
                            "r@a.test",
                            "mailto:",
                            "mailto:r",
                            "mailto:@a.test",
                            "mailto:r@",
                            "mailto:r@localhost",
                            "mailto:r@[192.0.2.1]",
                            "mailto:r@a.test!",
                            "mailto:r@a.test!10x",
                            "mailto:r@a.test!99999999999999t",
                            "mailto:r@a.test!m",
                            "mailto:r @a.test",
                            "mailto:<r@a.test>",
                            "mailto:%zz@a.test",
                            "mailto:%00@a.test",
                            "mailto:a%0d%0ab@a.test",
                            "1x:y",
                            ":x",
                            "mailto:r@a.test\x7f"})
        EXPECT_FALSE(parse_report_uri(bad)) << bad;
    EXPECT_FALSE(parse_report_uri("mailto:" + std::string(2000, 'a') + "@a.test"));
}

}  // namespace
}  // namespace gk::mailauth::dmarc
