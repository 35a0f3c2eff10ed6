// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "common/dnscheck/update.hpp"
#include "tests/unit/dnscheck/fixture.hpp"

namespace gk::dnscheck {
namespace {

// DNS of an enemy: whatever is asked for, there is plenty of it.
class Enemy : public Source {
public:
    Answer ask(std::string_view name, dns::Type type) override {
        ++asked;
        Answer answer;
        answer.canonical = name;
        answer.state = Answer::State::Found;
        if (type == dns::Type::Txt) {
            std::string includes = "v=spf1";
            for (int i = 0; i < 60; ++i)
                includes += " include:x" + std::to_string(i) + "." + std::string(name.substr(0, 150));
            answer.data = {includes + " -all", std::string(60'000, 'x'), "v=spf1 " + std::string(60'000, '"')};
        } else if (type == dns::Type::Mx) {
            for (int i = 0; i < 1000; ++i)
                answer.data.push_back(std::to_string(i) + " h" + std::to_string(i) + ".e.test.");
        } else if (type == dns::Type::Cname) {
            answer.data = {"x." + std::string(name.substr(0, 200)) + "."};
        } else if (type == dns::Type::A) {
            for (int i = 0; i < 250; ++i) answer.data.push_back("192.0.2." + std::to_string(i));
        } else if (type == dns::Type::Dnskey) {
            for (int i = 0; i < 500; ++i) answer.data.push_back("257 3 13 " + std::string(20'000, 'A'));
        } else if (type == dns::Type::Ds) {
            for (int i = 0; i < 500; ++i) answer.data.push_back("0 13 2 00");
        } else if (type == dns::Type::Soa) {
            answer.data = {"ns. root. 1 1 1 1 1"};
        } else {
            answer.data = {"0 0 0 x\\010\\;evil."};
        }
        return answer;
    }
    unsigned asked = 0;
};

TEST(DnsCheckHostile, EndsInBoundedTimeAndQuestions) {
    Enemy enemy;
    Lookups dns(enemy);
    Ours ours;
    ours.host = "mx.a.test";
    ours.ips = {"203.0.113.1"};
    ours.ips_said = true;
    ours.keys = [](const std::string&) -> Result<std::vector<DkimKey>> {
        return std::vector<DkimKey>{
            {"k", mailauth::dkim::KeyState::Active, mailauth::Algorithm::RsaSha256, 2048, "p=QUJD"}};
    };
    Report report;
    const auto begin = std::chrono::steady_clock::now();
    check_host(ours, dns, report);
    check_domain("e.test", Mail::Expected, ours, dns, report);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
    EXPECT_LE(enemy.asked, 3000u);
    EXPECT_TRUE(report.any(Severity::Error));
    for (const auto& finding : report.findings) EXPECT_LT(finding.is.size(), 8000u) << finding.kind->id;
}

TEST(DnsCheckHostile, AsksNothingMoreWhenTheQuestionsAreUsedUp) {
    Enemy enemy;
    Lookups dns(enemy, {.questions = 3, .time = std::chrono::seconds(5)});
    for (int i = 0; i < 10; ++i) (void)dns.ask("x" + std::to_string(i) + ".test", dns::Type::A);
    EXPECT_EQ(enemy.asked, 3u);
    EXPECT_TRUE(dns.ask("y.test", dns::Type::A).failed());
}

TEST(DnsCheckHostile, AliasesInACircleEnd) {
    Bed bed(kHealthy + "autoconfig.a.test CNAME b.test\nb.test CNAME autoconfig.a.test\n");
    EXPECT_THAT(bed.check().ids(), testing::ElementsAre("autoconfig-dangling"));
    TableSource source(bed.table);
    Lookups dns(source);
    dns.apply({Change::Op::Add, {"x.test", dns::Type::Cname, "y.test."}});
    dns.apply({Change::Op::Add, {"y.test", dns::Type::Cname, "x.test."}});
    EXPECT_FALSE(dns.ask("x.test", dns::Type::A).found());
}

TEST(DnsCheckHostile, WhatStandsInDnsCannotAddLinesToAnUpdate) {
    const ZoneChanges zone{
        "a.test",
        "ns.a.test",
        {{Change::Op::Delete, {"a.test", dns::Type::Txt, "x\"\nupdate add evil.a.test 1 A 192.0.2.6\n"}},
         {Change::Op::Delete, {"a.test", dns::Type::Mx, "10 a;b\"c\\010.a.test."}}}};
    const auto script = update_script(zone, "192.0.2.53", 53, nullptr);
    EXPECT_EQ(std::count(script.begin(), script.end(), '\n'), 6) << script;
    EXPECT_THAT(script, testing::HasSubstr("MX 10 a\\;b\\\"c\\010.a.test.\n"));
    EXPECT_THAT(script, testing::HasSubstr("TXT \"x\\\"\\010update"));
}

}  // namespace
}  // namespace gk::dnscheck
