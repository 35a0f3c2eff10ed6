// SPDX-License-Identifier: MIT
#include <cstdlib>
#include <map>
#include <random>

#include "common/base/text.hpp"
#include "common/os/file.hpp"
#include "common/queue/admission.hpp"
#include "common/queue/connector.hpp"
#include "common/queue/dsn.hpp"
#include "common/queue/dsn_words.hpp"
#include "common/queue/index.hpp"
#include "common/queue/reachability.hpp"
#include "common/queue/routes.hpp"
#include "common/queue/schedule.hpp"
#include "common/queue/settings.hpp"
#include "common/queue/stats.hpp"
#include "common/queue/turns.hpp"

namespace gk::queue {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Schedule, DoublesUpToItsBoundWithJitter) {
    const Schedule s{seconds(60), seconds(3600)};
    const int wanted[] = {60, 120, 240, 480, 960, 1920, 3600, 3600};
    for (unsigned attempt = 1; attempt <= 8; ++attempt)
        for (const std::uint64_t random : {std::uint64_t{0}, std::uint64_t{17}, UINT64_MAX}) {
            const auto wait = s.wait(attempt, random).count();
            EXPECT_GE(wait, wanted[attempt - 1] * 3 / 4) << attempt;
            EXPECT_LE(wait, wanted[attempt - 1] * 5 / 4) << attempt;
        }
    EXPECT_GE(s.wait(4'000'000'000u, 0).count(), 2700);
    EXPECT_GE((Schedule{seconds(0), seconds(0)}.wait(3, 1).count()), 1);
}

TEST(Schedule, AsksTheReplyHowLongToWait) {
    EXPECT_EQ(retry_class("450 4.2.0 greylisted, see RFC 6647", "4.2.0", true), RetryClass::Greylisted);
    EXPECT_EQ(retry_class("451 4.7.1 try again", "4.7.1", true), RetryClass::Greylisted);
    EXPECT_EQ(retry_class("452 4.2.2 over quota", "4.2.2", true), RetryClass::Full);
    EXPECT_EQ(retry_class("421 4.3.2 closing", "4.3.2", true), RetryClass::Throttled);
    EXPECT_EQ(retry_class("450 4.7.28 Our rate limit for you", "4.7.28", true), RetryClass::Throttled);
    EXPECT_EQ(retry_class("451 4.3.0 disk full", "4.3.0", true), RetryClass::Any);
    EXPECT_EQ(retry_class("connection refused", "4.4.1", false), RetryClass::Unreachable);
    Schedule s;
    ASSERT_TRUE(s.read({{"full", "30m 4h"}, {"b.test", "10s 10s"}, {".b.test", "20s"}}));
    EXPECT_GE(s.wait(1, 0, RetryClass::Full).count(), 1800 * 3 / 4);
    EXPECT_GE(s.wait(9, 0, RetryClass::Full).count(), 4 * 3600 * 3 / 4);
    EXPECT_LE(s.wait(9, 17, RetryClass::Full, "b.test").count(), 13);
    EXPECT_GE(s.wait(9, 0, RetryClass::Any, "x.b.test").count(), 15);
    EXPECT_GE(s.longest(), std::chrono::hours(5));
    for (const char* bad : {"", "1s 2s 3s", "2m 1m", "0s", "8d", "soon"})
        EXPECT_FALSE(s.read({{"b.test", bad}})) << bad;
    EXPECT_FALSE(s.read({{"fuul", "1m"}}));
}

TEST(Limits, ADomainMayHaveItsOwn) {
    Limits limits;
    limits.usual = {20, 600};
    ASSERT_TRUE(limits.read({{"b.test", "connections=2 rate=60"}, {".c.test", "rate=0"}}));
    EXPECT_EQ(limits.of("b.test").connections, 2u);
    EXPECT_EQ(limits.of("b.test").messages_a_minute, 60u);
    EXPECT_EQ(limits.of("x.c.test").connections, 20u);
    EXPECT_EQ(limits.of("x.c.test").messages_a_minute, 0u);
    EXPECT_EQ(limits.of("c.test").messages_a_minute, 600u);
    for (const char* bad : {"connections=0", "connections", "rate=-1", "speed=1", "connections=2,rate=1"})
        EXPECT_FALSE(limits.read({{"b.test", bad}})) << bad;
}

TEST(Turns, ThousandsOfOneDoNotHoldUpAnothersOne) {
    Turns<int> turns;
    for (int i = 0; i < 1000; ++i) turns.push("ann", i);
    turns.push("bob", -1);
    EXPECT_EQ(turns.pop(), 0);
    EXPECT_EQ(turns.pop(), -1);
    turns.put_back("bob", -2);
    EXPECT_EQ(turns.pop(), -2);
    for (int i = 1; i < 1000; ++i) EXPECT_EQ(turns.pop(), i);
    EXPECT_TRUE(turns.empty());
}

TEST(Admission, NoDestinationTakesAllThereIs) {
    using Answer = Admission::Answer;
    Admission admission(2000);
    const auto fill = [&](const std::string& domain, const std::string& sender, std::size_t most) {
        for (std::size_t n = 0; n < most; ++n) {
            Admission::Ticket ticket{{domain}, sender};
            if (admission.ask(ticket) != Answer::Enter) return n;
            admission.enter(ticket);
        }
        return most;
    };
    EXPECT_EQ(fill("unknown.test", "ann", 5000), 40u);
    EXPECT_EQ(admission.ask({{"unknown.test"}, "ann"}), Answer::OnDisk);
    EXPECT_TRUE(admission.succeeded("good.test", false));
    EXPECT_FALSE(admission.succeeded("good.test", false));
    EXPECT_EQ(fill("good.test", "ann", 5000), 930u);
    EXPECT_EQ(admission.ask({{"good.test"}, "ann"}), Answer::Later);
    EXPECT_EQ(admission.ask({{"good.test"}, "bob"}), Answer::Enter);
    for (int n = 0; n < 5000; ++n) fill(fmt::format("d{}.test", n), "ann", 40);
    EXPECT_GT(admission.free(), 400u);
    for (int n = 0; n < 5000; ++n) {
        admission.succeeded(fmt::format("l{}.test", n), false);
        fill(fmt::format("l{}.test", n), "ann", 1);
    }
    EXPECT_EQ(admission.free(), 0u);
    EXPECT_EQ(admission.ask({{"l1.test"}, "bob"}), Answer::Enter);
    admission.failed("gone.test", Admission::Steady::now() + std::chrono::hours(1));
    EXPECT_EQ(admission.ask({{"gone.test"}, "bob"}), Answer::OnDisk);
    EXPECT_EQ(admission.ask({{"gone.test", "good.test"}, "bob"}), Answer::Enter);
    admission.failed("gone.test", {});
    EXPECT_EQ(admission.room("gone.test"), 2u);
}

TEST(QueueSettings, ObservationsAreWrittenWhereTlsReportsAreSentAlone) {
    const auto directory = [](const std::string& toml) {
        return Settings::from(config::Config::parse(toml, config::Paths::under("/r")).value()).value().reports_dir;
    };
    EXPECT_EQ(directory(""), "");
    EXPECT_EQ(directory("[reports]\nsender = \"r@a.test\"\ntls = false\n"), "");
    EXPECT_EQ(directory("[reports]\nsender = \"r@a.test\"\ndmarc = false\n"), "/r/spool/reports");
}

TEST(Routes, AreRead) {
    EXPECT_EQ(parse_route("mx.b.test:2525")->key(), "mx.b.test:2525");
    EXPECT_EQ(parse_route("MX.b.test")->key(), "mx.b.test:25");
    EXPECT_EQ(parse_route("[192.0.2.1]:26")->key(), "[192.0.2.1]:26");
    EXPECT_EQ(parse_route("192.0.2.1:26")->key(), "[192.0.2.1]:26");
    EXPECT_EQ(parse_route("[2001:db8::1]:26")->host, "2001:db8::1");
    EXPECT_EQ(parse_route("lmtp:unix:/run/x.sock")->path, "/run/x.sock");
    EXPECT_EQ(parse_route("lmtp:box.test")->port, 24);
    for (const char* bad :
         {"", ":25", "host:", "host:0", "host:70000", "host:x", "[::1", "[::1]25", "a b:25", "[::1]:", "lmtp:unix:x/y"})
        EXPECT_FALSE(parse_route(bad)) << bad;
}

TEST(Routes, TheNearestOneCounts) {
    const auto local = [](std::string_view domain) -> Result<bool> { return domain == "local.test"; };
    const auto routes =
        Routes::create({{"b.test", "one:1"}, {".b.test", "two:2"}, {"*", "rest:3"}}, 25, local, "/run/lmtp.sock");
    ASSERT_TRUE(routes);
    EXPECT_EQ(routes->find("b.test")->key(), "one:1");
    EXPECT_EQ(routes->find("x.y.b.test")->key(), "two:2");
    EXPECT_EQ(routes->find("local.test")->key(), "lmtp:unix:/run/lmtp.sock");
    EXPECT_EQ(routes->find("c.test")->key(), "rest:3");
    EXPECT_EQ(routes->find("[192.0.2.9]")->key(), "[192.0.2.9]:25");
    EXPECT_EQ(routes->find("[IPv6:2001:db8::9]")->host, "2001:db8::9");
    EXPECT_EQ(routes->find("[nonsense]").error().code, Errc::BadInput);
    const auto plain = Routes::create({}, 2525, local, "/run/lmtp.sock");
    EXPECT_EQ(plain->find("c.test")->kind, Route::Kind::Mx);
    EXPECT_EQ(plain->find("c.test")->port, 2525);
}

TEST(Routes, ASendersRouteTakesThePlaceOfMxAlone) {
    const auto local = [](std::string_view domain) -> Result<bool> { return domain == "local.test"; };
    const SenderTables senders{{{"a.test", "[192.0.2.1]:25"}, {".a.test", "below:25"}, {"vip@a.test", "vip:25"}},
                               {"a.test", "*"}};
    const auto routes = Routes::create({{"b.test", "one:1"}, {"*", "rest:3"}}, 25, local, "/run/lmtp.sock", senders);
    ASSERT_TRUE(routes) << routes.error().text;
    EXPECT_EQ(routes->find("c.test", "x@A.test")->key(), "[192.0.2.1]:25 (from a.test)");
    EXPECT_EQ(routes->find("c.test", "Vip@a.test")->key(), "vip:25 (from a.test)");
    EXPECT_EQ(routes->find("c.test", "x@y.a.test")->key(), "below:25");
    EXPECT_EQ(routes->find("c.test", "x@z.test")->key(), "rest:3");
    EXPECT_EQ(routes->find("c.test", "")->key(), "rest:3");
    EXPECT_EQ(routes->find("b.test", "x@a.test")->key(), "one:1 (from a.test)");
    EXPECT_EQ(routes->find("local.test", "x@a.test")->key(), "lmtp:unix:/run/lmtp.sock");
    EXPECT_EQ(routes->find("c.test", "x@z.test")->sender, "*");
    EXPECT_FALSE(Routes::create({}, 25, local, "/run/lmtp.sock", {{{"a.test", "no route"}}, {}}));
}

TEST(Connector, ChoosesASourceOfTheFamily) {
    const std::map<std::string, std::string> sources = {
        {"192.0.2.10", "one.test"}, {"192.0.2.11", "two.test"}, {"2001:db8::10", "six.test"}};
    EXPECT_EQ(choose_source(sources, {}, "2001:db8::99", "mx.test"), "2001:db8::10");
    EXPECT_EQ(choose_source(sources, {"192.0.2.11"}, "198.51.100.1", "mx.test"), "192.0.2.11");
    EXPECT_EQ(choose_source(sources, {"192.0.2.11"}, "2001:db8::99", "mx.test"), std::nullopt);
    // All are used, one host always from the same.
    std::set<std::string> used;
    for (int i = 0; i < 50; ++i) {
        const auto host = fmt::format("mx{}.test", i);
        const auto own = choose_source(sources, {}, "198.51.100.1", host);
        EXPECT_EQ(own, choose_source(sources, {}, "198.51.100.2", host));
        used.insert(own.value_or(""));
    }
    EXPECT_EQ(used, (std::set<std::string>{"192.0.2.10", "192.0.2.11"}));
}

TEST(Settings, AddressesOfOursAreChecked) {
    const auto read = [](const std::string& toml) {
        return Settings::from(config::Config::parse(toml, config::Paths::under("/r")).value());
    };
    const std::string sources = "[queue.source_addresses]\n\"192.0.2.10\" = \"mail1.a.test\"\n";
    const auto settings = read(sources + "[queue.sender_addresses]\n\"a.test\" = \" 192.0.2.10  192.0.2.10\"\n");
    ASSERT_TRUE(settings) << settings.error().text;
    EXPECT_EQ(settings->source_addresses.at("192.0.2.10"), "mail1.a.test");
    EXPECT_EQ(settings->sender_addresses.at("a.test").size(), 2u);
    for (const std::string bad : {"[queue.source_addresses]\n\"mail1\" = \"mail1.a.test\"\n",
                                  "[queue.source_addresses]\n\"192.0.2.10\" = \"two words\"\n",
                                  "[queue.source_addresses]\n\"192.0.2.10\" = \"\"\n"})
        EXPECT_FALSE(read(bad)) << bad;
    for (const std::string bad : {"192.0.2.11", "mail1.a.test", " "})
        EXPECT_FALSE(read(sources + "[queue.sender_addresses]\n\"a.test\" = \"" + bad + "\"\n")) << bad;
}

TEST(Settings, MailThatThisHostIsABackupForWaitsLonger) {
    Settings s;
    s.backup_domains = {"b.test"};
    s.schedule.expire = seconds(100);
    s.schedule.expire_dsn = seconds(50);
    s.expire_backup = seconds(1000);
    EXPECT_EQ(s.expire({}, "x@B.test"), seconds(1000));
    EXPECT_EQ(s.expire({}, "x@c.test"), seconds(100));
    Envelope dsn;
    dsn.is_dsn = true;
    EXPECT_EQ(s.expire(dsn, "x@b.test"), seconds(50));
    s.schedule.expire = seconds(5000);
    EXPECT_EQ(s.expire({}, "x@b.test"), seconds(5000));
}

TEST(Reachability, WhatDoesNotAnswerGoesLastForAWhile) {
    Reachability known;
    const std::vector<std::string> ips = {"2001:db8::1", "2001:db8::2", "192.0.2.1"};
    const auto began = Reachability::Clock::now();
    const Error silence{Errc::Timeout, "timed out", 0};
    EXPECT_EQ(known.order(ips, began), ips);
    known.failed("2001:db8::1", silence, began);
    EXPECT_THAT(known.order(ips, began), ::testing::ElementsAre("2001:db8::2", "192.0.2.1", "2001:db8::1"));
    EXPECT_EQ(known.order(ips, began + Reachability::kRemembered), ips);
    known.answered("2001:db8::1");
    EXPECT_EQ(known.order(ips, began), ips);
}

TEST(Reachability, AFamilyThatNeverAnswersIsTakenForDead) {
    Reachability known;
    const auto began = Reachability::Clock::now();
    const std::vector<std::string> ips = {"2001:db8::99", "192.0.2.1"};
    const Error silence{Errc::Timeout, "timed out", 0};
    const Error refusal{Errc::Temporary, "refused", ECONNREFUSED};
    const auto fail_three = [&](const Error& last) {
        known.failed("2001:db8::1", silence, began);
        known.failed("2001:db8::2", silence, began);
        known.failed("2001:db8::3", last, began);
    };
    // A host that refuses is one that answers.
    fail_three(refusal);
    EXPECT_EQ(known.order(ips, began), ips);
    // The same address again and again is no family.
    for (int i = 0; i < 10; ++i) known.failed("2001:db8::3", silence, began);
    EXPECT_EQ(known.order(ips, began), ips);
    Reachability other;
    for (const char* ip : {"2001:db8::1", "2001:db8::2", "2001:db8::3"}) other.failed(ip, silence, began);
    EXPECT_THAT(other.order(ips, began), ::testing::ElementsAre("192.0.2.1", "2001:db8::99"));
    EXPECT_EQ(other.order(ips, began + Reachability::kRemembered), ips);
    other.answered("2001:db8::3");
    EXPECT_EQ(other.order(ips, began), ips);
}

TEST(Connector, LeavesOutItselfAndWhatIsWorse) {
    std::vector<dns::Mx> hosts = {{10, "best.test"}, {20, "ME.test"}, {20, "same.test"}, {30, "worse.test"}};
    EXPECT_TRUE(drop_own_host(hosts, "me.test"));
    ASSERT_EQ(hosts.size(), 1u);
    EXPECT_EQ(hosts[0].host, "best.test");
    EXPECT_FALSE(drop_own_host(hosts, "me.test"));
}

Envelope envelope() {
    Envelope e;
    e.id = "QUEUEID";
    e.trace_id = "TRACE";
    e.reverse_path = "ann@a.test";
    e.envid = "env+2Bid";
    e.arrival = from_unix_s(1'700'000'000);
    e.recipients.push_back({"bob@b.test", "rfc822;Bob+2Bx@b.test", kNotifyUnset,
                            "550 5.1.1 no such user " + std::string(200, 'x') + " " + std::string(200, 'y')});
    return e;
}

std::string compose(const Envelope& e, DsnAction action, std::string_view original, bool full) {
    return compose_dsn(e, MessageState::of(e, {}), {{0, action, from_unix_s(1'700'500'000)}}, {"mx.a.test", 1000},
                       original, full, "DSNID", from_unix_s(1'700'000'500));
}

TEST(Dsn, SaysWhatRfc3464Wants) {
    const auto dsn =
        compose(envelope(), DsnAction::Failed, "Message-ID: <1@a.test>\r\nSubject: x\r\n\r\nbody\r\n", true);
    for (const char* part :
         {"From: Mail Delivery System <MAILER-DAEMON@mx.a.test>\r\n", "To: <ann@a.test>\r\n",
          "Auto-Submitted: auto-replied\r\n", "report-type=delivery-status", "Original-Envelope-Id: env+id\r\n",
          "Reporting-MTA: dns; mx.a.test\r\n", "Original-Recipient: rfc822; Bob+x@b.test\r\n",
          "Final-Recipient: rfc822; bob@b.test\r\n", "Action: failed\r\n", "Status: 5.1.1\r\n",
          "Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n", "In-Reply-To: <1@a.test>\r\n",
          "Content-Type: message/rfc822\r\n", "\r\n\r\nbody\r\n", "\r\n--=_DSNID--\r\n"})
        EXPECT_THAT(dsn, HasSubstr(part));
    for (const auto line : text::split(dsn, '\n')) EXPECT_LT(line.size(), 998u);
    EXPECT_EQ(dsn.find('\n') == 0 || dsn[dsn.find('\n') - 1] == '\r', true);
}

TEST(Dsn, TellsPeopleWhatTheyCanDo) {
    auto e = envelope();
    const auto dsn = compose(e, DsnAction::Failed, "Subject: x\r\n\r\n", false);
    EXPECT_THAT(dsn, HasSubstr("Nobody has this address. Check it for typing errors"));
    EXPECT_THAT(dsn, HasSubstr("If you need help, ask postmaster@mx.a.test and name QUEUEID.\r\n"));
    EXPECT_THAT(dsn, HasSubstr("Final-Log-ID: QUEUEID\r\n"));
    EXPECT_EQ(advice_for(DsnAction::Failed, "5.7.26"), advice_for(DsnAction::Failed, "5.7.1"));
    EXPECT_NE(advice_for(DsnAction::Failed, "5.1.10"), advice_for(DsnAction::Failed, "5.1.1"));
    EXPECT_EQ(advice_for(DsnAction::Delayed, "4.4.1"), "");
}

TEST(Dsn, TheStatusAgreesWithTheAction) {
    auto e = envelope();
    e.recipients[0].failed = "450 4.2.0 later, again and again";
    EXPECT_THAT(compose(e, DsnAction::Failed, "", false), HasSubstr("Status: 5.2.0\r\n"));
}

TEST(Dsn, WhatAnAliasDidIsReadOffTheReply) {
    EXPECT_EQ(local_fate("250 2.0.0 forwarded"), LocalFate::Forwarded);
    EXPECT_EQ(local_fate("250 2.0.0 expanded to 3 addresses"), LocalFate::Expanded);
    EXPECT_EQ(local_fate("250 2.0.0 delivered"), LocalFate::Delivered);
    EXPECT_EQ(local_fate("250"), LocalFate::Delivered);
    EXPECT_EQ(local_fate(""), LocalFate::Delivered);
}

TEST(Dsn, AWarningSaysThatItIsOne) {
    const auto dsn = compose(envelope(), DsnAction::Delayed, "Subject: x\r\n\r\n", false);
    EXPECT_THAT(dsn, HasSubstr("Action: delayed\r\n"));
    EXPECT_THAT(dsn, HasSubstr("Will-Retry-Until: "));
    EXPECT_THAT(dsn, HasSubstr("Content-Type: text/rfc822-headers\r\n"));
    EXPECT_THAT(dsn, HasSubstr("ONLY A\r\nWARNING"));
}

TEST(Dsn, StaysAsciiForAnAsciiSender) {
    auto e = envelope();
    e.recipients[0].address = "jürgen@b.test";
    e.recipients[0].orcpt.clear();
    e.recipients[0].failed = "550 5.1.1 jürgen is not here…";
    const auto dsn = compose(e, DsnAction::Failed, "Subject: x\r\n\r\n", false);
    EXPECT_TRUE(text::is_ascii(dsn));
    EXPECT_THAT(dsn, HasSubstr("Final-Recipient: utf-8; j\\x{FC}rgen@b.test\r\n"));
    e.reverse_path = "änn@a.test";
    const auto utf8 = compose(e, DsnAction::Failed, "Subject: x\r\n\r\n", false);
    EXPECT_THAT(utf8, HasSubstr("message/global-delivery-status"));
    EXPECT_THAT(utf8, HasSubstr("Final-Recipient: utf-8; jürgen@b.test\r\n"));
}

TEST(Dsn, HostileFieldsDoNotBreakOut) {
    auto e = envelope();
    e.recipients[0].failed = "550 5.1.1 a\r\nBcc: x@y.test\r\n\r\nbody";
    e.recipients[0].orcpt = "rfc822;x+0D+0ABcc:+20y+00";
    e.envid = "a+0D+0AX: y";
    const auto dsn = compose(e, DsnAction::Failed, "", false);
    EXPECT_THAT(dsn, Not(HasSubstr("\nBcc:")));
    EXPECT_THAT(dsn, Not(HasSubstr("\nX: y")));
}

TEST(Index, LendsWhatIsDueOnce) {
    char name[] = "/tmp/gk-unit-index-XXXXXX";
    const std::string dir = ::mkdtemp(name);
    auto index = Index::open(dir + "/queue.db");
    ASSERT_TRUE(index) << index.error().text;
    Summary s;
    s.id = "A";
    s.trace_id = "T";
    s.sender = "ann@a.test";
    s.status = "deferred";
    s.recipients = {"bob@b.test"};
    s.next = from_unix_s(100);
    ASSERT_TRUE(index->put(s, false));
    s.id = "B";
    s.next = from_unix_s(200);
    ASSERT_TRUE(index->put(s, false));
    s.id = "H";
    ASSERT_TRUE(index->put(s, true));
    EXPECT_EQ(**index->next_due(), from_unix_s(100));
    const auto taken = index->take_due(from_unix_s(150), 10);
    ASSERT_EQ(taken->size(), 1u);
    EXPECT_EQ(taken->at(0).id, "A");
    EXPECT_TRUE(index->take_due(from_unix_s(150), 10)->empty());
    EXPECT_EQ(**index->find("T"), "A");
    ASSERT_TRUE(index->recover(from_unix_s(150), from_unix_s(1000)));
    EXPECT_EQ(index->take_due(from_unix_s(250), 10)->size(), 2u);
    int listed = 0;
    ASSERT_TRUE(index->list({"", "@b.test", "", 0}, [&](const Summary&) { ++listed; }));
    EXPECT_EQ(listed, 3);
    (void)os::remove_tree(dir);
}

TEST(Index, DomainsTakeTurnsAndTheLatestComeToo) {
    char name[] = "/tmp/gk-unit-index-XXXXXX";
    const std::string dir = ::mkdtemp(name);
    auto index = Index::open(dir + "/queue.db");
    ASSERT_TRUE(index) << index.error().text;
    const auto put = [&](const std::string& id, const std::string& recipient, std::int64_t at) {
        Summary s;
        s.id = s.trace_id = id;
        s.status = "deferred";
        s.sender = "ann@a.test";
        s.recipients = {recipient};
        s.next = from_unix_s(at);
        s.reason = "451 because of " + id;
        ASSERT_TRUE(index->put(s, false));
    };
    for (int i = 0; i < 100; ++i) put(fmt::format("A{:03}", i), "x@big.test", 100 + i);
    put("B", "x@small.test", 500);
    put("C", "x@gone.test", 1);
    index->close("gone.test", from_unix_s(2000));
    const auto taken = index->take_due(from_unix_s(1000), 50, [](const std::string&) { return std::size_t{10}; });
    ASSERT_TRUE(taken);
    std::set<std::string> ids;
    for (const auto& due : *taken) ids.insert(due.id);
    EXPECT_EQ(ids, (std::set<std::string>{"A000", "A001", "A002", "A003", "A004", "A095", "A096", "A097", "A098",
                                          "A099", "B"}));
    // A lane without room is not what to wake up for.
    (void)index->take_due(from_unix_s(1000), 50, [](const std::string&) { return std::size_t{0}; });
    EXPECT_EQ(**index->next_due(), from_unix_s(2000));
    ASSERT_TRUE(index->make_due(from_unix_s(1000), "gone.test"));
    EXPECT_EQ(index->take_due(from_unix_s(1000), 500)->size(), 91u);

    const auto stats = index->stats(By::Destination, now());
    ASSERT_EQ(stats->size(), 3u);
    EXPECT_EQ(stats->at(0).name, "big.test");
    EXPECT_EQ(stats->at(0).messages, 100u);
    EXPECT_EQ(stats->at(0).reason, "451 because of A099");
    ASSERT_TRUE(index->remove("B"));
    EXPECT_EQ(index->stats(By::Destination, now())->size(), 2u);
    for (const Filter& filter : {Filter{"", "@big.test", "", 3}, Filter{"ANN@a.test", "", "", 3},
                                 Filter{"@a.test", "", "active", 3}, Filter{"", "", "active", 3}}) {
        std::string listed;
        ASSERT_TRUE(index->list(filter, [&](const Summary& s) { listed += s.id + " "; }));
        EXPECT_EQ(listed, "A000 A001 A002 ");
    }
    (void)os::remove_tree(dir);
}

// After each of many changes, what is kept up adds up to what a count finds.
TEST(Index, StatsAgreeWithACountOfAllMessages) {
    char name[] = "/tmp/gk-unit-index-XXXXXX";
    const std::string dir = ::mkdtemp(name);
    auto index = Index::open(dir + "/queue.db");
    ASSERT_TRUE(index) << index.error().text;
    std::mt19937 dice(7);
    const auto at = now();
    const auto check = [&] {
        for (const By by : {By::Destination, By::Sender, By::Account, By::Age}) {
            Tally tally(by, at);
            ASSERT_TRUE(index->list({}, [&](const Summary& s) { tally.add(s); }));
            std::map<std::string, Stat> wanted;
            for (auto& row : tally.rows()) wanted[row.name] = row;
            const auto kept = Tally(by, at, index->stats(by, at).value()).rows();
            ASSERT_EQ(kept.size(), wanted.size());
            for (const auto& row : kept) {
                const auto& same = wanted[row.name];
                EXPECT_EQ(row.messages, same.messages) << row.name;
                EXPECT_EQ(row.held, same.held) << row.name;
                EXPECT_EQ(row.size, same.size) << row.name;
                EXPECT_EQ(row.oldest, same.oldest) << row.name;
                EXPECT_EQ(row.ages, same.ages) << row.name;
            }
        }
    };
    for (int step = 0; step < 2000; ++step) {
        const std::string id = fmt::format("A{:03}", dice() % 150);
        if (dice() % 4 == 0) {
            ASSERT_TRUE(index->remove(id));
            continue;
        }
        Summary s;
        s.id = s.trace_id = id;
        const bool held = dice() % 4 == 0;
        s.status = held ? "held" : "deferred";
        s.sender = dice() % 5 == 0 ? "" : fmt::format("s{}@a.test", dice() % 3);
        s.account = dice() % 2 == 0 ? "" : "ann@a.test";
        for (unsigned n = 0; n <= dice() % 3; ++n) s.recipients.push_back(fmt::format("x@d{}.test", dice() % 4));
        // Ids sort by time.
        s.arrival = at - std::chrono::minutes(3 * (150 - std::stoi(id.substr(1))));
        s.size = dice() % 1000;
        if (dice() % 3 == 0) s.reason = "451 no";
        ASSERT_TRUE(index->put(s, held));
        if (step % 200 == 0) check();
    }
    check();
    (void)os::remove_tree(dir);
}

TEST(Index, ABrokenOneIsMadeAnew) {
    char name[] = "/tmp/gk-unit-index-XXXXXX";
    const std::string dir = ::mkdtemp(name);
    ASSERT_TRUE(os::replace_file(dir + "/queue.db", std::string(8192, 'x')));
    EXPECT_TRUE(Index::open(dir + "/queue.db"));
    (void)os::remove_tree(dir);
}

TEST(Filter, MatchesAddressesAndDomains) {
    Summary s;
    s.sender = "Ann@A.test";
    s.status = "held";
    s.recipients = {"bob@b.test", "c@c.test"};
    EXPECT_TRUE((Filter{"ann@a.test", "@C.test", "held", 0}.matches(s)));
    EXPECT_FALSE((Filter{"", "@x.test", "", 0}.matches(s)));
    EXPECT_FALSE((Filter{"<>", "", "", 0}.matches(s)));
}

}  // namespace
}  // namespace gk::queue
