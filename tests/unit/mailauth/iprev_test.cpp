// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "common/mailauth/dns_table.hpp"
#include "common/mailauth/iprev.hpp"

namespace gk::mailauth {
namespace {

IprevChecked check(std::string_view ip, std::string_view zone) {
    auto dns = DnsTable::parse(zone).value();
    return check_iprev(*Ip::parse(ip), dns);
}

TEST(Iprev, PassesWhereANameLeadsBackToTheAddress) {
    const auto checked =
        check("192.0.2.1", "192.0.2.1 PTR Mail.A.test.\nmail.a.test A 192.0.2.9\nmail.a.test A 192.0.2.1\n");
    EXPECT_EQ(checked.verdict, IprevVerdict::Pass);
    EXPECT_EQ(checked.name, "mail.a.test");
    EXPECT_EQ(checked.lookups, 2u);
    EXPECT_EQ(check("2001:db8::1", "2001:db8::1 PTR a.test\na.test AAAA 2001:db8:0::1\n").verdict, IprevVerdict::Pass);
    EXPECT_EQ(check("::ffff:192.0.2.1", "192.0.2.1 PTR a.test\na.test A 192.0.2.1\n").verdict, IprevVerdict::Pass);
}

TEST(Iprev, AnyNameOfTheAddressMayConfirmIt) {
    const auto checked = check("192.0.2.1",
                               "192.0.2.1 PTR forged.bank.test\n192.0.2.1 PTR own.a.test\n"
                               "forged.bank.test A 203.0.113.1\nown.a.test A 192.0.2.1\n");
    EXPECT_EQ(checked.verdict, IprevVerdict::Pass);
    EXPECT_EQ(checked.name, "own.a.test");
}

TEST(Iprev, FailsWhereNoNameLeadsBack) {
    const auto checked = check("192.0.2.1", "192.0.2.1 PTR mail.bank.test\nmail.bank.test A 203.0.113.1\n");
    EXPECT_EQ(checked.verdict, IprevVerdict::Fail);
    EXPECT_EQ(checked.name, "");
    EXPECT_NE(checked.reason.find("mail.bank.test"), std::string::npos);
    // The other family's address is none of this client.
    EXPECT_EQ(check("192.0.2.1", "192.0.2.1 PTR a.test\na.test AAAA ::ffff:192.0.2.1\n").verdict, IprevVerdict::Fail);
}

TEST(Iprev, AnAddressWithoutANameIsAPermanentError) {
    EXPECT_EQ(check("192.0.2.1", "").verdict, IprevVerdict::PermError);
}

TEST(Iprev, SilenceOfDnsIsATemporaryErrorUnlessAnotherNameConfirms) {
    EXPECT_EQ(check("192.0.2.1", "192.0.2.1 PTR TEMPFAIL\n").verdict, IprevVerdict::TempError);
    EXPECT_EQ(check("192.0.2.1", "192.0.2.1 PTR a.test\na.test A TEMPFAIL\n").verdict, IprevVerdict::TempError);
    EXPECT_EQ(check("192.0.2.1", "192.0.2.1 PTR a.test\n192.0.2.1 PTR b.test\na.test A TEMPFAIL\nb.test A 192.0.2.1\n")
                  .verdict,
              IprevVerdict::Pass);
}

TEST(Iprev, LooksAtAFewNamesOnly) {
    std::string zone;
    for (int i = 0; i < 500; ++i) zone += "192.0.2.1 PTR n" + std::to_string(i) + ".test\n";
    const auto checked = check("192.0.2.1", zone + "n499.test A 192.0.2.1\n");
    EXPECT_EQ(checked.verdict, IprevVerdict::Fail);
    EXPECT_LE(checked.lookups, 1u + kIprevNames);
}

TEST(Iprev, ANameThatIsNoHostNameIsNotQuoted) {
    DnsTable dns;
    dns.add("192.0.2.1", "PTR", "a.test; dkim=pass");
    dns.add("a.test; dkim=pass", "A", "192.0.2.1");
    const auto checked = check_iprev(*Ip::parse("192.0.2.1"), dns);
    EXPECT_EQ(checked.verdict, IprevVerdict::Fail);
    EXPECT_EQ(checked.name, "");
}

}  // namespace
}  // namespace gk::mailauth
