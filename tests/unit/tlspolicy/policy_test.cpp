// SPDX-License-Identifier: MIT
#include "common/tlspolicy/sts_policy.hpp"

#include <gmock/gmock.h>

#include "common/config/config.hpp"
#include "common/tlspolicy/level.hpp"
#include "common/tlspolicy/planner.hpp"
#include "common/tlspolicy/publish.hpp"

using namespace gk;
using namespace gk::tlspolicy;
using testing::HasSubstr;

namespace {

std::string record_id(std::vector<std::string> records) {
    const auto id = parse_sts_record(records);
    return id ? *id : id.error().code == Errc::NotFound ? "none" : "bad";
}

constexpr std::string_view kPolicy =
    "version: STSv1\nmode: enforce\nmx: mail.example.com\nmx: *.example.net\n"
    "mx: backupmx.example.com\nmax_age: 604800\n";

}  // namespace

TEST(StsRecord, IsReadAsRfc8461Says) {
    EXPECT_EQ(record_id({"v=STSv1; id=20160831085700Z;"}), "20160831085700Z");  // RFC 8461, 3.1
    EXPECT_EQ(record_id({"v=STSv1;id=1"}), "1");
    EXPECT_EQ(record_id({"v=STSv1 ; id=1 ; a-b.c=x:y ;"}), "1");
    EXPECT_EQ(record_id({"v=spf1 -all", "v=STSv1; id=1", "v=STSv2; id=2"}), "1");
}

TEST(StsRecord, MalformedOnesMeanNoPolicy) {
    for (const char* bad : {"v=STSv1; id=", "v=STSv1; id=a b", "v=STSv1; id=a-b", "v=STSv1; id=1; id=2",
                            "v=STSv1; ; id=1", "v=STSv1; novalue; id=1", "v=STSv1; x=1", "v=STSv1;",
                            "v=STSv1; id=123456789012345678901234567890123", "v=STSv1; _x=1; id=1"})
        EXPECT_EQ(record_id({bad}), "bad") << bad;
    EXPECT_EQ(record_id({"v=STSv1; id=1", "v=STSv1; id=1"}), "bad");
    EXPECT_EQ(record_id({}), "none");
    EXPECT_EQ(record_id({"v=STSv1 id=1", "V=STSv1; id=1", " v=STSv10; id=1"}), "none");
}

TEST(StsPolicy, IsReadAsRfc8461Says) {
    const auto policy = parse_sts_policy(kPolicy);  // RFC 8461, 3.2
    ASSERT_TRUE(policy) << policy.error().text;
    EXPECT_EQ(policy->mode, StsMode::Enforce);
    EXPECT_EQ(policy->max_age_s, 604800);
    EXPECT_EQ(policy->mx.size(), 3u);
    const auto written = parse_sts_policy(format_sts_policy(*policy));
    ASSERT_TRUE(written);
    EXPECT_EQ(written->mx, policy->mx);
}

TEST(StsPolicy, LineEndsBlanksExtensionsAndRepetitionsAreTaken) {
    const auto policy = parse_sts_policy(
        "version:STSv1\r\nmode: \ttesting  \r\nfuture-key: anything; at all\r\nmode: enforce\r\nmax_age: 1\r\n"
        "max_age: 2\r\nmx: MX.a.test\r\n\r\n");
    ASSERT_TRUE(policy) << policy.error().text;
    EXPECT_EQ(policy->mode, StsMode::Testing);
    EXPECT_EQ(policy->max_age_s, 1);
    EXPECT_EQ(policy->mx, (std::vector<std::string>{"mx.a.test"}));
}

TEST(StsPolicy, SaysWhichLineIsWrong) {
    const std::pair<const char*, const char*> cases[] = {
        {"version: STSv2\n", "line 1"},
        {"version: STSv1\nmode: enforced\n", "line 2"},
        {"version: STSv1\nmode: none\nmax_age: soon\n", "line 3"},
        {"version: STSv1\nmode: none\nmax_age: 12345678901\n", "line 3"},
        {"version: STSv1\nmx: *.*.a.test\n", "line 2"},
        {"version: STSv1\nmx: mx*.a.test\n", "line 2"},
        {"version: STSv1\nmx: a..test\n", "line 2"},
        {"<html>\n", "line 1"},
        {"mode: enforce\nmax_age: 1\nmx: a.test\n", "no version"},
        {"version: STSv1\nmax_age: 1\nmx: a.test\n", "no mode"},
        {"version: STSv1\nmode: enforce\nmx: a.test\n", "no max_age"},
        {"version: STSv1\nmode: enforce\nmax_age: 1\n", "no mx"},
        {"", "no version"},
    };
    for (const auto& [text, why] : cases) {
        const auto policy = parse_sts_policy(text);
        ASSERT_FALSE(policy) << text;
        EXPECT_THAT(policy.error().text, HasSubstr(why)) << text;
    }
}

