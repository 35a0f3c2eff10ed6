// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/mailauth/dmarc/configure.hpp"
#include "common/mailauth/dmarc/consent.hpp"
#include "common/mailauth/dmarc/observe.hpp"
#include "common/mailauth/dmarc/survey.hpp"
#include "tests/unit/mailauth/dmarc_fixture.hpp"

namespace gk::mailauth::dmarc {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using State = Consent::State;

Consent ask(std::string_view zone, const std::string& policy_domain, std::string_view uri) {
    auto dns = DnsTable::parse(zone).value();
    Records records(dns, 40);
    return find_consent(policy_domain, parse_report_uri(uri).value(), dns, records, nullptr);
}

TEST(DmarcConsent, AnAddressOfTheSameOrganizationNeedsNone) {
    const std::string_view zone = "_dmarc.a.test TXT v=DMARC1; p=none\n";
    EXPECT_EQ(ask(zone, "a.test", "mailto:r@a.test").state, State::Inside);
    EXPECT_EQ(ask(zone, "a.test", "mailto:r@reports.a.test").state, State::Inside);
    EXPECT_EQ(ask(zone, "x.a.test", "mailto:r@a.test").state, State::Inside);
    EXPECT_EQ(ask("_dmarc.a.test TXT v=DMARC1; p=none\n_dmarc.own.a.test TXT v=DMARC1; p=none; psd=n\n", "a.test",
                  "mailto:r@own.a.test")
                  .state,
              State::Refused);
}

// RFC 9989, B.2.3, and RFC 9990, 4.
TEST(DmarcConsent, AnotherDomainHasToGiveItUnderTheNameOfThePolicyDomain) {
    const std::string_view zone =
        "_dmarc.example.com TXT v=DMARC1; p=none\nexample.com._report._dmarc.thirdparty.example.net TXT v=DMARC1;\n";
    const auto given = ask(zone, "example.com", "mailto:r@thirdparty.example.net");
    EXPECT_EQ(given.state, State::Given);
    EXPECT_EQ(given.asked, "example.com._report._dmarc.thirdparty.example.net");
    EXPECT_THAT(given.instead, IsEmpty());
    EXPECT_EQ(ask(zone, "other.com", "mailto:r@thirdparty.example.net").state, State::Refused);
    EXPECT_EQ(ask("example.com._report._dmarc.b.test TXT yes please\n", "example.com", "mailto:r@b.test").state,
              State::Refused);
    EXPECT_EQ(ask("example.com._report._dmarc.b.test TEMPFAIL\n", "example.com", "mailto:r@b.test").state,
              State::TempError);
}

TEST(DmarcConsent, MayNameAnotherAddressAtTheSameHostOnly) {
    const auto consent =
        ask("a.test._report._dmarc.b.test TXT v=DMARC1; rua=mailto:new@b.test,mailto:victim@c.test,https://b.test/\n",
            "a.test", "mailto:old@b.test");
    ASSERT_EQ(consent.instead.size(), 1u);
    EXPECT_EQ(consent.instead[0].address, "new@b.test");
    EXPECT_EQ(
        ask("a.test._report._dmarc.b.test TXT v=DMARC1; rua=mailto:victim@c.test\n", "a.test", "mailto:old@b.test")
            .state,
        State::Refused);
}

TEST(DmarcConsent, ANameTooLongToBeAskedForIsRefused) {
    const std::string label(60, 'a');
    EXPECT_EQ(ask("", label + "." + label + ".test", "mailto:r@" + label + "." + label + ".net").state, State::Refused);
}

TEST(DmarcObserve, HoldsWhatAReportSays) {
    const std::string zone =
        "_dmarc.a.test TXT v=DMARC1; p=reject; sp=none; t=y; adkim=s; fo=1; rua=mailto:r@a.test!10m\nx.a.test A "
        "192.0.2.1\n";
    auto c = from("a.test").spf("b.test").dkim("c.test").dkim("a.test", dkim::Verdict::Fail);
    c.facts.ip = Ip::parse("::ffff:192.0.2.7");
    const auto seen = observe(c.facts, judge(zone, c));
    ASSERT_TRUE(seen);
    EXPECT_EQ(seen->source_ip, "192.0.2.7");
    EXPECT_EQ(seen->header_from, "a.test");
    EXPECT_EQ(seen->policy_domain, "a.test");
    EXPECT_EQ(seen->p + seen->sp + seen->np + seen->adkim + seen->aspf + seen->t + seen->fo, "rejectnonesy1");
    EXPECT_EQ(seen->disposition, "quarantine");
    EXPECT_EQ(seen->reasons[0].type, "policy_test_mode");
    EXPECT_EQ(seen->discovery_method, "treewalk");
    EXPECT_FALSE(seen->dkim_aligned || seen->spf_aligned);
    ASSERT_EQ(seen->dkim.size(), 2u);
    EXPECT_EQ(seen->dkim[1].result, "fail");
    EXPECT_EQ(seen->spf->domain, "b.test");
    EXPECT_THAT(seen->rua, ElementsAre("mailto:r@a.test!10m"));
}

TEST(DmarcObserve, ASignatureThatCountsComesFirst) {
    auto c = from("x.a.test").dkim("b.test").dkim("a.test");
    c.facts.ip = Ip::parse("192.0.2.7");
    const auto seen = observe(c.facts, judge("_dmarc.a.test TXT v=DMARC1; p=none; rua=mailto:r@a.test\n", c));
    ASSERT_TRUE(seen);
    EXPECT_EQ(seen->dkim[0].domain, "a.test");
    EXPECT_EQ(seen->disposition, "pass");
    EXPECT_EQ(seen->organizational_domain, "a.test");
    EXPECT_TRUE(seen->dkim_aligned);
    EXPECT_FALSE(observe(c.facts, judge("", c)));
}

Survey look(std::string_view domain, std::string_view zone) {
    auto dns = DnsTable::parse(zone).value();
    return survey(domain, dns, {});
}

TEST(DmarcSurvey, ShowsEveryStepAndThePolicy) {
    const auto shown = look(
        "X.a.test", "_dmarc.a.test TXT v=DMARC1; p=reject; np=quarantine; rua=mailto:r@a.test\nx.a.test A 192.0.2.1\n");
    EXPECT_THAT(shown.problems, IsEmpty());
    EXPECT_EQ(shown.queries, 3u);
    ASSERT_EQ(shown.lines.size(), 6u);
    EXPECT_EQ(shown.lines[0].name, "_dmarc.x.a.test");
    EXPECT_EQ(shown.lines[0].note, "no record");
    EXPECT_EQ(shown.lines[1].note, "applies; the organization");
    EXPECT_EQ(shown.lines[3].what, "policy");
    EXPECT_EQ(shown.lines[3].value, "reject");
    EXPECT_EQ(shown.lines[5].value, "inside");
    EXPECT_EQ(look("gone.a.test", "_dmarc.a.test TXT v=DMARC1; p=reject; np=quarantine; rua=mailto:r@a.test\n")
                  .lines[3]
                  .value,
              "quarantine");
}

TEST(DmarcSurvey, NamesWhatIsWrong) {
    const auto problems = [](std::string_view zone) { return look("a.test", zone).problems; };
    EXPECT_THAT(problems(""), ElementsAre(HasSubstr("no DMARC record applies")));
    EXPECT_THAT(problems("_dmarc.a.test TXT v=DMARC1 p=none\n"), Contains(HasSubstr("has to begin with 'v=DMARC1;'")));
    EXPECT_THAT(problems("_dmarc.a.test TXT v=DMARC1; p=none\n_dmarc.a.test TXT v=DMARC1; p=none\n"),
                Contains(HasSubstr("2 records")));
    EXPECT_THAT(problems("_dmarc.a.test TXT v=DMARC1; p=rejct\n"), Contains(HasSubstr("p=rejct")));
    EXPECT_THAT(problems("_dmarc.a.test TXT v=DMARC1; p=none\n"), ElementsAre(HasSubstr("asks for nothing")));
    EXPECT_THAT(problems("_dmarc.a.test TXT v=DMARC1; p=none; rua=mailto:r@b.test\n"),
                ElementsAre(HasSubstr("no report goes to")));
    EXPECT_THAT(problems("_dmarc.a.test TXT v=DMARC1; p=reject; sp=none\n_dmarc.test TXT v=DMARC1; p=none; "
                         "rua=mailto:r@test.test\n"),
                Contains(HasSubstr("sp and np count only")));
    EXPECT_TRUE(look("a.test", "_dmarc.a.test TEMPFAIL\n").temporary);
    EXPECT_THAT(look("a..test", "").problems, ElementsAre(HasSubstr("not a domain name")));
    const auto old = look("a.test", "_dmarc.a.test TXT v=DMARC1; p=reject; pct=50\n");
    EXPECT_THAT(old.problems, IsEmpty());
    EXPECT_THAT(old.remarks, ElementsAre(HasSubstr("pct")));
}

TEST(DmarcConfigure, ReadsTheSettings) {
    const auto configured = Configured::load(
        config::Config::parse("[dmarc]\nexempt_domains = [\"Bücher.test\"]\nmost_severe = \"quarantine\"\n"
                              "trusted_forwarders = [\"192.0.2.0/24\", \"2001:db8::1\", \"lists.test\"]\n"
                              "public_suffix_fallback = false\nhonour_pct = false\n")
            .value());
    ASSERT_TRUE(configured) << configured.error().text;
    const Options& options = configured->options();
    EXPECT_THAT(options.exempt_domains, ElementsAre("xn--bcher-kva.test"));
    EXPECT_EQ(options.most_severe, Policy::Quarantine);
    ASSERT_EQ(options.forwarder_networks.size(), 2u);
    EXPECT_EQ(options.forwarder_networks[0].prefix, 24u);
    EXPECT_EQ(options.forwarder_networks[1].prefix, 128u);
    EXPECT_THAT(options.forwarder_domains, ElementsAre("lists.test"));
    EXPECT_FALSE(options.honour_pct);
    EXPECT_EQ(options.suffixes, nullptr);
    EXPECT_NE(Configured::load(config::Config::parse("").value())->options().suffixes, nullptr);
}

TEST(DmarcConfigure, RefusesWhatMeansNothing) {
    for (const char* toml : {"exempt_domains = [\"a..b\"]", "trusted_forwarders = [\"192.0.2.0/33\"]",
                             "trusted_forwarders = [\"localhost\"]", "public_suffix_list = \"/nonexistent\""})
        EXPECT_EQ(Configured::load(config::Config::parse("[dmarc]\n" + std::string(toml) + "\n").value()).error().code,
                  Errc::Config)
            << toml;
}

}  // namespace
}  // namespace gk::mailauth::dmarc
