// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>

#include "common/directory/directory.hpp"
#include "common/directory/patterns.hpp"

namespace gk::directory {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const Actor kActor{"test"};

class Rules : public testing::Test {
protected:
    Rules() {
        std::string name = testing::TempDir() + "gk-rules-XXXXXX";
        root_ = ::mkdtemp(name.data());
        paths_ = config::Paths::under(root_);
        open({});
        EXPECT_TRUE(directory_->add_domain("a.test", kActor));
        for (const char* account : {"ann@a.test", "bob@a.test"})
            EXPECT_TRUE(directory_->add_account(account, {}, kActor)) << account;
    }
    ~Rules() override { std::filesystem::remove_all(root_); }

    void open(const Limits& limits) { directory_ = Directory::open(paths_, false, limits).value(); }
    Status alias(const std::string& address, const std::vector<std::string>& targets,
                 const std::optional<List>& list = {}) {
        auto made = directory_->set_alias(NewAlias{address, targets, list}, kActor);
        return made ? ok() : Status(tl::unexpected<Error>(made.error()));
    }
    std::string way(const std::string& recipient) {
        const auto resolved = directory_->resolve(recipient);
        if (!resolved) return resolved.error().text;
        std::string found;
        for (const auto& target : resolved->accounts)
            found += target.account + (target.detail.empty() ? " " : "/" + target.detail + " ");
        for (const auto& external : resolved->external) found += external + " ";
        for (const auto& list : resolved->lists) found += "list:" + list + " ";
        if (resolved->kind == Resolution::Kind::NoSuchUser) return "no such user";
        if (resolved->kind == Resolution::Kind::NotLocal) return "not local";
        found.pop_back();
        return found;
    }

