// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>

#include <cstdlib>

#include "common/base/text.hpp"
#include "common/dnscheck/run_program.hpp"
#include "common/dnscheck/update.hpp"
#include "common/os/file.hpp"
#include "tests/unit/dnscheck/fixture.hpp"

namespace gk::dnscheck {
namespace {

TEST(DnsRecord, IsWrittenAsALineOfAZoneFile) {
    EXPECT_EQ(zone_line({"a.test", dns::Type::Mx, "10 mx.a.test."}), "a.test. 3600 IN MX 10 mx.a.test.");
    EXPECT_EQ(zone_line({"a.test", dns::Type::Txt, std::string(256, 'x')}),
              "a.test. 3600 IN TXT \"" + std::string(255, 'x') + "\" \"x\"");
    EXPECT_EQ(zone_line({"a.test", dns::Type::Txt, "say \"a\\b\"\xff"}), R"(a.test. 3600 IN TXT "say \"a\\b\"\255")");
}

TEST(DnsRecord, HasOneSpellingOfItsData) {
    using dns::Type;
    EXPECT_EQ(canonical_data(Type::Mx, "010 MX.a.Test").value(), "10 mx.a.test.");
    EXPECT_EQ(canonical_data(Type::Srv, "0 1 993 mx").value(), "0 1 993 mx.");
    EXPECT_EQ(canonical_data(Type::Aaaa, "2001:DB8:0::1").value(), "2001:db8::1");
    EXPECT_EQ(canonical_data(Type::Tlsa, "3 1 1 AB CD").value(), "3 1 1 abcd");
    EXPECT_EQ(canonical_data(Type::Caa, "0 ISSUE \"a;\\098\"").value(), "0 issue \"a;b\"");
    for (const auto& [type, data] : std::vector<std::pair<Type, std::string>>{{Type::Mx, "10"},
                                                                              {Type::Mx, "70000 a."},
                                                                              {Type::A, "::1"},
                                                                              {Type::Tlsa, "3 1 1 xyz"},
                                                                              {Type::Caa, "0 issue"},
                                                                              {Type::Soa, "a b 1"},
                                                                              {Type::Srv, "1 2 3"}})
        EXPECT_FALSE(canonical_data(type, data)) << data;
}

// RFC 4034, 5.4: the key, its tag and its SHA-1 digest; RFC 4509, 2.3: the SHA-256 digest.
TEST(DnsSec, MakesTheDigestsOfTheRfcs) {
    const std::string key =
        "256 3 5 AQOeiiR0GOMYkDshWoSKz9XzfwJr1AYtsmx3TGkJaNXVbfi/2pHm822aJ5iI9BMzNXxeYCmZDRD99WYwYqUSdjMmmAphXdvxegXd/"
        "M5+X7OrzKBaMbCVdFLUUh6DhweJBjEVv5f2wwjM9XzcnOf+EPbtG9DMBmADjFDc2w/rljwvFw==";
    EXPECT_EQ(key_tag(key), 60485u);
    EXPECT_EQ(text::to_hex(ds_digest("dskey.example.com", key, 1)), "2bb183af5f22588179a53b0a98631fad1a292118");
    EXPECT_EQ(text::to_hex(ds_digest("dskey.example.com", key, 2)),
              "d4b7d520e7bb5f0f67674a0cceb1e3e0614b93c4f9e99b8383f6a1e4469da50a");
    EXPECT_EQ(ds_digest("dskey.example.com", key, 9), "");
}

TEST(UpdateKeyFile, IsReadInBothForms) {
    const auto plain = parse_update_key("hmac-sha512:my.key:c2VjcmV0\n");
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain->algorithm + " " + plain->name + " " + plain->secret, "hmac-sha512 my.key c2VjcmV0");
    const auto block =
        parse_update_key("# made by tsig-keygen\nkey \"k\" {\n\talgorithm hmac-sha256;\n\tsecret \"c2VjcmV0\";\n};\n");
    ASSERT_TRUE(block);
    EXPECT_EQ(block->algorithm + " " + block->name + " " + block->secret, "hmac-sha256 k c2VjcmV0");
    for (const char* wrong :
         {"", "x", "a:b:c:d", "hmac-sha256:k:not base64", "key \"k\" { secret \"c2VjcmV0\"; };", "a;b:k:c2VjcmV0"})
        EXPECT_FALSE(parse_update_key(wrong)) << wrong;
}

TEST(UpdateServer, IsAnAddressWithOrWithoutAPort) {
    EXPECT_EQ(parse_server("192.0.2.1").value(), (std::pair<std::string, unsigned>("192.0.2.1", 53)));
    EXPECT_EQ(parse_server("192.0.2.1@5353").value().second, 5353u);
    EXPECT_EQ(parse_server("192.0.2.1:5353").value().second, 5353u);
    EXPECT_EQ(parse_server("[2001:db8::1]:5353").value(), (std::pair<std::string, unsigned>("2001:db8::1", 5353)));
    EXPECT_EQ(parse_server("2001:db8::1").value().second, 53u);
    for (const char* wrong : {"", "ns.a.test", "192.0.2.1@x", "192.0.2.1@0", "[::1"})
        EXPECT_FALSE(parse_server(wrong).has_value() && std::string(wrong) != "[::1") << wrong;
}

TEST(UpdatePlan, PutsEachChangeIntoItsZone) {
    Bed bed(
        "a.test SOA ns.a.test. root.a.test. 1 1 1 1 1\ntest SOA ns.test. root.test. 1 1 1 1 1\n"
        "2.0.192.in-addr.arpa SOA ns.b.test. root.b.test. 1 1 1 1 1\n");
    TableSource source(bed.table);
    Lookups dns(source);
    const auto zones = by_zone({{Change::Op::Add, {"x.a.test", dns::Type::A, "192.0.2.1"}},
                                {Change::Op::Add, {"1.2.0.192.in-addr.arpa", dns::Type::Ptr, "x.a.test."}},
                                {Change::Op::Add, {"a.test", dns::Type::Ds, "1 13 2 00"}},
                                {Change::Op::Add, {"y.org", dns::Type::A, "192.0.2.1"}}},
                               dns);
    ASSERT_EQ(zones.size(), 4u);
    EXPECT_EQ(zones[0].zone + " " + zones[0].primary, "a.test ns.a.test");
    EXPECT_EQ(zones[1].zone, "2.0.192.in-addr.arpa");
    EXPECT_EQ(zones[2].zone, "test");  // a DS record is the parent's
    EXPECT_EQ(zones[3].zone, "");
}

class Hooks : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern =
            (std::getenv("TMPDIR") ? std::getenv("TMPDIR") : std::string("/tmp")) + "/gk-hooks-XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        folder = pattern;
    }
    void TearDown() override { (void)os::remove_tree(folder); }
    void put(const std::string& name, const std::string& script) {
        ASSERT_TRUE(os::replace_file(folder + "/" + name, "#!/bin/sh\n" + script, 0755));
        ASSERT_EQ(::chmod((folder + "/" + name).c_str(), 0755), 0);
    }
    std::string folder;
    const ZoneChanges zone{"a.test", "", {{Change::Op::Add, {"x.a.test", dns::Type::Txt, "a \"b\""}}}};
};

