// SPDX-License-Identifier: MIT
#include "common/address/path.hpp"

namespace gk::address {
namespace {

std::string read(std::string_view in, Rules rules = {}) {
    std::string_view rest = in;
    const auto path = parse_path(rest, rules);
    if (!path) return "error: " + path.error().text;
    return path->text() + "|" + std::string(rest);
}

TEST(Path, ReadsMailboxesOfRfc5321) {
    EXPECT_EQ(read("<ann@a.test> SIZE=1"), "<ann@a.test>| SIZE=1");
    EXPECT_EQ(read("<a.b-c+d_e@x-y.test>"), "<a.b-c+d_e@x-y.test>|");
    EXPECT_EQ(read("<\"a b\"@a.test>"), "<\"a b\"@a.test>|");
    EXPECT_EQ(read("<\"ann\"@a.test>"), "<ann@a.test>|");
    EXPECT_EQ(read("<\"a\\\"\\\\b>\"@a.test>"), "<\"a\\\"\\\\b>\"@a.test>|");
    EXPECT_EQ(read("<\"\"@a.test>"), "<\"\"@a.test>|");
    EXPECT_EQ(read("<a@[192.0.2.1]>"), "<a@[192.0.2.1]>|");
    EXPECT_EQ(read("<a@[IPv6:2001:db8::1]>"), "<a@[IPv6:2001:db8::1]>|");
    EXPECT_EQ(read("<a@a.test.>"), "<a@a.test>|");
    EXPECT_EQ(read("<a@localhost>"), "<a@localhost>|");
}

TEST(Path, DropsSourceRoutes) {
    EXPECT_EQ(read("<@one.test,@two.test:ann@a.test>"), "<ann@a.test>|");
    EXPECT_TRUE(read("<@one.test>").starts_with("error"));
    EXPECT_TRUE(read("<one.test:ann@a.test>").starts_with("error"));
    EXPECT_TRUE(read("<@one.test,two.test:ann@a.test>").starts_with("error"));
    EXPECT_TRUE(read("<@:ann@a.test>").starts_with("error"));
}

TEST(Path, TakesTheNullPathAndPostmasterWherePermitted) {
    EXPECT_EQ(read("<>", {.null = true}), "<>|");
    EXPECT_TRUE(read("<>").starts_with("error: null path"));
    EXPECT_EQ(read("<PostMaster>", {.bare_postmaster = true}), "<PostMaster>|");
    EXPECT_TRUE(read("<postmaster>").starts_with("error"));
    EXPECT_TRUE(read("<root>", {.bare_postmaster = true}).starts_with("error"));
}

TEST(Path, RefusesWhatIsNoPath) {
    for (const std::string_view bad : {"",
                                       "ann@a.test",
                                       "<ann@a.test",
                                       "<ann>",
                                       "<@a.test>",
                                       "<ann@>",
                                       "<.a@a.test>",
                                       "<a.@a.test>",
                                       "<a..b@a.test>",
                                       "<a b@a.test>",
                                       "<a@a..test>",
                                       "<a@-a.test>",
                                       "<a@a-.test>",
                                       "<a@.test>",
                                       "<a@a.test x>",
                                       "<a@b@c.test>",
                                       "<\"a@a.test>",
                                       "<a@[1.2.3]>",
                                       "<a@[300.1.1.1]>",
                                       "<a@[IPv6:zz]>",
                                       "<a@[192.0.2.1>",
                                       "<a@[tag:content]>",
                                       "< a@a.test>",
                                       "<a%b\r@a.test>",
                                       "<\"a\tb\"@a.test>",
                                       "<\"a\\\n\"@a.test>",
                                       "<a(comment)@a.test>",
                                       "<\"a\"b@a.test>",
                                       "<a@a.test\"\">"})
        EXPECT_TRUE(read(bad).starts_with("error")) << bad;
    EXPECT_TRUE(read(std::string("<a\0b@a.test>", 12)).starts_with("error"));
    EXPECT_TRUE(read(std::string("<\"a\0b\"@a.test>", 14)).starts_with("error"));
    EXPECT_TRUE(read(std::string("<a@[1.2.3.4\0]>", 14)).starts_with("error"));
}

TEST(Path, KeepsTheBounds) {
    const std::string local64(64, 'a'), label63(63, 'b');
    EXPECT_EQ(read("<" + local64 + "@a.test>"), "<" + local64 + "@a.test>|");
    EXPECT_EQ(read("<" + local64 + "a@a.test>"), "error: local part is longer than 64 octets");
    EXPECT_EQ(read("<\"" + local64 + "a\"@a.test>"), "error: local part is longer than 64 octets");
    EXPECT_TRUE(read("<a@" + label63 + ".test>").ends_with(">|"));
    EXPECT_EQ(read("<a@" + label63 + "b.test>"), "error: domain has a label longer than 63 octets");
    std::string long_domain;
    for (int i = 0; i < 130; ++i) long_domain += "b.";
    EXPECT_EQ(read("<a@" + long_domain + "test>"), "error: domain is longer than 255 octets");
    EXPECT_TRUE(read("<" + std::string(1'000'000, '@')).starts_with("error"));
    EXPECT_TRUE(parse_address(std::string(5000, 'a')).error().code == Errc::BadInput);
}

TEST(Path, TakesUtf8OnlyWhereAskedFor) {
    EXPECT_EQ(read("<анна@пример.test>", {.utf8 = true}), "<анна@пример.test>|");
    EXPECT_TRUE(read("<анна@a.test>").starts_with("error: address is not ASCII"));
    EXPECT_TRUE(read("<ann@пример.test>").starts_with("error: domain is not ASCII"));
    EXPECT_TRUE(read("<\"ä\"@a.test>").starts_with("error"));
    EXPECT_EQ(read("<\"ä b\"@a.test>", {.utf8 = true}), "<\"ä b\"@a.test>|");
    EXPECT_TRUE(read("<a\xFF@a.test>", {.utf8 = true}).starts_with("error: local part is not UTF-8"));
    EXPECT_TRUE(read("<a@\xFF.test>", {.utf8 = true}).starts_with("error: domain is not UTF-8"));
}

TEST(Address, ParsesWholeTexts) {
    const auto address = parse_address("ann@a.test");
    ASSERT_TRUE(address);
    EXPECT_EQ(address->local_part, "ann");
    EXPECT_EQ(address->domain, "a.test");
    EXPECT_TRUE(address->is_ascii());
    EXPECT_FALSE(address->is_literal());
    EXPECT_FALSE(parse_address("ann@a.test x"));
    EXPECT_FALSE(parse_address("ann"));
    EXPECT_FALSE(parse_address(""));
    EXPECT_TRUE(parse_address("a@[192.0.2.1]")->is_literal());
}

TEST(Address, CanonicalFormMakesEqualsEqual) {
    EXPECT_EQ(canonical(*parse_address("Ann@A.Test.")), "ann@a.test");
    EXPECT_EQ(canonical(*parse_address("\"Ann\"@A.TEST")), "ann@a.test");
    EXPECT_EQ(canonical(*parse_address("Ж@BÜCHER.test")), "ж@xn--bcher-kva.test");
    EXPECT_EQ(canonical(*parse_address("\"A b\"@a.test")), "\"a b\"@a.test");
    EXPECT_EQ(canonical({"PostMaster", ""}), "postmaster");
    EXPECT_EQ(canonical({"A", "bad..Domain"}), "a@bad..domain");
}

TEST(Domain, GoesToALabelsAndBack) {
    EXPECT_EQ(*to_a_labels("BÜCHER.Test"), "xn--bcher-kva.test");
    EXPECT_EQ(*to_a_labels("Mail_Host.a.test."), "mail_host.a.test");
    EXPECT_EQ(*to_a_labels("例え。テスト"), "xn--r8jz45g.xn--zckzah");
    EXPECT_EQ(*to_a_labels("[IPv6:2001:DB8::1]"), "[ipv6:2001:db8::1]");
    EXPECT_FALSE(to_a_labels(""));
    EXPECT_FALSE(to_a_labels("a..b"));
    EXPECT_FALSE(to_a_labels("\xFF.test"));
    EXPECT_FALSE(to_a_labels("ä" + std::string(80, 'a') + ".test"));
    EXPECT_EQ(to_u_labels("xn--bcher-kva.TEST"), "bücher.test");
    EXPECT_EQ(to_u_labels("a.test"), "a.test");
    EXPECT_EQ(to_u_labels("xn--\xFF"), "xn--\xFF");
    EXPECT_EQ(to_u_labels("xn--0"), "xn--0");
    EXPECT_FALSE(check_domain("[192.0.2.1]", true, false));
    EXPECT_FALSE(check_domain("a b"));
    EXPECT_FALSE(check_domain("a-"));
}

TEST(Subaddress, SplitsAtTheFirstSeparator) {
    using Pair = std::pair<std::string_view, std::string_view>;
    EXPECT_EQ(split_subaddress("ann+lists+x", "+"), Pair("ann", "lists+x"));
    EXPECT_EQ(split_subaddress("ann-x", "+-"), Pair("ann", "x"));
    EXPECT_EQ(split_subaddress("ann", "+"), Pair("ann", ""));
    EXPECT_EQ(split_subaddress("+ann", "+"), Pair("+ann", ""));
    EXPECT_EQ(split_subaddress("ann+x", ""), Pair("ann+x", ""));
}

}  // namespace
}  // namespace gk::address
