// SPDX-License-Identifier: MIT
#include "common/tlspolicy/sts_store.hpp"

#include <gmock/gmock.h>
#include <atomic>
#include <cstdlib>

#include "common/os/file.hpp"
#include "tests/unit/tlspolicy/fake_dns.hpp"

using namespace gk;
using namespace gk::tlspolicy;
using gk::testing::FakeDns;
using ::testing::HasSubstr;

namespace {

std::string policy(std::string_view mode = "enforce", std::int64_t max_age_s = 86400) {
    return fmt::format("version: STSv1\nmode: {}\nmx: mx.b.test\nmax_age: {}\n", mode, max_age_s);
}

// A domain with a policy, and a web server that does as it is told.
struct Bed {
    Bed() {
        char name[] = "/tmp/gk-unit-sts-XXXXXX";
        dir = ::mkdtemp(name);
        dns.txt_records["_mta-sts.b.test"] = {"v=STSv1; id=1"};
        dns.a_records["mta-sts.b.test"] = {"192.0.2.80"};
        restart();
    }
    ~Bed() {
        store.reset();
        (void)os::remove_tree(dir);
    }
    void restart(std::size_t most = 100) {
        store.reset();
        store = std::make_unique<StsStore>(StsStore::Options{dir + "/cache", most, true}, dns,
                                           [this](const std::string&, const std::vector<std::string>&) {
                                               ++fetches;
                                               return web;
                                           });
    }
    // As if SPAN had passed since the policy was fetched.
    void age(std::chrono::seconds span) {
        StsCache cache(dir + "/cache", 100);
        auto entry = cache.find("b.test");
        ASSERT_TRUE(entry);
        entry->fetched -= span;
        entry->expires -= span;
        ASSERT_TRUE(cache.put(*entry));
    }
    FakeDns dns;
    Fetched web{ResultType::Success, policy()};
    std::atomic<int> fetches{0};
    std::string dir;
    std::unique_ptr<StsStore> store;
};

}  // namespace

TEST(StsStore, FetchesOnceAndRemembersPastItsEnd) {
    Bed bed;
    EXPECT_EQ(bed.store->find("b.test").source, StsView::Source::Fetched);
    EXPECT_EQ(bed.store->find("b.test").source, StsView::Source::Cached);
    bed.restart();
    const auto view = bed.store->find("b.test");
    EXPECT_EQ(view.source, StsView::Source::Cached);
    ASSERT_TRUE(view.entry);
    EXPECT_EQ(view.entry->policy.mx, (std::vector<std::string>{"mx.b.test"}));
    EXPECT_EQ(bed.fetches, 1);
}

TEST(StsStore, WithoutARecordNothingIsFetched) {
    Bed bed;
    const auto view = bed.store->find("c.test");
    EXPECT_FALSE(view.entry);
    EXPECT_EQ(view.problem, ResultType::Success);
    EXPECT_EQ(bed.fetches, 0);
}

TEST(StsStore, ACachedPolicyStaysInForceWhileDnsAndHttpsAreUnderAttack) {
    Bed bed;
    ASSERT_TRUE(bed.store->find("b.test").entry);
    bed.web = {ResultType::StsWebpkiInvalid, "certificate of an impostor"};
    bed.restart();
    bed.dns.txt_records["_mta-sts.b.test"] = {"v=STSv1; id=forged"};
    EXPECT_TRUE(bed.store->find("b.test").entry);
    bed.dns.txt_records.erase("_mta-sts.b.test");
    EXPECT_TRUE(bed.store->find("b.test").entry);
    bed.dns.broken["_mta-sts.b.test"] = true;
    EXPECT_TRUE(bed.store->find("b.test").entry);
    bed.age(std::chrono::hours(25));
    const auto late = bed.store->find("b.test");
    EXPECT_FALSE(late.entry);
    EXPECT_TRUE(late.expired);
}

TEST(StsStore, AnotherIdFetchesAtOnce) {
    Bed bed;
    ASSERT_TRUE(bed.store->find("b.test").entry);
    bed.dns.txt_records["_mta-sts.b.test"] = {"v=STSv1; id=2"};
    bed.web.text = policy("none");
    const auto view = bed.store->find("b.test");
    EXPECT_FALSE(view.entry);
    EXPECT_EQ(bed.fetches, 2);
    EXPECT_FALSE(bed.store->find("b.test").entry);
    EXPECT_EQ(bed.fetches, 2);
}

