// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/mailauth/dns_table.hpp"
#include "common/mailauth/domain.hpp"
#include "common/mailauth/ip.hpp"
#include "common/mailauth/spf/tree.hpp"

namespace gk::mailauth {
namespace {

DnsTable table(std::string_view text) { return DnsTable::parse(text).value(); }

TEST(SpfTree, CountsTheLookupsOfAllThatIsIncluded) {
    auto dns = table(
        "a.test TXT v=spf1 mx include:b.test redirect=c.test\na.test MX 1 mx.a.test\nmx.a.test A 192.0.2.1\n"
        "b.test TXT v=spf1 a exists:%{i}.b.test -all\nb.test A 192.0.2.2\nc.test TXT v=spf1 -all\n");
    const auto tree = spf::show("A.test", dns);
    EXPECT_EQ(tree.lookups, 5u);
    EXPECT_THAT(tree.problems, testing::IsEmpty());
    EXPECT_EQ(tree.lines.front().note, "mx.a.test [192.0.2.1]");
    EXPECT_EQ(tree.lines.back().domain, "c.test");
}

TEST(SpfTree, NamesWhatEndsACheckInAnError) {
    auto dns = table(
        "two.test TXT v=spf1 -all\ntwo.test TXT v=spf1 +all\nloop.test TXT v=spf1 include:loop.test\n"
        "gap.test TXT v=spf1 include:nothing.test -all\nvoid.test TXT v=spf1 a:x.test mx:y.test exists:z.test\n"
        "bad.test TXT v=spf1 ip4:1.2.3 -all\n");
    for (const char* domain : {"two.test", "loop.test", "gap.test", "void.test", "bad.test", "localhost"})
        EXPECT_EQ(spf::show(domain, dns).problems.size(), 1u) << domain;
    EXPECT_TRUE(spf::show("nothing.test", dns).none);
}

TEST(SpfTree, ALookupThatFailsForNowIsNoProblemOfTheRecord) {
    auto dns = table("a.test TXT v=spf1 a:gone.test -all\ngone.test TEMPFAIL\n");
    const auto tree = spf::show("a.test", dns);
    EXPECT_TRUE(tree.temporary);
    EXPECT_THAT(tree.problems, testing::IsEmpty());
}

TEST(SpfTree, ATreeWithoutEndIsCut) {
    std::string zone;
    for (int i = 0; i < 40; ++i) {
        const std::string next = " include:t" + std::to_string(i + 1) + ".test";
        zone += "t" + std::to_string(i) + ".test TXT v=spf1" + next + next + " -all\n";
    }
    auto dns = table(zone);
    EXPECT_LE(spf::show("t0.test", dns).lines.size(), 1000u);
}

TEST(DnsTable, RefusesALineThatIsNoRecord) {
    for (const char* line :
         {"a.test", "a.test HINFO x", "a.test MX mail.a.test", "a.test TXT \"open", "a.test TXT \"\\xzz\""})
        EXPECT_FALSE(DnsTable::parse(line)) << line;
}

TEST(DnsTable, JoinsStringsAndFollowsAliases) {
    auto dns = table("a.test CNAME b.test\nb.test TXT \"one \" \"\\x74wo\"\nloop.test CNAME loop.test\n");
    EXPECT_EQ(dns.txt("A.TEST.").records, std::vector<std::string>{"one two"});
    EXPECT_EQ(dns.txt("loop.test").outcome, Outcome::Void);
}

TEST(Ip, ComparesPrefixes) {
    EXPECT_TRUE(Ip::parse("192.0.2.255")->in(*Ip::parse("192.0.2.128"), 25));
    EXPECT_FALSE(Ip::parse("192.0.2.127")->in(*Ip::parse("192.0.2.128"), 25));
    EXPECT_TRUE(Ip::parse("2001:db8::1")->in(*Ip::parse("::"), 0));
    EXPECT_FALSE(Ip::parse("192.0.2.1")->in(*Ip::parse("::"), 0));
    EXPECT_EQ(Ip::parse("::ffff:192.0.2.1")->without_mapping().text(), "192.0.2.1");
    for (const char* wrong : {"", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.256", "::g", "1.2.3.4 "})
        EXPECT_FALSE(Ip::parse(wrong)) << wrong;
}

TEST(Domain, HasTwoLabelsOrMoreThatDnsCanHold) {
    EXPECT_EQ(dns_domain("Bücher.Test."), "xn--bcher-kva.test");
    EXPECT_EQ(dns_domain("_dmarc.a.test"), "_dmarc.a.test");
    for (const char* wrong : {"", "localhost", ".", "a..test", "[192.0.2.1]", "a b.test"})
        EXPECT_EQ(dns_domain(wrong), "") << wrong;
    std::string long_label(64, 'a');
    long_label += ".test";
    EXPECT_EQ(dns_domain(long_label), "");
    EXPECT_TRUE(is_at_or_below("Mail.A.test", "a.TEST."));
    EXPECT_FALSE(is_at_or_below("mail.ba.test", "a.test"));
}

}  // namespace
}  // namespace gk::mailauth