    std::string root_;
    config::Paths paths_;
    std::shared_ptr<Directory> directory_;
};

TEST_F(Rules, ADomainsOtherNameHasTheSameAddresses) {
    ASSERT_TRUE(directory_->add_domain_alias("A.example", "a.test", kActor));
    EXPECT_TRUE(directory_->is_local_domain("a.example").value());
    EXPECT_EQ(way("ann+x@a.example"), "ann@a.test/x");
    EXPECT_EQ(way("nobody@a.example"), "no such user");
    ASSERT_TRUE(alias("@a.test", {"bob@a.test"}));
    EXPECT_EQ(way("nobody@a.example"), "bob@a.test");
    EXPECT_TRUE(directory_->may_send_as("ann@a.test", "ann@a.example").value());
    EXPECT_EQ(directory_->add_domain("a.example", kActor).error().code, Errc::Exists);
    EXPECT_EQ(directory_->add_domain_alias("a.test", "a.test", kActor).error().code, Errc::Exists);
    EXPECT_EQ(directory_->add_domain_alias("c.test", "a.example", kActor).error().code, Errc::NotFound);
    EXPECT_EQ(directory_->remove_domain("a.test", kActor, true).error().code, Errc::Denied);
    ASSERT_TRUE(directory_->remove_domain_alias("a.example", kActor));
    EXPECT_EQ(way("ann@a.example"), "not local");
    EXPECT_EQ(directory_->remove_domain_alias("a.example", kActor).error().code, Errc::NotFound);
}

TEST_F(Rules, APatternsGroupsMakeTheLocalPartOfItsTarget) {
    ASSERT_TRUE(alias("/(.+)\\.(old|former)/@a.test", {"\\1@a.test"}));
    EXPECT_EQ(way("Ann.Old@a.test"), "ann@a.test");
    EXPECT_EQ(way("zoe.old@a.test"), "no such user");
    ASSERT_TRUE(alias("/x-(.*)/@a.test", {"\\1@far.test"}));
    EXPECT_EQ(way("x-sales@a.test"), "sales@far.test");
    // Quotes are kept where the sender's text needs them, and no group may choose a host.
    EXPECT_EQ(way("\"x-a@b.test\"@a.test"), "\"a@b.test\"@far.test");
    EXPECT_EQ(alias("/x-(.*)/@a.test", {"ann@\\1"}).error().code, Errc::BadInput);
    EXPECT_EQ(alias("/x-(.*)/@a.test", {"\\2@far.test"}).error().code, Errc::BadInput);
    EXPECT_EQ(alias("/x-(/@a.test", {"ann@a.test"}).error().code, Errc::BadInput);
    EXPECT_EQ(alias("/" + std::string(600, 'x') + "/@a.test", {"ann@a.test"}).error().code, Errc::BadInput);
}

TEST_F(Rules, WhatIsNamedComesBeforeSubAddressRulesTheseBeforePatternsAndTheCatchAllLast) {
    ASSERT_TRUE(alias("/(.*)/@a.test", {"p@far.test"}));
    ASSERT_TRUE(alias("@a.test", {"c@far.test"}));
    ASSERT_TRUE(alias("ann+*@a.test", {"s@far.test"}));
    ASSERT_TRUE(alias("*+spam@a.test", {"t@far.test"}));
    ASSERT_TRUE(alias("ann+exact@a.test", {"e@far.test"}));
    EXPECT_EQ(way("ann@a.test"), "ann@a.test");
    EXPECT_EQ(way("ann+exact@a.test"), "e@far.test");
    EXPECT_EQ(way("ann+spam@a.test"), "s@far.test");
    EXPECT_EQ(way("bob+spam@a.test"), "t@far.test");
    EXPECT_EQ(way("bob+other@a.test"), "bob@a.test/other");
    EXPECT_EQ(way("other@a.test"), "p@far.test");
    ASSERT_TRUE(directory_->remove_alias("/(.*)/@a.test", {}, kActor));
    EXPECT_EQ(way("other@a.test"), "c@far.test");
    for (const char* wrong : {"*@a.test", "ann*@a.test", "a*b@a.test", "*+*@a.test", "annx*@a.test"})
        EXPECT_EQ(alias(wrong, {"ann@a.test"}).error().code, Errc::BadInput) << wrong;
}

TEST_F(Rules, ASubAddressRuleHandsTheDetailOn) {
    ASSERT_TRUE(alias("ann+*@a.test", {"bob@a.test"}));
    EXPECT_EQ(way("ann+lists@a.test"), "bob@a.test/lists");
}

TEST_F(Rules, APatternIsNoAddress) {
    ASSERT_TRUE(alias("/sales|info/@a.test", {"ann@a.test"}));
    EXPECT_EQ(way("\"/sales|info/\"@a.test"), "no such user");
    EXPECT_EQ(way("info@a.test"), "ann@a.test");
    EXPECT_EQ(way("information@a.test"), "no such user");  // the whole local part
}

TEST_F(Rules, AnExplodingPatternTakesLinearTime) {
    ASSERT_TRUE(alias("/(a+)+(a+)+(a+)+b/@a.test", {"ann@a.test"}));
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < 100; ++i) EXPECT_EQ(way(std::string(60, 'a') + std::to_string(i) + "@a.test"), "no such user");
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(1));
    EXPECT_EQ(alias("/((a{100}){100}){100}/@a.test", {"ann@a.test"}).error().code, Errc::BadInput);
}

TEST_F(Rules, PatternsThatLeadInACircleAreFoundAtRunTime) {
    ASSERT_TRUE(alias("/x(.*)/@a.test", {"y\\1@a.test"}));
    ASSERT_TRUE(alias("/y(.*)/@a.test", {"x\\1@a.test"}));
    EXPECT_THAT(way("xy@a.test"), HasSubstr("circle"));
    ASSERT_TRUE(alias("/z(.*)/@a.test", {"z\\1z@a.test"}));
    EXPECT_THAT(way("z@a.test"), HasSubstr("circle"));
}

