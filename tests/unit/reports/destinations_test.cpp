// SPDX-License-Identifier: MIT
#include "common/reports/destinations.hpp"

#include <gtest/gtest.h>

#include "common/mailauth/dns_table.hpp"
#include "common/reports/https_post.hpp"

namespace gk::reports {
namespace {

using mailauth::DnsTable;
using Scheme = Destination::Scheme;

Destination to(std::string_view uri) {
    const auto destination = parse_destination(uri);
    EXPECT_TRUE(destination) << uri;
    return destination ? *destination : Destination{};
}

TEST(ReportDestinations, AddressesAndUrisAreReadWithTheirLimits) {
    EXPECT_EQ(to(" mailto:d@A.test!10m "), (Destination{Scheme::Mailto, "d@a.test", "a.test", 10u << 20}));
    EXPECT_EQ(to("mailto:d%2Bx@a.test?subject=hello").address, "d+x@a.test");
    EXPECT_EQ(to("https://t.a.test:8443/v1/r?x=1#y"),
              (Destination{Scheme::Https, "https://t.a.test:8443/v1/r?x=1", "t.a.test", 0}));
    for (const char* uri : {"", "d@a.test", "mailto:", "mailto:a.test", "mailto:d@", "mailto:d@a.test!x",
                            "ftp://a.test/", "http://a.test/", "https://", "https://user@a.test/",
                            "mailto:a@a.test%0d%0aBcc:x@b.test", "mailto:%22a,b%22@a.test", "mailto:a@a.test,b@b.test"})
        EXPECT_FALSE(parse_destination(uri)) << uri;
}

TEST(ReportDestinations, OfAListWhatIsSoundCountsOnce) {
    const auto list = parse_rua("mailto:a@a.test, nonsense,mailto:b@b.test!1k,mailto:a@a.test");
    ASSERT_EQ(list.size(), 2u);
    EXPECT_EQ(list[1].limit, 1024u);
    std::string many;
    for (int i = 0; i < 1000; ++i) many += "mailto:a" + std::to_string(i) + "@a.test,";
    EXPECT_EQ(parse_rua(many).size(), 10u);
}

TEST(ReportConsent, OthersMustHaveSaidYes) {
    DnsTable dns;
    ASSERT_TRUE(dns.add_line("a.test._report._dmarc.r.test TXT v=DMARC1"));
    ASSERT_TRUE(dns.add_line("b.test._report._dmarc.r.test TXT v=spf1 -all"));
    ASSERT_TRUE(dns.add_line("c.test._report._dmarc.r.test TXT TEMPFAIL"));
    EXPECT_EQ(ask_consent(dns, "a.test", to("mailto:d@r.test")).consent, Consent::Given);
    const auto refused = ask_consent(dns, "b.test", to("mailto:d@r.test"));
    EXPECT_EQ(refused.consent, Consent::Refused);
    EXPECT_EQ(refused.why, "r.test does not consent: there is no record v=DMARC1 at b.test._report._dmarc.r.test");
    EXPECT_EQ(ask_consent(dns, "c.test", to("mailto:d@r.test")).consent, Consent::Unknown);
    const std::string label(63, 'a');
    EXPECT_EQ(ask_consent(dns, label + "." + label + "." + label + ".test", to("mailto:d@" + label + ".r.test")).why,
              "the name to ask is too long for DNS");
}

TEST(ReportConsent, TheReceiverMayNameAnotherAddressOfTheSameHostOnly) {
    DnsTable dns;
    ASSERT_TRUE(dns.add_line("a.test._report._dmarc.r.test TXT v=DMARC1; rua=mailto:other@r.test"));
    ASSERT_TRUE(dns.add_line("b.test._report._dmarc.r.test TXT v=DMARC1; rua=mailto:other@victim.test"));
    const auto moved = ask_consent(dns, "a.test", to("mailto:d@r.test"));
    EXPECT_EQ(moved.consent, Consent::Given);
    ASSERT_TRUE(moved.instead);
    EXPECT_EQ(moved.instead->address, "other@r.test");
    EXPECT_EQ(ask_consent(dns, "b.test", to("mailto:d@r.test")).consent, Consent::Refused);
}

TEST(TlsDestinations, OneRecordCountsAndMoreAreNone) {
    DnsTable dns;
    ASSERT_TRUE(dns.add_line("_smtp._tls.a.test TXT v=TLSRPTv1; rua=mailto:t@a.test,https://t.a.test/v1"));
    ASSERT_TRUE(dns.add_line("_smtp._tls.a.test TXT unrelated"));
    ASSERT_TRUE(dns.add_line("_smtp._tls.b.test TXT v=TLSRPTv1;rua=mailto:t@b.test"));
    ASSERT_TRUE(dns.add_line("_smtp._tls.b.test TXT v=TLSRPTv1;rua=mailto:u@b.test"));
    ASSERT_TRUE(dns.add_line("_smtp._tls.c.test TXT v=TLSRPTv1; ext=1;"));
    ASSERT_TRUE(dns.add_line("_smtp._tls.d.test TXT TEMPFAIL"));
    EXPECT_EQ(find_tls_destinations(dns, "a.test").destinations.size(), 2u);
    EXPECT_EQ(find_tls_destinations(dns, "b.test").why, "2 records v=TLSRPTv1 at _smtp._tls.b.test");
    EXPECT_EQ(find_tls_destinations(dns, "c.test").why, "the record at _smtp._tls.c.test names no address");
    EXPECT_TRUE(find_tls_destinations(dns, "d.test").unknown);
    EXPECT_EQ(find_tls_destinations(dns, "e.test").why, "no record v=TLSRPTv1 at _smtp._tls.e.test");
}

TEST(HttpsPost, AHostIsOneThatAllReadAlike) {
    for (const char* uri : {"https://t.a.test", "HTTPS://T.A.test/v1?x=1", "https://t.a.test:443#x"}) {
        const auto host = host_of_uri(uri);
        ASSERT_TRUE(host) << uri;
        EXPECT_EQ(host->name, "t.a.test");
        EXPECT_EQ(host->port, 443);
    }
    EXPECT_EQ(host_of_uri("https://t.a.test:8443/")->port, 8443);
    for (const char* uri : {"",
                            "https://",
                            "http://t.a.test/",
                            "https:/t.a.test/",
                            "https://t.a.test./",
                            "https://t.a.test.:443/",
                            "https://127.0.0.1%2e/",
                            "https://10%2E0.0.1/",
                            "https://t%00.a.test/",
                            "https://127.0.0.1/",
                            "https://127.1/",
                            "https://0x7f.1/",
                            "https://a.0x7f000001/",
                            "https://2130706433/",
                            "https://[::1]/",
                            "https://[::1]:443/",
                            "https://user@t.a.test/",
                            "https://t.a.test\\@127.0.0.1/",
                            "https://t.a.test:/",
                            "https://t.a.test:0/",
                            "https://t.a.test:65536/",
                            "https://t.a.test:443:443/",
                            "https://localhost/",
                            "https://t.a.test\t/",
                            "https://t..a.test/",
                            "https://b\xc3\xbc.a.test/"})
        EXPECT_FALSE(host_of_uri(uri)) << uri;
}

TEST(HttpsPost, StrangersUrisDoNotReachPrivateNetworks) {
    for (const char* ip :
         {"127.0.0.1", "10.1.2.3", "172.31.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "::1",
          "fe80::1", "fd00::1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "224.0.0.1", "x"})
        EXPECT_FALSE(is_public_address(ip)) << ip;
    for (const char* ip : {"192.0.2.1", "198.51.100.1", "2001:db8::1", "172.32.0.1"})
        EXPECT_TRUE(is_public_address(ip)) << ip;
    DnsTable dns;
    ASSERT_TRUE(dns.add_line("t.a.test A 127.0.0.1"));
    EXPECT_EQ(https_post("https://t.a.test/", "x", dns, {}).error().text, "t.a.test has private addresses only");
    EXPECT_EQ(https_post("https://t.a.test:25/", "x", dns, {}).error().text, "reports do not go to port 25");
    EXPECT_EQ(https_post("https://none.test/", "x", dns, {}).error().text, "there is no host none.test");
    EXPECT_EQ(https_post("https://127.0.0.1/", "x", dns, {}).error().code, Errc::Permanent);
}

}  // namespace
}  // namespace gk::reports
