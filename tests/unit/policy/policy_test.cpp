// SPDX-License-Identifier: MIT
#include "common/policy/policy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "common/mailauth/dns_table.hpp"
#include "common/os/file.hpp"

namespace gk::policy {
namespace {

using testing::HasSubstr;
using Action = Decision::Action;

constexpr std::int64_t kNow = 1'800'000'000, kDay = 86400;

class Gate : public testing::Test {
protected:
    Gate() {
        std::string name = testing::TempDir() + "gk-policy-XXXXXX";
        folder_ = ::mkdtemp(name.data());
        configure("");
    }
    ~Gate() override { std::filesystem::remove_all(folder_); }

    void configure(std::string_view toml) {
        options_ = Options::from(config::Config::parse(toml).value(), "mx.a.test").value();
        reopen();
    }
    void reopen() {
        state_.reset();
        state_ = State::open(file(), options_->state).value();
    }
    std::string file() const { return folder_ + "/state"; }
    Decision ask(std::string_view ip, std::string_view sender, std::int64_t at_s = kNow,
                 std::string_view to = "ann@a.test") {
        Facts facts{std::string(ip), "mx.b.test", std::string(sender), std::string(to), pregreet_, errors_, at_s};
        if (!helo_.empty()) facts.helo = helo_;
        return judge(*options_, Lists(lists_), *state_, rates_, facts, client_);
    }
    Action action(std::string_view ip, std::string_view sender, std::int64_t at_s = kNow) {
        return ask(ip, sender, at_s).action;
    }

