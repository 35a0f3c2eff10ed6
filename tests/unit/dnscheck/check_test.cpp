// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/dnscheck/fixture.hpp"

namespace gk::dnscheck {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(DnsCheck, FindsNothingWrongInAHealthyZone) { EXPECT_THAT(Bed(kHealthy).check().ids(), IsEmpty()); }

TEST(DnsCheck, SaysOfAnEmptyZoneEachRecordThatIsMissingOnce) {
    Bed bed("b.test A 192.0.2.9\n");
    EXPECT_THAT(bed.check().ids(),
                ElementsAre("host-no-address", "ptr-missing", "mx-missing", "spf-missing", "dmarc-missing",
                            "tls-rpt-missing", "srv-missing", "srv-missing", "srv-missing", "srv-missing"));
    EXPECT_EQ(bed.wanted("spf-missing"), "v=spf1 mx -all");
}

TEST(DnsCheck, FindsNothingMoreOnceItsOwnChangesAreMade) {
    Bed bed("b.test A 192.0.2.9\n");
    bed.check();
    std::string zone;
    for (const auto& change : bed.report.changes())
        zone += change.record.name + " " + std::string(dns::type_name(change.record.type)) + " " + change.record.data +
                "\n";
    EXPECT_THAT(Bed(zone).check().ids(), IsEmpty());
}

TEST(DnsCheck, SaysWhatCouldNotBeTold) {
    Bed bed(kHealthy + "down.a.test TEMPFAIL\n_dmarc.a.test TEMPFAIL\n_imaps._tcp.a.test TXT x\n");
    auto table = mailauth::DnsTable::parse(kWithoutSpf + "a.test TXT TEMPFAIL\n").value();
    bed.table = table;
    EXPECT_THAT(bed.check().ids(), IsEmpty());
    ASSERT_EQ(bed.report.unknown.size(), 1u);
    EXPECT_EQ(bed.report.unknown[0].name, "a.test TXT");
}

TEST(DnsCheck, FindsABogusZoneOnceAndJudgesItsDataAllTheSame) {
    Bed bed(kHealthy + "a.test BOGUS\n");
    EXPECT_THAT(bed.check().ids(), ElementsAre("dnssec-bogus"));
}

TEST(DnsCheck, WantsADomainWithoutMailToSaySo) {
    const std::string zone = kHost + "a.test MX 0 .\na.test TXT v=spf1 -all\n_dmarc.a.test TXT v=DMARC1; p=reject\n";
    EXPECT_THAT(Bed(zone).check("a.test", Mail::None).ids(), IsEmpty());
    EXPECT_THAT(Bed(zone).check("a.test", Mail::Expected).ids(), testing::Contains("mx-null"));
    EXPECT_THAT(Bed(kHost).check("a.test", Mail::None).ids(),
                ElementsAre("no-mail-mx", "no-mail-spf", "no-mail-dmarc"));
}

TEST(DnsCheckHost, WantsAPublicName) {
    for (const char* name : {"", "localhost", "mx", "localhost.localdomain", "192.0.2.1", "mx_1.a.test", "mx.local",
                             "-mx.a.test", "mx..a.test", "mx.a.123"}) {
        Bed bed(kHealthy);
        bed.ours.host = name;
        TableSource source(bed.table);
        Lookups dns(source);
        check_host(bed.ours, dns, bed.report);
        EXPECT_THAT(bed.ids(), ElementsAre("host-name")) << name;
    }
}

TEST(DnsCheckHost, DoesNotWantAnAddressThatOnlyThisNetworkReaches) {
    for (const char* ip : {"10.1.2.3", "127.0.0.1", "192.168.0.4", "100.64.0.1", "fd00::1", "fe80::1", "::1"}) {
        Bed bed(std::string("mx.a.test ") +
                (std::string_view(ip).find(':') == std::string_view::npos ? "A " : "AAAA ") + ip +
                "\nmx.a.test TXT v=spf1 -all\n");
        bed.ours.ips.clear();
        bed.ours.ips_said = false;
        TableSource source(bed.table);
        Lookups dns(source);
        check_host(bed.ours, dns, bed.report);
        EXPECT_THAT(bed.ids(), ElementsAre("host-private")) << ip;
    }
}

TEST(DnsCheckHost, SeesAGreetingThatNamesAnotherHost) {
    Bed bed(kHealthy);
    bed.ours.greeting = "localhost";
    EXPECT_THAT(bed.check().ids(), ElementsAre("host-greeting"));
}

TEST(DnsCheckMx, SeesAnAliasAtTheDomainItself) {
    Bed bed(kHost + kServices + kDmarc + "a.test CNAME www.b.test.\nwww.b.test A 198.51.100.1\n");
    EXPECT_THAT(bed.check().ids(), ElementsAre("apex-cname", "spf-missing"));
    EXPECT_EQ(bed.find("apex-cname")->changes[0].op, Change::Op::Delete);
}

TEST(DnsCheckMx, NamesTheForgottenDot) {
    Bed bed(kWithoutMx + "a.test MX 10 mx.a.test.a.test.\n");
    EXPECT_THAT(bed.check().ids(), ElementsAre("mx-unresolvable"));
    EXPECT_THAT(bed.find("mx-unresolvable")->is, HasSubstr("the dot at the end was forgotten"));
}

TEST(DnsCheckDkim, HoldsEachKeyAgainstItsStateAndItsRecord) {
    using mailauth::dkim::KeyState;
    const auto check = [](std::string_view zone, KeyState state, const std::string& record, unsigned bits = 2048) {
        Bed bed(kHealthy + std::string(zone));
        bed.ours.keys = [=](const std::string&) -> Result<std::vector<DkimKey>> {
            return std::vector<DkimKey>{
                {"k", state, mailauth::Algorithm::RsaSha256, bits, record},
                {"e", KeyState::Active, mailauth::Algorithm::Ed25519Sha256, 256, "v=DKIM1; k=ed25519; p=AAAA"}};
        };
        return bed.check().ids();
    };
    const std::string good = "e._domainkey.a.test TXT v=DKIM1; k=ed25519; p=AAAA\n", k = "k._domainkey.a.test TXT ";
    const std::string key = "v=DKIM1; k=rsa; p=QUJD";
    EXPECT_THAT(check(good + k + key + "\n", KeyState::Active, key), IsEmpty());
    EXPECT_THAT(check(good + k + "p=QUJD\n", KeyState::Active, key), IsEmpty());
    EXPECT_THAT(check(good, KeyState::Active, key), ElementsAre("dkim-missing"));
    EXPECT_THAT(check(good, KeyState::Published, key), ElementsAre("dkim-unpublished"));
    EXPECT_THAT(check(good, KeyState::Retired, ""), IsEmpty());
    EXPECT_THAT(check(good + k + key + "\n", KeyState::Retired, ""), IsEmpty());
    EXPECT_THAT(check(good + k + "v=DKIM1; p=\n", KeyState::Revoked, "v=DKIM1; k=rsa; p="), IsEmpty());
    EXPECT_THAT(check(good + k + key + "\n", KeyState::Revoked, "v=DKIM1; k=rsa; p="), ElementsAre("dkim-not-revoked"));
    EXPECT_THAT(check(good + k + key + "\n", KeyState::Active, key, 1024), ElementsAre("dkim-weak"));
    EXPECT_THAT(check(good + k + key + "; s=tlsrpt\n", KeyState::Active, key), ElementsAre("dkim-restricted"));
}

TEST(DnsCheckDkim, SaysThatNoKeySigns) {
    Bed bed(kHealthy);
    bed.ours.keys = [](const std::string&) -> Result<std::vector<DkimKey>> { return std::vector<DkimKey>(); };
    EXPECT_THAT(bed.check().ids(), ElementsAre("dkim-no-key"));
    bed.ours.keys = [](const std::string&) -> Result<std::vector<DkimKey>> { return fail(Errc::Denied, "no"); };
    EXPECT_THAT(bed.check().ids(), IsEmpty());
    EXPECT_EQ(bed.report.unknown.size(), 1u);
}

TEST(DnsCheckDmarc, BelievesTheOrganizationsRecordForASubdomain) {
    Bed bed(kHealthy + "sub.a.test MX 10 mx.a.test.\nsub.a.test TXT v=spf1 mx -all\n");
    bed.check("sub.a.test");
    EXPECT_EQ(bed.find("dmarc-missing"), nullptr);
}

TEST(DnsCheckDmarc, KeepsWhatIsRightInARecordThatItMends) {
    Bed bed(kHost + kServices + kMail + kSpf +
            "_dmarc.a.test TXT v=DMARC1; p=reject; sp=quarantine; adkim=s; rua=mailto:x@a.test,y; fo=1; pct=20\n");
    EXPECT_THAT(bed.check().ids(Severity::Advice), testing::Contains("dmarc-tags"));
    EXPECT_EQ(bed.wanted("dmarc-tags"), "v=DMARC1; p=reject; adkim=s; rua=mailto:x@a.test; fo=1");
}

TEST(DnsCheckCaa, LooksAboveTheHost) {
    Certificate certificate;
    certificate.issuer = "Let's Encrypt";
    certificate.names = {"mx.a.test"};
    certificate.chain = {"x"};
    const auto check = [&](std::string_view zone) {
        Bed bed(kHealthy + std::string(zone));
        bed.ours.certificate = certificate;
        return bed.check().ids();
    };
    EXPECT_THAT(check("a.test CAA 0 issue \"letsencrypt.org; validationmethods=dns-01\"\n"), IsEmpty());
    EXPECT_THAT(check("a.test CAA 0 issue \"x.test\"\n"), ElementsAre("caa-issuer"));
    EXPECT_THAT(check("mx.a.test CAA 0 issue \"letsencrypt.org\"\na.test CAA 0 issue \";\"\n"), IsEmpty());
    EXPECT_THAT(check("a.test CAA 0 iodef \"mailto:x@a.test\"\n"), IsEmpty());
    EXPECT_THAT(check("a.test CAA 128 odd \"x\"\n"), ElementsAre("caa-malformed"));
}

TEST(DnsCheckTlsa, IsWorthNothingWithoutASignedZone) {
    Bed bed(kHealthy + "_25._tcp.mx.a.test TLSA 3 1 1 " + std::string(64, 'a') + "\n");
    EXPECT_THAT(bed.check().ids(), ElementsAre("tlsa-insecure"));
    EXPECT_EQ(bed.report.unknown.size(), 1u);  // nobody looked at the certificate
}

TEST(DnsCheckCertificate, MustBeValidAndNameTheHost) {
    Bed bed(kHealthy);
    bed.ours.certificate = Certificate{{"x"}, {"*.b.test"}, "x", 1'600'000'000, true, "here"};
    EXPECT_THAT(bed.check().ids(), ElementsAre("certificate-expired", "certificate-name"));
    bed.ours.certificate = Certificate{{"x"}, {"*.a.test"}, "x", 1'800'000'000, true, "here"};
    EXPECT_THAT(bed.check().ids(), IsEmpty());
}

}  // namespace
}  // namespace gk::dnscheck
