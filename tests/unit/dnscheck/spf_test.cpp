// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/dnscheck/fixture.hpp"

namespace gk::dnscheck {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// What is found in a policy, and what it is mended to.
std::pair<std::vector<std::string>, std::string> mended(const std::string& policy, const std::string& more = "") {
    Bed bed(kWithoutSpf + "a.test TXT " + policy + "\n" + more);
    bed.check();
    return {bed.ids(), bed.report.findings.empty() || bed.ids().empty() ? "" : bed.wanted(bed.ids().back())};
}

TEST(DnsCheckSpf, KeepsWhatIsRightInAPolicyThatItMends) {
    using P = std::pair<std::vector<std::string>, std::string>;
    EXPECT_EQ(mended("v=spf1 mx ip4:1.2.3 ip4:198.51.100.1 -all"),
              (P{{"spf-syntax"}, "v=spf1 mx ip4:198.51.100.1 -all"}));
    EXPECT_EQ(mended("v=spf1 -all mx"), (P{{"spf-after-all"}, "v=spf1 mx -all"}));
    EXPECT_EQ(mended("v=spf1 ptr mx ~all"), (P{{"spf-ptr"}, "v=spf1 mx ~all"}));
    EXPECT_EQ(mended("v=spf1 ip4:198.51.100.1 -all"),
              (P{{"spf-not-ours"}, "v=spf1 ip4:192.0.2.1 ip4:198.51.100.1 -all"}));
    EXPECT_EQ(mended("v=spf1 -mx -all"), (P{{"spf-not-ours"}, "v=spf1 ip4:192.0.2.1 -mx -all"}));
    EXPECT_EQ(mended("v=spf1 mx redirect=b.test redirect=c.test", "b.test TXT v=spf1 -all\n"),
              (P{{"spf-syntax"}, "v=spf1 mx redirect=b.test"}));
    EXPECT_EQ(mended("v=spf1 mx redirect=none.test"), (P{{"spf-include"}, "v=spf1 mx -all"}));
}

TEST(DnsCheckSpf, SaysAllThatIsWrongWithOnePolicyAndMendsItOnce) {
    Bed bed(kWithoutSpf + "a.test TXT v=spf1 ptr ip4:x include:none.test +all\n");
    EXPECT_THAT(bed.check().ids(), ElementsAre("spf-syntax", "spf-ptr", "spf-plus-all", "spf-include", "spf-not-ours"));
    const auto changes = bed.report.changes();
    ASSERT_EQ(std::count_if(changes.begin(), changes.end(),
                            [](const Change& c) { return c.op == Change::Op::Add && c.record.type == dns::Type::Txt; }),
              1);
    EXPECT_EQ(bed.wanted("spf-syntax"), "v=spf1 ip4:192.0.2.1 -all");
}

TEST(DnsCheckSpf, PutsAddressesInPlaceOfIncludesUntilTenLookupsAreEnough) {
    std::string more;
    for (const char c : std::string("bcdefg"))
        more += fmt::format("{0}.test TXT v=spf1 a:m.{0}.test ip4:198.51.100.{1} -all\nm.{0}.test A 203.0.113.{1}\n", c,
                            int{c});
    const auto [ids, record] = mended(
        "v=spf1 mx include:b.test include:c.test include:d.test include:e.test include:f.test include:g.test -all",
        more);
    EXPECT_THAT(ids, ElementsAre("spf-lookups"));
    EXPECT_THAT(record, testing::HasSubstr("ip4:203.0.113.103 ip4:198.51.100.103"));
    EXPECT_THAT(mended(record, more).first, IsEmpty());
}

TEST(DnsCheckSpf, DoesNotPutAddressesInPlaceOfWhatIsMoreThanAddresses) {
    std::string includes, more;
    for (int i = 0; i < 12; ++i) {
        includes += " include:i" + std::to_string(i) + ".test";
        more += "i" + std::to_string(i) + ".test TXT v=spf1 exists:%{i}.x.test -all\n";
    }
    const auto [ids, record] = mended("v=spf1 mx" + includes + " -all", more);
    EXPECT_THAT(ids, ElementsAre("spf-lookups"));
    EXPECT_EQ(record, "");
}

TEST(DnsCheckSpf, OfSeveralKeepsTheOneThatServesBest) {
    Bed bed(kWithoutSpf + "a.test TXT v=spf1 +all\na.test TXT v=spf1 mx ~all\na.test TXT v=spf1 -all\n");
    EXPECT_THAT(bed.check().ids(), ElementsAre("spf-multiple"));
    EXPECT_EQ(bed.find("spf-multiple")->should, "v=spf1 mx ~all");
}

TEST(DnsCheckSpf, CannotTellWhereAnIncludeIsNotAnswered) {
    Bed bed(kWithoutSpf + "a.test TXT v=spf1 mx include:down.test -all\ndown.test TXT TEMPFAIL\n");
    EXPECT_THAT(bed.check().ids(), IsEmpty());
    EXPECT_FALSE(bed.report.unknown.empty());
}

}  // namespace
}  // namespace gk::dnscheck
