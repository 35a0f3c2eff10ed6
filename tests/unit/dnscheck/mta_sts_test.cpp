// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/dnscheck/fixture.hpp"

namespace gk::dnscheck {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const std::string kWeb = "mta-sts.a.test A 203.0.113.1\n", kRecord = "_mta-sts.a.test TXT v=STSv1; id=1;\n";
const std::string kPolicy = "version: STSv1\nmode: enforce\nmx: mx.a.test\nmax_age: 604800\n";

std::vector<std::string> found(const std::string& zone, const std::optional<std::string>& policy,
                               const std::optional<OwnPolicy>& own = std::nullopt) {
    Bed bed(kHealthy + zone);
    bed.ours.fetch_policy = [=](const std::string&, const std::vector<std::string>&) {
        return FetchedPolicy{policy.has_value(), policy.value_or("404")};
    };
    bed.ours.own_policy = [=](const std::vector<std::string>&) { return own; };
    bed.check();
    std::vector<std::string> out;
    for (const auto& id : bed.ids(Severity::Advice))
        if (id.starts_with("mta-sts")) out.push_back(id);
    return out;
}

TEST(DnsCheckMtaSts, JudgesRecordHostAndPolicy) {
    EXPECT_THAT(found(kWeb + kRecord, kPolicy), IsEmpty());
    EXPECT_THAT(found(kWeb + kRecord, kPolicy + "mx: *.b.test\n"), IsEmpty());
    EXPECT_THAT(found(kWeb, kPolicy), ElementsAre("mta-sts-missing"));
    EXPECT_THAT(found("", std::nullopt), ElementsAre("mta-sts-none"));
    EXPECT_THAT(found(kRecord, kPolicy), ElementsAre("mta-sts-host"));
    EXPECT_THAT(found(kWeb + kRecord, std::nullopt), ElementsAre("mta-sts-policy"));
    EXPECT_THAT(found(kWeb + kRecord, "version: STSv1\n"), ElementsAre("mta-sts-policy-syntax"));
    EXPECT_THAT(found(kWeb + kRecord, "version: STSv1\nmode: enforce\nmx: *.mx.a.test\nmax_age: 604800\n"),
                ElementsAre("mta-sts-mx"));
    EXPECT_THAT(found(kWeb + kRecord, "version: STSv1\nmode: none\nmax_age: 86400\n"), ElementsAre("mta-sts-mode"));
    EXPECT_THAT(found(kWeb + kRecord + "_mta-sts.a.test TXT v=STSv1; id=2;\n", kPolicy),
                ElementsAre("mta-sts-multiple"));
    EXPECT_THAT(found(kWeb + "_mta-sts.a.test TXT v=STSv1 id=2\n", kPolicy), ElementsAre("mta-sts-syntax"));
}

TEST(DnsCheckMtaSts, AnnouncesThePolicyThatIsConfigured) {
    const OwnPolicy own{"v=STSv1; id=2;", kPolicy};
    EXPECT_THAT(found(kWeb + kRecord, kPolicy, own), ElementsAre("mta-sts-id"));
    EXPECT_THAT(found(kWeb + "_mta-sts.a.test TXT v=STSv1; id=2;\n", kPolicy, own), IsEmpty());
    EXPECT_THAT(found(kWeb, std::nullopt, own), ElementsAre("mta-sts-missing", "mta-sts-policy"));
}

}  // namespace
}  // namespace gk::dnscheck