TEST_F(Rules, AWayThatLedToNobodyLeadsToNobodyTheSecondTime) {
    ASSERT_TRUE(alias("d@a.test", {"ann@a.test"}));
    ASSERT_TRUE(alias("b@a.test", {"d@a.test"}));
    ASSERT_TRUE(alias("c@a.test", {"d@a.test"}));
    ASSERT_TRUE(alias("a@a.test", {"b@a.test", "c@a.test"}));
    EXPECT_EQ(way("a@a.test"), "ann@a.test");
    ASSERT_TRUE(directory_->remove_account("ann@a.test", kActor));
    EXPECT_EQ(directory_->resolve("a@a.test").value().kind, Resolution::Kind::NoSuchUser);
}

TEST_F(Rules, AListStandsForItselfAndItsMembersAreAskedForApart) {
    ASSERT_TRUE(alias("staff@a.test", {"ann@a.test", "x@far.test"}, List{"bob@a.test", "members", "Staff"}));
    ASSERT_TRUE(alias("all@a.test", {"staff@a.test", "bob@a.test"}));
    EXPECT_EQ(way("all@a.test"), "bob@a.test list:staff@a.test");
    const auto members = directory_->members_of("staff@a.test").value();
    EXPECT_EQ(members.accounts.at(0).account, "ann@a.test");
    EXPECT_THAT(members.external, ElementsAre("x@far.test"));
    EXPECT_EQ(directory_->members_of("all@a.test").error().code, Errc::NotFound);
    EXPECT_EQ(directory_->find_alias("staff@a.test").value()->list, (List{"bob@a.test", "members", "Staff"}));
}

TEST_F(Rules, AListSaysWhoMayWrite) {
    ASSERT_TRUE(alias("inner@a.test", {"in@far.test"}, List{"bob@a.test", "members", ""}));
    ASSERT_TRUE(alias("staff@a.test", {"ann@a.test", "x@far.test", "inner@a.test"}, List{"bob@a.test", "members", ""}));
    ASSERT_TRUE(alias("annie@a.test", {"ann@a.test"}));
    const auto may = [&](const std::string& sender) {
        return directory_->may_post(directory_->find_alias("staff@a.test").value().value(), sender).value();
    };
    for (const char* member : {"ann@a.test", "ann+x@a.test", "annie@a.test", "X@far.test", "in@far.test"})
        EXPECT_TRUE(may(member)) << member;
    for (const char* other : {"bob@a.test", "y@far.test", "", "junk"}) EXPECT_FALSE(may(other)) << other;
    ASSERT_TRUE(alias("staff@a.test", {"ann@a.test"}, List{"bob@a.test", "owner @far.test boss@b.test", ""}));
    for (const char* allowed : {"bob@a.test", "y@far.test", "boss@b.test"}) EXPECT_TRUE(may(allowed)) << allowed;
    for (const char* other : {"ann@a.test", "other@b.test", ""}) EXPECT_FALSE(may(other)) << other;
    ASSERT_TRUE(alias("staff@a.test", {"ann@a.test"}, List{"bob@a.test", "anyone", ""}));
    EXPECT_TRUE(may("who@ever.test"));
}

TEST_F(Rules, AListNeedsAnOwnerWhoIsThere) {
    EXPECT_EQ(alias("staff@a.test", {"ann@a.test"}, List{"zoe@a.test", "members", ""}).error().code, Errc::NotFound);
    EXPECT_EQ(alias("staff@a.test", {"ann@a.test"}, List{"staff@a.test", "members", ""}).error().code, Errc::BadInput);
    EXPECT_EQ(alias("@a.test", {"ann@a.test"}, List{"bob@a.test", "members", ""}).error().code, Errc::BadInput);
    EXPECT_EQ(alias("staff@a.test", {"ann@a.test"}, List{"bob@a.test", "who?", ""}).error().code, Errc::BadInput);
    EXPECT_EQ(alias("staff@a.test", {"ann@a.test"}, List{"bob@a.test", "members", "a\r\nBcc: x"}).error().code,
              Errc::BadInput);
}

