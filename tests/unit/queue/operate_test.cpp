// SPDX-License-Identifier: MIT
#include "common/queue/operate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <thread>

#include "common/os/file.hpp"
#include "common/queue/engine.hpp"
#include "common/queue/spool.hpp"
#include "common/queue/suppression.hpp"
#include "tests/unit/smtp_client/scripted_peer.hpp"

// What people order, on the engine at work and on the files, and what they are told.
namespace gk::queue {
namespace {

using gk::testing::Behaviour;
using gk::testing::ScriptedPeer;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// Mail for b.test goes to PEER, for a.test (where DSNs go) to HOME, for dead.test nowhere.
struct Operated {
    Operated() {
        char name[] = "/tmp/gk-unit-operate-XXXXXX";
        dir = ::mkdtemp(name);
        settings.spool_dir = dir + "/spool";
        settings.hostname = "mx.a.test";
        settings.schedule.first = settings.schedule.most = seconds(3600);
        settings.connect_timeout = std::chrono::milliseconds(500);
        settings.drain_timeout = std::chrono::milliseconds(3000);
        settings.dns.servers = {"127.0.0.1@1"};
        settings.dns.timeout = std::chrono::milliseconds(300);
        settings.routes = {{"b.test", peer_route()},
                           {"a.test", fmt::format("[127.0.0.1]:{}", home.port())},
                           {"dead.test", "127.0.0.1:1"}};
    }
    ~Operated() {
        engine.reset();
        (void)os::remove_tree(dir);
    }
    std::string peer_route() { return fmt::format("127.0.0.1:{}", peer.port()); }
    void start() {
        auto started = Engine::start(settings, [](std::string_view) -> Result<bool> { return false; });
        ASSERT_TRUE(started) << started.error().text;
        engine = std::move(*started);
    }
    std::string put(const std::vector<std::string>& recipients, const std::string& account = "") {
        Envelope e;
        e.reverse_path = "ann@a.test";
        e.account = account;
        for (const auto& r : recipients) e.recipients.push_back({r, "", kNotifyUnset, {}});
        auto writer = SpoolWriter::create(settings.spool_dir, e);
        EXPECT_TRUE(writer && writer->write("Subject: hi\r\n\r\nhello\r\n"));
        return writer->commit().value_or("");
    }
    template <class Condition>
    static bool until(Condition condition) {
        for (int i = 0; i < 1500; ++i) {
            if (condition()) return true;
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        return false;
    }
    bool deferred(const std::string& id) {
        return until([&] {
            const auto detail = engine->show(id);
            return detail && detail->status == "deferred";
        });
    }
    std::size_t files() const {
        const auto fresh = os::list_directory(settings.spool_dir + "/new")->size();
        return fresh + os::list_directory(settings.spool_dir + "/active")->size();
    }
    std::vector<std::string> listed(Access& access, const Filter& filter) const {
        std::vector<std::string> ids;
        EXPECT_TRUE(access.list(filter, [&](const Summary& s) { ids.push_back(s.id); }));
        return ids;
    }

    std::string dir;
    ScriptedPeer peer{[](int) { return Behaviour{}; }}, home{[](int) { return Behaviour{}; }};
    Settings settings;
    std::unique_ptr<Engine> engine;
};

Command redirect(std::vector<std::string> to) {
    Command command(Action::Redirect);
    command.to = std::move(to);
    return command;
}
Command reroute(std::string via) {
    Command command(Action::Reroute);
    command.via = std::move(via);
    return command;
}

TEST(QueueOperate, RedirectSendsToOthersAndTellsNobody) {
    Operated bed;
    bed.start();
    const auto id = bed.put({"x@dead.test", "y@dead.test"});
    ASSERT_TRUE(bed.deferred(id));
    ASSERT_TRUE(bed.engine->change(redirect({"bob@b.test", "bea@b.test"}), id));
    ASSERT_TRUE(bed.until([&] { return bed.files() == 0; }));
    ASSERT_EQ(bed.peer.received().size(), 1u);
    EXPECT_EQ(bed.peer.received()[0].rcpt.size(), 2u);  // each once, though two gave way to them
    EXPECT_TRUE(bed.home.received().empty());
}

TEST(QueueOperate, RedirectRefusesWhatIsNoAddressAndLoops) {
    Operated bed;
    bed.start();
    const auto id = bed.put({"x@dead.test"});
    ASSERT_TRUE(bed.deferred(id));
    EXPECT_EQ(bed.engine->change(redirect({"no address"}), id).error().code, Errc::BadInput);
    EXPECT_EQ(bed.engine->change(redirect({"j\xC3\xBCrgen@b.test"}), id).error().code, Errc::BadInput);
    EXPECT_EQ(bed.engine->change(redirect({"X@dead.test"}), id).error().code, Errc::BadInput);
    ASSERT_TRUE(bed.engine->change(redirect({"y@dead.test"}), id));
    const auto back = bed.engine->change(redirect({"x@dead.test"}), id);
    ASSERT_FALSE(back);
    EXPECT_THAT(back.error().text, HasSubstr("a loop"));
}

TEST(QueueOperate, RerouteIsRememberedAndUndone) {
    Operated bed;
    bed.start();
    const auto id = bed.put({"x@dead.test"});
    ASSERT_TRUE(bed.deferred(id));
    EXPECT_EQ(bed.engine->change(reroute("not a route!"), id).error().code, Errc::BadInput);
    ASSERT_TRUE(bed.engine->change(Action::Hold, id));
    ASSERT_TRUE(bed.engine->change(reroute(bed.peer_route()), id));
    const auto state = [&] {
        const auto detail = bed.engine->show(id).value();
        return MessageState::of(detail.envelope, detail.outcomes);
    };
    EXPECT_EQ(state().route, bed.peer_route());
    ASSERT_TRUE(bed.engine->change(reroute("mx"), id));
    EXPECT_EQ(state().route, "");
    ASSERT_TRUE(bed.engine->change(reroute(bed.peer_route()), id));
    ASSERT_TRUE(bed.engine->change(Action::Release, id));
    ASSERT_TRUE(bed.until([&] { return bed.files() == 0; }));
    EXPECT_EQ(bed.peer.received().size(), 1u);
}

TEST(QueueOperate, BounceTellsTheSenderAtOnceWhateverIsHeld) {
    Operated bed;
    bed.start();
    const auto id = bed.put({"x@dead.test"});
    ASSERT_TRUE(bed.deferred(id));
    ASSERT_TRUE(bed.engine->change(Action::Hold, id));
    Command command(Action::Bounce);
    command.reason = "wrong list";
    ASSERT_TRUE(bed.engine->change(command, id));
    ASSERT_TRUE(bed.until([&] { return bed.home.received().size() == 1; }));
    EXPECT_THAT(bed.home.received()[0].data, HasSubstr("given up by the postmaster: wrong list"));
    ASSERT_TRUE(bed.until([&] { return bed.files() == 0; }));
    EXPECT_EQ(bed.engine->change(command, id).error().code, Errc::NotFound);
}

TEST(QueueOperate, DeletionIsForGoodAtAnyMoment) {
    Operated bed;
    bed.start();
    // Each is deleted right after it was committed: in new/, on its way to active/, or under way.
    std::vector<std::string> ids;
    for (int i = 0; i < 40; ++i) {
        ids.push_back(bed.put({"x@dead.test"}));
        const auto done = bed.engine->change(Action::Delete, ids.back());
        EXPECT_TRUE(done) << done.error().text;
        EXPECT_FALSE(os::exists(bed.settings.spool_dir + "/active/" + ids.back()));
        EXPECT_FALSE(os::exists(bed.settings.spool_dir + "/new/" + ids.back()));
    }
    ASSERT_TRUE(bed.until([&] { return bed.engine->is_idle(); }));
    EXPECT_EQ(bed.files(), 0u);
    EXPECT_THAT(bed.listed(*bed.engine, {}), IsEmpty());
}

TEST(QueueOperate, AHoldIsKeptAtAnyMoment) {
    Operated bed;
    bed.start();
    std::vector<std::string> ids;
    for (int i = 0; i < 20; ++i) {
        ids.push_back(bed.put({"x@dead.test"}));
        ASSERT_TRUE(bed.engine->change(Action::Hold, ids.back()));
    }
    Filter held;
    held.status = "held";
    ASSERT_TRUE(bed.until([&] { return bed.listed(*bed.engine, held).size() == ids.size(); }));
}

TEST(QueueOperate, DrainingEndsNoAcceptanceAndOutlivesARestart) {
    Operated bed;
    bed.start();
    ASSERT_TRUE(bed.engine->drain(DrainChange{true, ""}));
    bed.put({"bob@b.test"});
    ASSERT_TRUE(bed.until([&] { return bed.listed(*bed.engine, {}).size() == 1; }));
    bed.engine.reset();
    bed.start();
    EXPECT_THAT(*bed.engine->drain({}), Contains("*"));
    EXPECT_EQ(bed.engine->stats(By::Destination)->at(0).state, "drained");
    EXPECT_TRUE(bed.peer.received().empty());
    ASSERT_TRUE(bed.engine->drain(DrainChange{false, ""}));
    ASSERT_TRUE(bed.until([&] { return bed.files() == 0; }));
    EXPECT_EQ(bed.peer.received().size(), 1u);
}

TEST(QueueOperate, OneDomainIsDrainedAlone) {
    Operated bed;
    bed.settings.routes["c.test"] = bed.peer_route();
    bed.start();
    EXPECT_EQ(bed.engine->drain(DrainChange{true, "no domain"}).error().code, Errc::BadInput);
    ASSERT_TRUE(bed.engine->drain(DrainChange{true, "B.test"}));
    const auto id = bed.put({"bob@b.test", "carl@c.test"});
    ASSERT_TRUE(bed.until([&] { return bed.peer.received().size() == 1; }));
    EXPECT_EQ(bed.peer.received()[0].rcpt.size(), 1u);
    const auto sentences = explain(bed.engine->explain(id).value(), now());
    EXPECT_THAT(sentences, Contains(HasSubstr("drained")));
    ASSERT_TRUE(bed.engine->drain(DrainChange{false, "b.test"}));
    ASSERT_TRUE(bed.until([&] { return bed.files() == 0; }));
}

TEST(QueueOperate, StatsCountWhatWaits) {
    Operated bed;
    bed.start();
    const auto one = bed.put({"x@dead.test", "y@dead.test"}), two = bed.put({"z@dead.test"}, "news@a.test");
    ASSERT_TRUE(bed.deferred(one));
    ASSERT_TRUE(bed.until([&] { return bed.engine->show(two)->status != "active"; }));
    const auto stats = bed.engine->stats(By::Destination).value();
    ASSERT_EQ(stats.size(), 1u);
    EXPECT_EQ(stats[0].name, "dead.test");
    EXPECT_EQ(stats[0].messages, 2u);
    EXPECT_EQ(bed.engine->stats(By::Age)->at(0).ages[0], 2u);
    EXPECT_EQ(stats[0].state, "down");
    EXPECT_THAT(stats[0].reason, HasSubstr("refused"));
    Filter filter;
    filter.account = "@a.test";
    EXPECT_THAT(bed.listed(*bed.engine, filter), UnorderedElementsAre(two));
    filter = {};
    filter.before = now() - std::chrono::hours(1);
    EXPECT_THAT(bed.listed(*bed.engine, filter), IsEmpty());
    filter = {};
    filter.reason = "REFUSED";
    filter.next_hop = "[127.0.0.1]:1";
    filter.limit = 1;
    EXPECT_EQ(bed.listed(*bed.engine, filter).size(), 1u);
}

TEST(QueueOperate, ExplainsWhatIsKnown) {
    Operated bed;
    bed.start();
    const auto id = bed.put({"x@dead.test"});
    ASSERT_TRUE(bed.deferred(id));
    auto said = explain(bed.engine->explain(id).value(), now());
    EXPECT_THAT(said, Contains(HasSubstr("was tried 1 time")));
    EXPECT_THAT(said, Contains(HasSubstr("left alone until")));
    EXPECT_THAT(said, Contains(HasSubstr("The next attempt is due at")));
    EXPECT_THAT(said, Contains(HasSubstr("given up and returned")));
    ASSERT_TRUE(bed.engine->change(Action::Hold, id));
    said = explain(bed.engine->explain(id).value(), now());
    EXPECT_THAT(said, Contains(HasSubstr("It is held since")));
    EXPECT_EQ(bed.engine->read(id, 0, 10).value(), "Subject: h");
    EXPECT_EQ(bed.engine->read(id, 1000, 10).value(), "");
}

TEST(QueueOperate, WhatWasDoneToTheFilesStandsInTheIndexToo) {
    Operated bed;
    bed.start();
    const auto held = bed.put({"x@dead.test"}), gone = bed.put({"y@dead.test"}), turned = bed.put({"z@dead.test"});
    ASSERT_TRUE(bed.until([&] { return bed.engine->is_idle(); }));
    bed.engine.reset();
    {
        auto access = open_access(bed.settings.spool_dir, bed.dir + "/no.sock").value();
        ASSERT_TRUE(access->change(Action::Hold, held));
        ASSERT_TRUE(access->change(Action::Delete, gone));
        ASSERT_TRUE(access->change(redirect({"bob@b.test"}), turned));
        EXPECT_THAT(explain(access->explain(held).value(), now()), Contains(HasSubstr("No gk-queue runs")));
    }
    EXPECT_TRUE(os::exists(bed.settings.spool_dir + "/queue.db"));
    bed.start();
    ASSERT_TRUE(bed.until([&] { return bed.peer.received().size() == 1; }));
    ASSERT_TRUE(bed.until([&] { return bed.files() == 1; }));
    EXPECT_EQ(bed.engine->show(held)->status, "held");
}

TEST(QueueSuppression, WhatDoesNotExistIsNotSentToAgainForABulkSender) {
    Operated bed;
    bed.settings.bulk_senders = {"news@a.test"};
    bed.settings.routes["no.test"] = "[127.0.0.1]:1";
    bed.start();
    auto known = Suppressions::open(bed.settings.spool_dir).value();
    ASSERT_TRUE(known->add({"news@a.test", "Gone@b.test", now(), "550 5.1.1 nobody", 1}, 100));
    bed.put({"gone@b.test", "bob@b.test"}, "news@a.test");
    ASSERT_TRUE(bed.until([&] { return bed.files() == 0; }));
    ASSERT_EQ(bed.peer.received().size(), 1u);
    EXPECT_EQ(bed.peer.received()[0].rcpt.size(), 1u);
    ASSERT_EQ(bed.home.received().size(), 1u);
    EXPECT_THAT(bed.home.received()[0].data, HasSubstr("because of: 550 5.1.1 nobody"));
    // Others may try, and the refusal itself was not counted.
    bed.put({"gone@b.test"}, "ann@a.test");
    ASSERT_TRUE(bed.until([&] { return bed.peer.received().size() == 2; }));
    EXPECT_EQ(known->find("news@a.test", "gone@b.test").value()->count, 1u);
}

TEST(QueueSuppression, OnlyAddressesThatAreNoneCount) {
    for (const auto* status : {"5.1.1", "5.1.2", "5.1.10"}) EXPECT_TRUE(means_no_such_address(status)) << status;
    for (const auto* status : {"5.2.2", "5.7.1", "5.0.0", "5.1.8", "4.1.1", "5.1.0"})
        EXPECT_FALSE(means_no_such_address(status)) << status;
    Settings settings;
    settings.bulk_senders = {"news@a.test", "@bulk.test", "lists.test"};
    EXPECT_TRUE(settings.is_bulk_sender("News@a.test"));
    EXPECT_TRUE(settings.is_bulk_sender("x@bulk.test"));
    EXPECT_TRUE(settings.is_bulk_sender("x@lists.test"));
    EXPECT_FALSE(settings.is_bulk_sender("ann@a.test"));
    EXPECT_FALSE(settings.is_bulk_sender(""));
}

TEST(QueueSuppression, IsBoundedAndForgetsTheOldest) {
    Operated bed;
    ASSERT_TRUE(create_spool(bed.settings.spool_dir));
    auto known = Suppressions::open(bed.settings.spool_dir).value();
    for (int i = 0; i < 5; ++i)
        ASSERT_TRUE(known->add({"news@a.test", fmt::format("x{}@b.test", i), from_unix_s(1000 + i), "r", 1}, 3));
    std::vector<std::string> left;
    ASSERT_TRUE(known->list("news@a.test", [&](const Suppressed& s) { left.push_back(s.address); }));
    EXPECT_EQ(left, (std::vector<std::string>{"x2@b.test", "x3@b.test", "x4@b.test"}));
    EXPECT_TRUE(known->remove("news@a.test", "x3@b.test").value());
    EXPECT_FALSE(known->remove("news@a.test", "x3@b.test").value());
}

}  // namespace
}  // namespace gk::queue
