// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "common/dns/resolver.hpp"

namespace gk::dns {
namespace {

using namespace std::string_literals;

std::string shown(Type type, const std::string& rdata) { return format_rdata(type, rdata).value_or("malformed"); }

TEST(DnsPresentation, WritesEveryTypeAsAZoneFileHasIt) {
    EXPECT_EQ(shown(Type::A, "\xc0\x00\x02\x01"s), "192.0.2.1");
    EXPECT_EQ(shown(Type::Aaaa, "\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\x01"), "2001:db8::1");
    EXPECT_EQ(shown(Type::Mx, "\x00\x0a\x02MX\x01"s + "a\x04test\x00"s), "10 mx.a.test.");
    EXPECT_EQ(shown(Type::Mx, "\x00\x00\x00"s), "0 .");
    EXPECT_EQ(shown(Type::Srv, "\x00\x00\x00\x01\x03\xe1\x02mx\x00"s), "0 1 993 mx.");
    EXPECT_EQ(shown(Type::Soa, "\x02ns\x00\x04root\x00"s + std::string(19, '\0') + "\x07"), "ns. root. 0 0 0 0 7");
    EXPECT_EQ(shown(Type::Ds, "\x30\x39\x0d\x02\xab\xcd"s), "12345 13 2 abcd");
    EXPECT_EQ(shown(Type::Dnskey, "\x01\x01\x03\x0d\x01\x02\x03"s), "257 3 13 AQID");
    EXPECT_EQ(shown(Type::Tlsa, "\x03\x01\x01\xff"s), "3 1 1 ff");
    EXPECT_EQ(shown(Type::Caa, "\x00\x05issueca.test"s), "0 issue \"ca.test\"");
    EXPECT_EQ(shown(Type::Txt, "\x02\x61\x62\x01\x63"s), "abc");
}

TEST(DnsPresentation, RefusesWhatIsCutShortOrTooLong) {
    EXPECT_EQ(shown(Type::A, "\x01\x02\x03"s), "malformed");
    EXPECT_EQ(shown(Type::Mx, "\x00\x0a"s), "malformed");
    EXPECT_EQ(shown(Type::Mx, "\x00\x0a\x01m\x00x"s), "malformed");
    EXPECT_EQ(shown(Type::Srv, "\x00\x00\x00\x01\x03"s), "malformed");
    EXPECT_EQ(shown(Type::Soa, "\x00\x00\x00\x00"s), "malformed");
    EXPECT_EQ(shown(Type::Caa, "\x00\x09issue"s), "malformed");
    EXPECT_EQ(shown(Type::Caa, "\x00\x00"s), "malformed");
    EXPECT_EQ(shown(Type::Tlsa, "\x03\x01"s), "malformed");
}

TEST(DnsPresentation, EscapesWhatWouldBreakALine) {
    EXPECT_EQ(shown(Type::Ns, "\x03\x61.\n\x00"s), "a\\.\\010.");
    EXPECT_EQ(shown(Type::Caa, "\x80\x05issue\"\n;"s), "128 issue \"\\\"\\010;\"");
}

TEST(DnsPresentation, KnowsTypesByNameAndNumber) {
    EXPECT_EQ(type_name(Type::Caa), "CAA");
    EXPECT_EQ(type_named("dnskey"), Type::Dnskey);
    EXPECT_FALSE(type_named("HINFO"));
}

}  // namespace
}  // namespace gk::dns