TEST_F(Hooks, AreAskedInOrderUntilOneTakesTheZone) {
    put("10-other", "exit 69\n");
    put("20-mine", "cat > " + folder + "/seen\n");
    put("30-never", "touch " + folder + "/never\n");
    ASSERT_TRUE(os::replace_file(folder + "/README", "not a program"));
    ASSERT_TRUE(send_by_hooks(folder, zone));
    EXPECT_EQ(os::read_file(folder + "/seen").value(),
              R"({"op":"add","zone":"a.test","name":"x.a.test","type":"TXT","ttl":3600,"data":"a \"b\""})"
              "\n");
    EXPECT_FALSE(os::exists(folder + "/never"));
}

TEST_F(Hooks, SayWhyTheyFailed) {
    put("10-mine", "echo no such record >&2; exit 1\n");
    const auto failed = send_by_hooks(folder, zone);
    ASSERT_FALSE(failed);
    EXPECT_THAT(failed.error().text, testing::HasSubstr("ended with 1: no such record"));
    ASSERT_TRUE(os::unlink(folder + "/10-mine"));
    EXPECT_EQ(send_by_hooks(folder, zone).error().code, Errc::NotFound);
}

TEST_F(Hooks, AreEndedWhenTheirTimeIsOver) {
    put("10-slow", "sleep 60\n");
    const auto ran = run_program({folder + "/10-slow"}, "x", std::chrono::milliseconds(100));
    ASSERT_FALSE(ran);
    EXPECT_EQ(ran.error().code, Errc::Timeout);
}

TEST_F(Hooks, MayReadNothingAndWriteMuch) {
    put("10-loud", "head -c 300000 /dev/zero\n");
    const auto ran = run_program({folder + "/10-loud"}, std::string(1 << 20, 'x'), std::chrono::seconds(10));
    ASSERT_TRUE(ran) << ran.error().text;
    EXPECT_EQ(ran->code, 0);
    EXPECT_LE(ran->output.size(), 70'000u);
}

}  // namespace
}  // namespace gk::dnscheck