TEST(StsStore, RenewsBeforeTheEndWithoutLettingMailWait) {
    Bed bed;
    ASSERT_TRUE(bed.store->find("b.test").entry);
    bed.age(std::chrono::hours(13));
    EXPECT_EQ(bed.store->find("b.test").source, StsView::Source::Cached);
    bed.store->wait();
    EXPECT_EQ(bed.fetches, 2);
    EXPECT_GT(bed.store->find("b.test").entry->expires, now() + std::chrono::hours(23));
    bed.age(std::chrono::hours(13));
    bed.store->renew_old();
    bed.store->wait();
    EXPECT_EQ(bed.fetches, 3);
}

TEST(StsStore, DoesNotAskAFailingServerAgainAtOnce) {
    Bed bed;
    bed.web = {ResultType::StsPolicyFetchError, "the server answers 500"};
    for (int i = 0; i < 3; ++i) {
        const auto view = bed.store->find("b.test");
        EXPECT_FALSE(view.entry);
        EXPECT_EQ(view.problem, ResultType::StsPolicyFetchError);
        EXPECT_THAT(view.text, HasSubstr("500"));
    }
    EXPECT_EQ(bed.fetches, 1);
    bed.web = {ResultType::Success, policy()};
    EXPECT_TRUE(bed.store->renew("b.test").entry);
}

TEST(StsStore, APolicyThatIsNoneIsInvalidAndNotKept) {
    Bed bed;
    bed.web.text = "<html>welcome</html>";
    const auto view = bed.store->find("b.test");
    EXPECT_EQ(view.problem, ResultType::StsPolicyInvalid);
    EXPECT_TRUE(StsCache(bed.dir + "/cache", 10).list()->empty());
}

TEST(StsStore, ManyAtOnceCauseOneRequest) {
    Bed bed;
    std::vector<std::thread> threads;
    std::atomic<int> found{0};
    for (int i = 0; i < 8; ++i) threads.emplace_back([&] { found += bed.store->find("b.test").entry.has_value(); });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(found, 8);
    EXPECT_EQ(bed.fetches, 1);
}

TEST(StsCache, IsBoundedAndKeepsWhatLastsLongest) {
    Bed bed;
    StsCache cache(bed.dir + "/cache", 3);
    for (int i = 0; i < 5; ++i)
        ASSERT_TRUE(cache.put({fmt::format("d{}.test", i),
                               "1",
                               now(),
                               now() + std::chrono::hours(10 - i),
                               {StsMode::Enforce, 86400, {"mx.test"}}}));
    const auto left = cache.list();
    ASSERT_TRUE(left);
    ASSERT_EQ(left->size(), 3u);
    EXPECT_EQ((*left)[0].domain, "d0.test");
    EXPECT_EQ(cache.drop("nobody.test").error().code, Errc::NotFound);
    EXPECT_TRUE(cache.drop("d0.test"));
}

TEST(StsCache, MakesRoomForManyAtOnce) {
    Bed bed;
    StsCache cache(bed.dir + "/cache", 32);
    for (int i = 0; i < 33; ++i)
        ASSERT_TRUE(cache.put({fmt::format("d{:02}.test", i),
                               "1",
                               now(),
                               now() + std::chrono::hours(i + 1),
                               {StsMode::Enforce, 86400, {"mx.test"}}}));
    EXPECT_EQ(cache.list()->size(), 30u) << "32 less a sixteenth, less room for one, and that one";
    EXPECT_FALSE(cache.find("d02.test"));
    EXPECT_TRUE(cache.find("d03.test"));
    EXPECT_TRUE(cache.find("d32.test"));
}

TEST(StsCache, TakesNoNameThatIsNoDomain) {
    Bed bed;
    StsCache cache(bed.dir + "/cache", 3);
    for (const char* name : {"", ".", "..", "../x", "a/b", ".hidden", "A.test"}) {
        EXPECT_FALSE(cache.find(name)) << name;
        EXPECT_FALSE(cache.put({name, "1", now(), now(), {StsMode::Enforce, 1, {"mx.test"}}})) << name;
    }
    ASSERT_TRUE(os::make_directories(bed.dir + "/cache"));
    ASSERT_TRUE(os::replace_file(bed.dir + "/cache/x.test", "rubbish"));
    EXPECT_FALSE(cache.find("x.test"));
    EXPECT_TRUE(cache.list()->empty());
}
