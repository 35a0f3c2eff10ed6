// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/text.hpp"
#include "common/mailauth/spf/check.hpp"
#include "common/mailauth/spf/record.hpp"
#include "tests/unit/mailauth/spf_suite.hpp"

namespace gk::mailauth::spf {
namespace {

Facts facts_of(const SuiteCase& each) {
    const auto ip = Ip::parse(each.ip);
    EXPECT_TRUE(ip) << each.ip;
    return {.ip = ip.value_or(Ip()),
            .helo = each.helo,
            .mail_from = each.mail_from,
            .receiver = "unknown",
            .now_s = 1'700'000'000};
}

void expect_answer(const SuiteCase& each) {
    const auto checked = check_mail_from(facts_of(each), *each.zone);
    EXPECT_THAT(each.results, testing::Contains(std::string(verdict_name(checked.verdict)))) << checked.reason;
    EXPECT_FALSE(checked.reason.empty());
    if (each.explanation.empty()) return;
    EXPECT_EQ(checked.explanation, each.explanation == "DEFAULT" ? "" : each.explanation);
}

// Names of tests are letters, digits and underscores.
std::string test_name(const testing::TestParamInfo<SuiteCase>& info) {
    std::string name;
    for (const char c : info.param.name) name += text::is_alpha(c) || text::is_digit(c) ? c : '_';
    return name;
}

class SpfOwnCase : public testing::TestWithParam<SuiteCase> {};
TEST_P(SpfOwnCase, IsAnswered) { expect_answer(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Rfc7208, SpfOwnCase, testing::ValuesIn(own_cases()), test_name);

class SpfPublicSuite : public testing::TestWithParam<SuiteCase> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(SpfPublicSuite);
TEST_P(SpfPublicSuite, IsAnswered) { expect_answer(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Rfc7208, SpfPublicSuite, testing::ValuesIn(public_cases()), test_name);

TEST(SpfSuite, PublicSuiteIsReadWhole) {
    const auto cases = public_cases();
    if (cases.empty()) GTEST_SKIP() << "the public suite is not here: name rfc7208-tests.yml in GK_SPF_SUITE";
    EXPECT_GE(cases.size(), 200u);
    for (const auto& each : cases) EXPECT_FALSE(each.results.empty() || each.ip.empty()) << each.name;
}

}  // namespace
}  // namespace gk::mailauth::spf
