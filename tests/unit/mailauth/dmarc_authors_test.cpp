// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/mailauth/dmarc/authors.hpp"

namespace gk::mailauth::dmarc {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> domains(std::string_view header) { return find_authors(header).domains; }

TEST(DmarcAuthors, TheDomainOfTheAddressCounts) {
    for (const char* header :
         {"From: ann@a.test\r\n", "From: Ann <ann@A.TEST>\n", "FROM : \"Ann, of b@b.test\" <ann@a.test.> (c@c.test)\n",
          "To: x@x.test\nFrom:\n Ann\n <ann@a.test>\n", "From: =?utf-8?q?x=40b.test?= <ann@a.test>\n",
          "From: b@b.test <ann@a.test>\n", "From: \"b@b.test\"@a.test\n",
          "From: =?utf-8?Q?Doe,_Ann_(Sales)?= <ann@a.test>\n", "From: \"=?utf-8?q?x@b.test?=\" <ann@a.test>\n"}) {
        const auto authors = find_authors(header);
        EXPECT_THAT(authors.malformed, IsEmpty()) << header;
        EXPECT_THAT(authors.domains, ElementsAre("a.test")) << header;
    }
}

TEST(DmarcAuthors, SeveralAddressesAndFieldsAreAllOfThem) {
    EXPECT_THAT(domains("From: a@a.test, b@b.test, c@A.test\n"), ElementsAre("a.test", "b.test"));
    EXPECT_THAT(domains("From: a@a.test\nSubject: x\nfrom: b@b.test\n"), ElementsAre("a.test", "b.test"));
    EXPECT_THAT(domains("From: team: a@a.test, b@b.test;, c@c.test\n"), ElementsAre("a.test", "b.test", "c.test"));
    EXPECT_EQ(find_authors("From: a@a.test\nFrom: b@b.test\n").fields, 2u);
}

// Each would be another author in another reader.
TEST(DmarcAuthors, ASecondAddressInOneEntryIsAnAuthorToo) {
    EXPECT_THAT(domains("From: <a@a.test><b@b.test>\n"), ElementsAre("a.test", "b.test"));
    EXPECT_THAT(domains("From: <a@a.test> b@b.test\n"), ElementsAre("a.test", "b.test"));
    EXPECT_THAT(domains("From: <a@a.test>(x)b@b.test\n"), ElementsAre("a.test", "b.test"));
    EXPECT_THAT(domains("From: <a@a.test> Ann\n"), ElementsAre("a.test"));
}

TEST(DmarcAuthors, WhatReadersWouldDisagreeOnIsMalformed) {
    using namespace std::string_view_literals;
    for (const auto header :
         {"From: ann@a.test\0.b.test\n"sv, "From: ann@a.test .b.test\n"sv, "From: ann@a.test(x).b.test\n"sv,
          "From: ann@a.test. b.test\n"sv, "From: ann@a.test@b.test\n"sv, "From: <ann@a.test@b.test>\n"sv,
          "From: \"ann <ann@a.test>\n"sv, "From: (ann <ann@a.test>\n"sv, "From: ann@a.test\x01\n"sv,
          "From: ann@a..test\n"sv, "From: ann@.a.test\n"sv, "From: ann@a_\xff.test\n"sv, "From: ann@\n"sv,
          "From: ann@a!b.test\n"sv})
        EXPECT_FALSE(find_authors(header).malformed.empty()) << header;
}

TEST(DmarcAuthors, AnEncodedWordThatLooksLikeAnAddressIsMalformed) {
    for (const char* header :
         {"From: =?utf-8?q?x@b.test?= <ann@a.test>\n", "From: =?utf-8?q?x@b.test,?= <ann@a.test>\n",
          "From: =?utf-8?q?<x?= <ann@a.test>\n", "From: x@b.test =?utf-8?q?,?= <ann@a.test>\n",
          "From: =?u?q?\"?= x@b.test, y =?u?q?\"?= <ann@a.test>\n", "From: <=?utf-8?q?x@b.test?=@a.test>\n"})
        EXPECT_FALSE(find_authors(header).malformed.empty()) << header;
}

TEST(DmarcAuthors, ASecondAtSignInAnEntryIsMalformed) {
    for (const char* header :
         {"From: x@b.test y@a.test\n", "From: x@b.test(c)y@a.test\n", "From: <x@b.test y@a.test>\n",
          "From: <@b.test:ann@a.test>\n", "From: <@b.test,@c.test:ann@a.test>\n"})
        EXPECT_FALSE(find_authors(header).malformed.empty()) << header;
}

TEST(DmarcAuthors, SeveralFieldsAreMalformedWhateverTheyName) {
    std::string header;
    for (int i = 0; i < 10; ++i) header += "From: x@a..test\n";
    for (const auto& each : {std::string("From: a@a.test\nFrom: a@a.test\n"), header}) {
        const auto authors = find_authors(each);
        ASSERT_FALSE(authors.malformed.empty());
        EXPECT_THAT(authors.malformed.front(), testing::HasSubstr("From fields"));
        EXPECT_LE(authors.malformed.size(), 5u);
    }
}

TEST(DmarcAuthors, NoDomainIsNoAuthorAndNoFault) {
    for (const char* header : {"", "Subject: x\n", "From:\n", "From: <>\n", "From: root\n", "From: nobody:;\n",
                               "From: ann@[192.0.2.1]\n", "X-From: a@a.test\n"}) {
        EXPECT_THAT(domains(header), IsEmpty()) << header;
        EXPECT_THAT(find_authors(header).malformed, IsEmpty()) << header;
    }
}

TEST(DmarcAuthors, DomainsBeyondAsciiAreALabels) {
    EXPECT_THAT(domains("From: ann@BÜCHER.test\n"), ElementsAre("xn--bcher-kva.test"));
    EXPECT_THAT(domains("From: ann@bücher。test\n"), ElementsAre("xn--bcher-kva.test"));
    EXPECT_THAT(domains("From: a@bücher.test, b@xn--bcher-kva.test\n"), ElementsAre("xn--bcher-kva.test"));
}

TEST(DmarcAuthors, ASingleLabelIsADomain) { EXPECT_THAT(domains("From: registry@bank\n"), ElementsAre("bank")); }

TEST(DmarcAuthors, AreBounded) {
    std::string header = "From: ";
    for (int i = 0; i < 30'000; ++i) header += "a@n" + std::to_string(i) + ".test, ";
    EXPECT_EQ(domains(header + "\n").size(), kMaxAuthorDomains);
    EXPECT_FALSE(find_authors(header + "\n").malformed.empty());
    EXPECT_THAT(domains("From: " + std::string(200'000, '(') + "a@a.test\n"), IsEmpty());
    EXPECT_LE(find_authors("From: " + std::string(100'000, '@') + "\n").malformed.size(), 5u);
}

}  // namespace
}  // namespace gk::mailauth::dmarc