TEST_F(Rules, ListsThatLeadInACircleAreRefused) {
    const List list{"bob@a.test", "members", ""};
    ASSERT_TRUE(alias("one@a.test", {"ann@a.test"}, list));
    ASSERT_TRUE(alias("two@a.test", {"one@a.test"}, list));
    EXPECT_THAT(alias("one@a.test", {"two@a.test"}, list).error().text,
                HasSubstr("one@a.test → two@a.test → one@a.test"));
}

TEST_F(Rules, AnAliasBombIsRefusedBeforeItTakesLong) {
    Limits limits;
    limits.alias_size = 100;
    open(limits);
    // Each of 100 leads to the same 100: ten thousand steps to one account, were they taken.
    std::vector<std::string> members, bombs;
    for (int i = 0; i < 100; ++i) members.push_back(fmt::format("ann+{}@a.test", i));
    for (int i = 0; i < 100; ++i) bombs.push_back(fmt::format("b{}@a.test", i));
    int next = 0;
    const auto applied = directory_->apply_aliases(
        [&]() -> Result<std::optional<NewAlias>> {
            if (next == 100) return std::optional<NewAlias>();
            return NewAlias{bombs[static_cast<std::size_t>(next++)], members, {}};
        },
        {}, kActor);
    ASSERT_TRUE(applied) << applied.error().text;
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(alias("bomb@a.test", bombs).error().code, Errc::Permanent);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
}

TEST_F(Rules, AppliesAllOrNothing) {
    std::vector<NewAlias> wanted = {{"one@a.test", {"two@a.test"}, {}}, {"two@a.test", {"ann@a.test"}, {}}};
    const auto apply = [&](Directory::ApplyOptions options) {
        std::size_t next = 0;
        return directory_->apply_aliases(
            [&]() -> Result<std::optional<NewAlias>> {
                if (next == wanted.size()) return std::optional<NewAlias>();
                return wanted[next++];
            },
            options, kActor);
    };
    EXPECT_EQ(apply({.dry_run = true})->added, 2);
    EXPECT_THAT(directory_->aliases().value(), IsEmpty());
    ASSERT_TRUE(apply({}));
    EXPECT_EQ(way("one@a.test"), "ann@a.test");  // declared before what it leads to
    EXPECT_EQ(apply({})->same, 2);
    wanted[0].targets = {"bob@a.test"};
    wanted.push_back({"three@a.test", {"nobody@a.test"}, {}});
    EXPECT_EQ(apply({}).error().code, Errc::NotFound);
    EXPECT_EQ(way("one@a.test"), "ann@a.test");
    wanted = {{"four@a.test", {"ann@a.test"}, {}}};
    EXPECT_EQ(apply({.prune = true})->removed, 2);
    EXPECT_EQ(way("one@a.test"), "no such user");
}

TEST_F(Rules, ShowsTheWholeWayAsATree) {
    ASSERT_TRUE(alias("team@a.test", {"ann@a.test", "x@far.test"}));
    ASSERT_TRUE(alias("all@a.test", {"team@a.test", "bob+x@a.test"}, List{"bob@a.test", "members", ""}));
    const auto tree = directory_->expand("all@a.test").value();
    EXPECT_EQ(tree.how, "list");
    ASSERT_EQ(tree.leads_to.size(), 2u);
    EXPECT_EQ(tree.leads_to[0].how, "alias");
    EXPECT_EQ(tree.leads_to[0].leads_to[1].how, "external");
    EXPECT_EQ(tree.leads_to[1].how, "account");
    EXPECT_EQ(tree.leads_to[1].by, "bob@a.test");
    EXPECT_EQ(tree.leads_to[1].detail, "x");
    EXPECT_EQ(directory_->expand("nobody@a.test")->how, "nobody");
    EXPECT_EQ(directory_->expand("x@y.test")->how, "not-local");
}

}  // namespace
}  // namespace gk::directory