    std::string folder_, helo_;
    std::shared_ptr<const Options> options_;
    std::unique_ptr<State> state_;
    std::vector<ListEntry> lists_;
    std::vector<Verdict> client_;
    Rates rates_;
    bool pregreet_ = false;
    std::size_t errors_ = 0;
};

TEST_F(Gate, GreylistsByNetworkAndSenderDomain) {
    configure("[gate]\ngreylist = true\n");
    const auto first = ask("192.0.2.1", "x@b.test");
    EXPECT_EQ(first.action, Action::Defer);
    EXPECT_EQ(first.code, 450);
    EXPECT_THAT(first.reply, HasSubstr("try again in 300 s"));
    EXPECT_THAT(ask("192.0.2.1", "x@b.test", kNow + 299).reply, HasSubstr("try again in 1 s"));
    // Another host of the same network, and another sender there.
    EXPECT_EQ(action("192.0.2.77", "y@B.test", kNow + 300), Action::Accept);
    EXPECT_EQ(action("192.0.3.1", "x@b.test", kNow + 300), Action::Defer);
    EXPECT_EQ(action("192.0.2.1", "x@c.test", kNow + 300), Action::Defer);
    EXPECT_EQ(action("2001:db8::1", "x@b.test"), Action::Defer);
    EXPECT_EQ(action("2001:db8::ffff:1", "x@b.test", kNow + 300), Action::Accept);
}

TEST_F(Gate, GreylistingStartsOverForWhoComesTooLateAndForgetsWhoStaysAway) {
    configure("[gate]\ngreylist = true\n");
    EXPECT_EQ(action("192.0.2.1", "x@b.test"), Action::Defer);
    EXPECT_EQ(action("192.0.2.1", "x@b.test", kNow + kDay + 1), Action::Defer);
    EXPECT_EQ(action("192.0.2.1", "x@b.test", kNow + kDay + 400), Action::Accept);
    EXPECT_EQ(action("192.0.2.1", "x@b.test", kNow + 30 * kDay), Action::Accept);
    EXPECT_EQ(action("192.0.2.1", "x@b.test", kNow + 60 * kDay), Action::Accept);  // 30 days after the last
    EXPECT_EQ(action("192.0.2.1", "x@b.test", kNow + 100 * kDay), Action::Defer);
}

TEST_F(Gate, TheReverseNullPathIsGreylistedByTheClientsName) {
    configure("[gate]\ngreylist = true\n");
    EXPECT_EQ(action("192.0.2.1", ""), Action::Defer);
    EXPECT_EQ(action("192.0.2.1", "", kNow + 300), Action::Accept);
}

TEST_F(Gate, DoesNotGreylistADomainWhereItsMailWasAuthentic) {
    configure("[gate]\ngreylist = true\n");
    state_->authentic(network_of("192.0.2.1"), "C.test", kNow);
    EXPECT_EQ(action("192.0.2.200", "new@c.test"), Action::Accept);
    EXPECT_EQ(action("192.0.3.1", "new@c.test"), Action::Defer);
    // Its neighbour in the data centre has proved nothing.
    EXPECT_EQ(action("192.0.2.201", "x@d.test"), Action::Defer);
    EXPECT_EQ(action("192.0.2.200", "new@c.test", kNow + 40 * kDay), Action::Defer);
}

TEST_F(Gate, MemorySurvivesARestartAndIsPruned) {
    configure("[gate]\ngreylist = true\n");
    EXPECT_EQ(action("192.0.2.1", "x@b.test"), Action::Defer);
    state_->block("203.0.113.0/24", kNow + 100, kNow);
    reopen();
    EXPECT_EQ(action("203.0.113.9", "x@b.test", kNow + 50), Action::Reject);
    EXPECT_EQ(action("192.0.2.1", "x@b.test", kNow + 400), Action::Accept);
    EXPECT_EQ(state_->prune(kNow + 400).value(), 1u);  // the block
    reopen();
    EXPECT_EQ(state_->lines().size(), 1u);
    EXPECT_EQ(state_->prune(kNow + 40 * kDay).value(), 1u);
    EXPECT_EQ(os::read_file(file()).value(), "");
}

TEST_F(Gate, MemoryIsBoundedAndItsFileToo) {
    configure("[gate]\ngreylist = true\nremembered = 100\n");
    state_->authentic("198.51.100.0/24", "c.test", kNow);
    for (int i = 0; i < 5000; ++i) action(fmt::format("10.{}.{}.1", i / 250, i % 250), "x@b.test", kNow + i % 60);
    EXPECT_LE(state_->lines().size(), 100u);
    EXPECT_LT(std::filesystem::file_size(file()), 200'000u);
    EXPECT_EQ(action("198.51.100.1", "new@c.test", kNow + 60), Action::Accept);  // who passed outlives who waits
}

TEST_F(Gate, ANetworkThatNamesEverNewSendersForgetsItsOwnAlone) {
    configure("[gate]\ngreylist = true\nremembered = 1000\n");
    EXPECT_EQ(action("192.0.2.1", "x@b.test"), Action::Defer);
    for (int i = 0; i < 3000; ++i) action("203.0.113.1", fmt::format("x@{}.test", i), kNow + 1 + i / 100);
    EXPECT_LE(state_->lines().size(), 101u);
    EXPECT_EQ(action("192.0.2.1", "x@b.test", kNow + 300), Action::Accept);
    EXPECT_EQ(action("203.0.113.1", "x@2999.test", kNow + 330), Action::Accept);
}

TEST_F(Gate, ALongFileIsReadWithItsNewestLines) {
    std::string text = "authentic 198.51.100.0/24 c.test 1799000000 1799000000 1\n";
    for (int i = 0; i < 300; ++i)
        text += fmt::format("grey 10.0.{}.0/24 b.test {} {} 0\n", i, kNow - 300 + i, kNow - 300 + i);
    ASSERT_TRUE(os::append_file(file(), text, false));
    configure("[gate]\ngreylist = true\nremembered = 100\n");
    EXPECT_EQ(state_->lines().size(), 100u);
    EXPECT_EQ(action("10.0.299.1", "x@b.test", kNow), Action::Defer);
    EXPECT_EQ(action("198.51.100.1", "x@c.test", kNow), Action::Accept);
    const auto lines = state_->lines();
    EXPECT_TRUE(
        std::any_of(lines.begin(), lines.end(), [](const auto& line) { return line.network == "10.0.299.0/24"; }));
}

TEST_F(Gate, AFileOfAnySizeIsRead) {
    ASSERT_TRUE(os::append_file(file(), "grey 192.0.2.0/24 b.test 1799999000 1799999000 1\n", false));
    std::filesystem::resize_file(file(), 300u << 20);  // a hole
    ASSERT_TRUE(os::append_file(file(), "\ngrey 192.0.2.0/24 c.test 1799999000 1799999000 1\n", false));
    configure("[gate]\ngreylist = true\n");
    EXPECT_EQ(action("192.0.2.1", "x@b.test"), Action::Accept);
    EXPECT_EQ(action("192.0.2.1", "x@c.test"), Action::Accept);
}

TEST_F(Gate, AFileWithABadLineLosesThatLineAlone) {
    ASSERT_TRUE(os::append_file(
        file(), "grey 192.0.2.0/24 b.test 1799999000 1799999000 1\ngarbage\ngrey 192.0.2.0/24 c.te", false));
    configure("[gate]\ngreylist = true\n");
    EXPECT_EQ(action("192.0.2.1", "x@b.test"), Action::Accept);
    EXPECT_EQ(state_->lines().size(), 1u);
}

TEST_F(Gate, CountsRecipientsOfAddressAndNetwork) {
    configure("[gate]\naddress_recipients = 3\nnetwork_recipients = 5\n");
    for (int i = 0; i < 3; ++i) EXPECT_EQ(action("192.0.2.1", "x@b.test"), Action::Accept) << i;
    const auto over = ask("192.0.2.1", "x@b.test");
    EXPECT_EQ(over.code, 450);
    EXPECT_THAT(over.reply, HasSubstr("192.0.2.1 may name 3 recipients an hour: try again in 1200 s"));
    // A refused one costs the network nothing.
    for (int i = 0; i < 2; ++i) EXPECT_EQ(action("192.0.2.2", "x@b.test"), Action::Accept) << i;
    EXPECT_THAT(ask("192.0.2.3", "x@b.test").reply, HasSubstr("192.0.2.0/24 may name 5"));
    EXPECT_EQ(action("192.0.3.1", "x@b.test"), Action::Accept);
    EXPECT_EQ(action("192.0.2.1", "x@b.test", kNow + 1200), Action::Accept);
    EXPECT_EQ(action("192.0.2.1", "x@b.test", kNow + 1201), Action::Defer);
}

TEST_F(Gate, AddsScoresUpAndSaysThemInItsRefusal) {
    configure("[gate]\nreject_score = 5\n");
    client_ = {{"dnsbl", "listed", 4, "bl.test says 127.0.0.2"}};
    EXPECT_EQ(action("192.0.2.1", "x@b.test"), Action::Accept);
    helo_ = "mx.a.test";
    const auto refused = ask("192.0.2.1", "x@b.test");
    EXPECT_EQ(refused.action, Action::Reject);
    EXPECT_THAT(refused.reply,
                HasSubstr("5 points against you, 5 are too many: bl.test says 127.0.0.2; it calls itself by our name"));
    client_.push_back({"dnsbl", "allowed", -3, "wl.test says 127.0.0.1"});
    EXPECT_EQ(action("192.0.2.1", "x@b.test"), Action::Accept);
    pregreet_ = true;
    EXPECT_EQ(ask("192.0.2.1", "x@b.test").score, 5);
    // Whoever is refused can still reach who can help.
    for (const char* reachable : {"postmaster@a.test", "Abuse@a.test"})
        EXPECT_EQ(ask("192.0.2.1", "x@b.test", kNow, reachable).action, Action::Accept) << reachable;
}

TEST_F(Gate, GreylistsOnlyThoseWithPointsWhereSoConfigured) {
    configure("[gate]\ngreylist = true\ngreylist_score = 2\n");
    EXPECT_EQ(action("192.0.2.1", "x@b.test"), Action::Accept);
    client_ = {{"dnsbl", "listed", 2, "bl.test says 127.0.0.2"}};
    EXPECT_EQ(action("192.0.2.1", "x@b.test"), Action::Defer);
}

TEST_F(Gate, JudgesNamesInHelo) {
    configure("[gate]\n");
    const auto score = [&](std::string_view helo) { return helo_ = helo, ask("192.0.2.1", "x@b.test").score; };
    for (const char* good : {"mx.b.test", "[192.0.2.1]", "[IPv6:::ffff:192.0.2.1]"}) EXPECT_EQ(score(good), 0) << good;
    for (const char* bad : {"localhost", "MX.a.test", "[192.0.2.2]", "192.0.2.1", "[", "x"})
        EXPECT_EQ(score(bad), 1) << bad;
}

TEST_F(Gate, AHoneypotBlocksItsVisitorsNetwork) {
    configure("[gate]\nhoneypots = [\"Trap@a.test\"]\nhoneypot_block = \"1h\"\n");
    const auto hit = ask("192.0.2.1", "x@b.test", kNow, "trap@A.test");
    EXPECT_EQ(hit.code, 550);
    EXPECT_EQ(hit.reply, "no such user");
    const auto next = ask("192.0.2.9", "y@c.test", kNow + 10);
    EXPECT_EQ(next.action, Action::Reject);
    EXPECT_THAT(next.reply, HasSubstr("your network 192.0.2.0/24"));
    EXPECT_EQ(action("192.0.2.9", "y@c.test", kNow + 3601), Action::Accept);
    EXPECT_EQ(action("192.0.3.9", "y@c.test"), Action::Accept);
}

TEST_F(Gate, AHoneypotBlocksNeitherForBouncesNorNetworksWhoseMailWasGood) {
    configure("[gate]\ngreylist = true\nhoneypots = [\"trap@a.test\"]\n");
    EXPECT_EQ(ask("192.0.2.1", "", kNow, "trap@a.test").reply, "no such user");
    EXPECT_FALSE(state_->blocked("192.0.2.0/24", kNow));
    state_->authentic("198.51.100.0/24", "c.test", kNow);
    EXPECT_EQ(ask("198.51.100.1", "x@b.test", kNow, "trap@a.test").reply, "no such user");
    EXPECT_FALSE(state_->blocked("198.51.100.0/24", kNow));
    EXPECT_EQ(action("203.0.113.1", "x@b.test"), Action::Defer);
    EXPECT_EQ(action("203.0.113.1", "x@b.test", kNow + 300), Action::Accept);
    EXPECT_EQ(ask("203.0.113.1", "x@b.test", kNow + 301, "trap@a.test").reply, "no such user");
    EXPECT_FALSE(state_->blocked("203.0.113.0/24", kNow + 301));
    // Who only waits has shown nothing.
    EXPECT_EQ(action("10.0.0.1", "x@b.test"), Action::Defer);
    EXPECT_EQ(ask("10.0.0.1", "x@b.test", kNow, "trap@a.test").reply, "no such user");
    EXPECT_TRUE(state_->blocked("10.0.0.0/24", kNow));
}

TEST_F(Gate, ListsDecideBeforeEverythingElse) {
    configure("[gate]\ngreylist = true\n");
    lists_ = parse_lists(
                 "block 192.0.2.0/24\nallow 192.0.2.7\nallow @good.test 2027-01-15T08:00:10Z # until then\nblock "
                 "x@bad.test\nblock helo:spam.test\n")
                 .value();
    EXPECT_EQ(ask("192.0.2.1", "x@b.test").reply, "192.0.2.0/24 is blocked here");
    EXPECT_EQ(action("192.0.2.7", "x@b.test"), Action::Accept);
    EXPECT_EQ(action("198.51.100.1", "x@sub.good.test"), Action::Accept);
    EXPECT_EQ(action("198.51.100.1", "x@sub.good.test", kNow + 10), Action::Defer);
    EXPECT_EQ(action("198.51.100.1", "X@Bad.test"), Action::Reject);
    EXPECT_EQ(action("198.51.100.1", "y@bad.test"), Action::Defer);
    helo_ = "mx.SPAM.test";
    EXPECT_EQ(action("198.51.100.1", "z@c.test"), Action::Reject);
    for (const char* wrong :
         {"permit 192.0.2.1", "block", "block 192.0.2.1 soon", "block nothing", "allow 192.0.2.1 x y"})
        EXPECT_FALSE(parse_lists(wrong)) << wrong;
}

TEST(Rates, ManyKeysForgiveNobodyElse) {
    Rates rates(100);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(rates.take("192.0.2.1", 3, kNow), 0);
    for (int i = 0; i < 1000; ++i) EXPECT_EQ(rates.take(fmt::format("2001:db8::{}", i), 3, kNow), 0);
    EXPECT_EQ(rates.take("192.0.2.1", 3, kNow), 1200);
}

TEST(Lists, FindOneNetworkAmongAHundredThousand) {
    std::vector<ListEntry> entries;
    for (int i = 0; i < 100'000; ++i) entries.push_back({false, fmt::format("10.{}.{}.0/25", i / 250, i % 250), 0});
    entries.push_back({false, "2001:db8::/33", 0});
    entries.push_back({false, "::ffff:192.0.2.8/125", 0});
    const Lists lists(entries);
    EXPECT_EQ(lists.find("10.3.4.127", "", "", kNow)->entry, "10.3.4.0/25");
    EXPECT_EQ(lists.find("10.3.4.128", "", "", kNow), nullptr);
    EXPECT_EQ(lists.find("2001:db8:7fff::1", "", "", kNow)->entry, "2001:db8::/33");
    EXPECT_EQ(lists.find("2001:db8:8000::1", "", "", kNow), nullptr);
    EXPECT_EQ(lists.find("192.0.2.15", "", "", kNow)->entry, "::ffff:192.0.2.8/125");
    EXPECT_EQ(lists.find("198.51.100.1", "mx.b.test", "x@b.test", kNow), nullptr);
}

TEST(DnsLists, AskAsRfc5782Says) {
    EXPECT_EQ(question_for("192.0.2.99", "bl.test"), "99.2.0.192.bl.test");
    EXPECT_EQ(question_for("::ffff:192.0.2.99", "bl.test"), "99.2.0.192.bl.test");
    // RFC 5782, 2.4.
    EXPECT_EQ(question_for("2001:db8:1:2:3:4:567:89ab", "ugly.example.com"),
              "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ugly.example.com");
}

TEST(DnsLists, WeighAnswersAndNeverTakeAnErrorForAListing) {
    const auto list = DnsList::parse("bl.test", "1 127.0.0.2=3 127.0.0.10-11=2 127.0.0.200=-4").value();
    // The first that fits counts: "1" stands for all of 127.0.0.0/8.
    EXPECT_EQ(judge_answer(list, {"127.0.0.2"})->score, 1);
    const auto exact = DnsList::parse("bl.test", "127.0.0.2=3 127.0.0.10-11=2 127.0.0.200=-4 1").value();
    EXPECT_EQ(judge_answer(exact, {"127.0.0.2"})->score, 3);
    EXPECT_EQ(judge_answer(exact, {"127.0.0.11"})->score, 2);
    EXPECT_EQ(judge_answer(exact, {"127.0.0.12"})->score, 1);
    EXPECT_EQ(judge_answer(exact, {"127.0.0.11", "127.0.0.2"})->score, 3);
    EXPECT_EQ(judge_answer(exact, {"127.0.0.200"})->score, -4);
    for (const char* error : {"127.255.255.252", "127.255.255.254", "127.255.255.255", "192.0.2.1", "junk"}) {
        EXPECT_EQ(judge_answer(exact, {error})->score, 0) << error;
        EXPECT_EQ(judge_answer(exact, {error})->result, "error") << error;
        EXPECT_EQ(judge_answer(exact, {"127.0.0.2", error})->score, 0) << error;
    }
    EXPECT_FALSE(judge_answer(DnsList::parse("bl.test", "127.0.0.2=3").value(), {"127.0.0.3"}));
    for (const char* wrong : {"", "x", "127.0.0.2", "127.0.0.2=", "192.0.2.1=3", "127.0.0.9-2=1", "99999"})
        EXPECT_FALSE(DnsList::parse("bl.test", wrong)) << wrong;
}

}  // namespace
}  // namespace gk::policy