TEST(StsPolicy, HasBounds) {
    EXPECT_FALSE(parse_sts_policy(std::string(kMostPolicyBytes + 1, 'x')));
    EXPECT_EQ(parse_sts_policy("version: STSv1\nmode: none\nmax_age: 9999999999\n")->max_age_s, kMostMaxAge_s);
}

TEST(StsPolicy, AStarIsOneLabel) {
    const auto policy = parse_sts_policy(kPolicy).value();
    EXPECT_TRUE(is_mx_allowed(policy, "mail.example.com"));
    EXPECT_TRUE(is_mx_allowed(policy, "MAIL.example.com."));
    EXPECT_TRUE(is_mx_allowed(policy, "a.example.net"));
    EXPECT_FALSE(is_mx_allowed(policy, "a.b.example.net"));
    EXPECT_FALSE(is_mx_allowed(policy, "example.net"));
    EXPECT_FALSE(is_mx_allowed(policy, ".example.net"));
    EXPECT_FALSE(is_mx_allowed(policy, "example.com"));
    EXPECT_FALSE(is_mx_allowed(policy, ""));
}

TEST(TlsLevels, ADomainsOwnComesBeforeItsParentsAndTheDefault) {
    const auto levels = Levels::create("encrypt", {{"b.test", "dane"}, {".b.test", "secure"}, {"C.test", "never"}});
    ASSERT_TRUE(levels);
    EXPECT_EQ(levels->find("b.test"), Level::Dane);
    EXPECT_EQ(levels->find("x.b.test"), Level::Secure);
    EXPECT_EQ(levels->find("c.test"), Level::Never);
    EXPECT_EQ(levels->find("d.test"), Level::Encrypt);
    const auto wrong = Levels::create("opportunistic", {{"b.test", "always"}});
    ASSERT_FALSE(wrong);
    EXPECT_THAT(wrong.error().text, HasSubstr("b.test"));
}

TEST(StsPublish, TheIdChangesWithThePolicyAlone) {
    const auto config = config::Config::parse("[mta_sts]\nmode = \"enforce\"\nmax_age = \"2d\"\n").value();
    const auto one = own_sts(config, {"mx2.a.test", "mx1.a.test"}),
               same = own_sts(config, {"mx1.a.test", "mx2.a.test"}), other = own_sts(config, {"mx1.a.test"});
    ASSERT_TRUE(one && same && other);
    EXPECT_EQ(one->id, same->id);
    EXPECT_NE(one->id, other->id);
    EXPECT_EQ(one->text, "version: STSv1\r\nmode: enforce\r\nmx: mx1.a.test\r\nmx: mx2.a.test\r\nmax_age: 172800\r\n");
    EXPECT_EQ(parse_sts_record({one->record}).value_or(""), one->id);
    EXPECT_FALSE(own_sts(config::Config::parse("").value(), {"mx1.a.test"}));
}

TEST(TlsPolicySettings, DemandACertificateOfAHostThatGetsAPassword) {
    const auto level = [](std::string_view toml, std::string_view host) {
        const auto config = gk::config::Config::parse(toml);
        return level_name(Settings::from(config.value()).value().levels.find(host));
    };
    constexpr std::string_view login =
        "[queue.credentials]\n\"Smart.test\" = \"/run/login\"\n\"127.0.0.1\" = \"/run/login\"\n";
    EXPECT_EQ(level(login, "smart.test"), "verify");
    EXPECT_EQ(level(login, "other.test"), "opportunistic");
    EXPECT_EQ(level(login, "127.0.0.1"), "opportunistic");
    std::string own(login);
    own += "[queue.tls_policy]\n\"smart.test\" = \"encrypt\"\n";
    EXPECT_EQ(level(own, "smart.test"), "encrypt");
    std::string strict = "[queue]\ntls = \"dane\"\n";
    strict += login;
    EXPECT_EQ(level(strict, "smart.test"), "dane");
}
