// SPDX-License-Identifier: MIT
#include "common/queue/engine.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/os/file.hpp"
#include "common/queue/notices.hpp"
#include "common/queue/spool.hpp"
#include "common/queue/state.hpp"
#include "tests/unit/smtp_client/scripted_peer.hpp"

namespace gk::queue {
namespace {

using gk::testing::Behaviour;
using gk::testing::ScriptedPeer;
using ::testing::HasSubstr;

constexpr std::string_view kMessage = "Subject: hi\r\nMessage-ID: <1@a.test>\r\n\r\nhello\r\n";

// A spool and an engine whose mail for b.test goes to one peer, and for a.test (where DSNs go) to another.
struct Bed {
    explicit Bed(std::function<Behaviour(int)> behave = [](int) { return Behaviour{}; }) : peer(std::move(behave)) {
        char name[] = "/tmp/gk-unit-engine-XXXXXX";
        dir = ::mkdtemp(name);
        settings.spool_dir = dir + "/spool";
        settings.hostname = "mx.a.test";
        settings.schedule.first = seconds(1);
        settings.schedule.most = seconds(1);
        settings.timeouts.command = settings.timeouts.data_end = settings.timeouts.handshake =
            std::chrono::milliseconds(2000);
        settings.connect_timeout = std::chrono::milliseconds(500);
        settings.drain_timeout = std::chrono::milliseconds(3000);
        settings.dns.servers = {"127.0.0.1@1"};
        settings.dns.timeout = std::chrono::milliseconds(300);
        settings.routes = {{"b.test", fmt::format("127.0.0.1:{}", peer.port())},
                           {"a.test", fmt::format("[127.0.0.1]:{}", home.port())},
                           {"dead.test", "127.0.0.1:1"}};
    }
    ~Bed() {
        engine.reset();
        (void)os::remove_tree(dir);
    }
    void start() {
        auto started = Engine::start(settings, [](std::string_view) -> Result<bool> { return false; });
        ASSERT_TRUE(started) << started.error().text;
        engine = std::move(*started);
    }
    std::string put(std::vector<std::string> recipients, std::string from = "ann@a.test", TimePoint arrival = {}) {
        Envelope e;
        e.reverse_path = std::move(from);
        e.arrival = arrival;
        for (auto& r : recipients) e.recipients.push_back({std::move(r), "", kNotifyUnset, {}});
        return put_envelope(e);
    }
    std::string put_envelope(const Envelope& e, std::string_view message = kMessage) {
        auto writer = SpoolWriter::create(settings.spool_dir, e);
        EXPECT_TRUE(writer && writer->write(message));
        auto id = writer->commit();
        EXPECT_TRUE(id);
        return id.value_or("");
    }
    template <class Condition>
    bool until(Condition condition) {
        for (int i = 0; i < 1000; ++i) {
            if (condition()) return true;
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        return false;
    }
    bool idle() {
        return until([&] { return engine->is_idle(); });
    }
    std::size_t files() {
        // Files move from new/ to active/: in this order none is missed on its way.
        const auto fresh = os::list_directory(settings.spool_dir + "/new")->size();
        return fresh + os::list_directory(settings.spool_dir + "/active")->size();
    }

    std::string dir;
    ScriptedPeer peer, home;
    Settings settings;
    std::unique_ptr<Engine> engine;
};

TEST(QueueEngine, DeliversAtOnceAndKeepsNothing) {
    Bed bed;
    bed.start();
    bed.put({"bob@b.test", "bea@b.test"});
    ASSERT_TRUE(bed.until([&] { return bed.files() == 0; }));
    ASSERT_EQ(bed.peer.received().size(), 1u);
    EXPECT_EQ(bed.peer.received()[0].rcpt.size(), 2u);
    EXPECT_EQ(bed.peer.received()[0].data, kMessage);
    EXPECT_TRUE(bed.home.received().empty());
}

TEST(QueueEngine, ReusesConnections) {
    Bed bed;
    for (int i = 0; i < 30; ++i) bed.put({"bob@b.test"});
    bed.start();
    ASSERT_TRUE(bed.until([&] { return bed.files() == 0; }));
    EXPECT_EQ(bed.peer.received().size(), 30u);
    EXPECT_LT(bed.peer.connections(), 21);
}

TEST(QueueEngine, ReturnsWhatFailsAndDeliversTheRest) {
    Bed bed([](int) {
        Behaviour b;
        b.replies["RCPT TO:<no@b.test>"] = "550 5.1.1 no such user\r\n";
        return b;
    });
    bed.start();
    bed.put({"no@b.test", "bob@b.test"});
    ASSERT_TRUE(bed.until([&] { return bed.home.received().size() == 1 && bed.files() == 0; }));
    const auto dsn = bed.home.received()[0];
    EXPECT_THAT(dsn.mail, HasSubstr("MAIL FROM:<>"));
    EXPECT_THAT(dsn.rcpt[0], HasSubstr("RCPT TO:<ann@a.test>"));
    EXPECT_THAT(dsn.data, HasSubstr("Final-Recipient: rfc822; no@b.test\r\nAction: failed\r\nStatus: 5.1.1\r\n"));
    EXPECT_THAT(dsn.data, HasSubstr("Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n"));
    EXPECT_THAT(dsn.data, HasSubstr("hello"));
    EXPECT_EQ(bed.peer.received().size(), 1u);
}

TEST(QueueEngine, ARecordedFailureIsReturnedWithoutAnAttempt) {
    Bed bed;
    bed.start();
    Envelope e;
    e.reverse_path = "ann@a.test";
    e.recipients.push_back({"full@b.test", "", kNotifyUnset, "552 5.2.2 mailbox full"});
    bed.put_envelope(e);
    ASSERT_TRUE(bed.until([&] { return bed.home.received().size() == 1 && bed.files() == 0; }));
    EXPECT_THAT(bed.home.received()[0].data, HasSubstr("Status: 5.2.2\r\n"));
    EXPECT_EQ(bed.peer.connections(), 0);
}

// What a kill leaves between the steps that notices.hpp names.
TEST(QueueEngine, ADsnThatAKillLeftIsSentOnceOrMadeAnew) {
    for (const auto& [is_marked, is_gone] : {std::pair(false, false), std::pair(true, false), std::pair(true, true)}) {
        SCOPED_TRACE(fmt::format("marked {}, gone {}", is_marked, is_gone));
        Bed bed;
        ASSERT_TRUE(create_spool(bed.settings.spool_dir));
        Envelope e;
        e.reverse_path = "ann@a.test";
        e.recipients.push_back({"full@b.test", "", kNotifyUnset, "552 5.2.2 mailbox full"});
        const auto about = bed.put_envelope(e);
        Envelope dsn;
        dsn.is_dsn = true;
        dsn.about = about;
        dsn.recipients.push_back({"ann@a.test", "", kNotifyNever, {}});
        auto writer = SpoolWriter::create(bed.settings.spool_dir, dsn);
        ASSERT_TRUE(writer && writer->write("Subject: the first\r\n\r\n"));
        const auto id = writer->commit("dsn").value();
        const std::string path = fmt::format("{}/new/{}", bed.settings.spool_dir, about);
        if (is_marked) {
            auto file = SpoolFile::open(path).value();
            const Outcome mark{OutcomeKind::Notified, 0, now(), {}, dsn_mark(id), {}, {}, {}};
            ASSERT_TRUE(file.append(std::span(&mark, 1)));
        }
        if (is_gone) {
            ASSERT_TRUE(os::unlink(path));
        }
        bed.start();
        ASSERT_TRUE(bed.until([&] { return bed.home.received().size() == 1 && bed.files() == 0; }));
        bed.engine.reset();
        ASSERT_EQ(bed.home.received().size(), 1u);
        EXPECT_EQ(bed.home.received()[0].data.find("the first") != std::string::npos, is_marked);
        EXPECT_EQ(os::list_directory(bed.settings.spool_dir + "/dsn")->size(), 0u);
    }
}

TEST(QueueEngine, StartsWhateverLiesAmongItsDsns) {
    Bed bed;
    ASSERT_TRUE(create_spool(bed.settings.spool_dir));
    Envelope e;
    e.is_dsn = true;
    e.recipients.push_back({"ann@a.test", "", kNotifyNever, {}});
    auto writer = SpoolWriter::create(bed.settings.spool_dir, e);
    ASSERT_TRUE(writer && writer->write("Subject: once\r\n\r\n"));
    const auto id = writer->commit("dsn").value();
    // Half moved, where moving is linking and unlinking.
    ASSERT_TRUE(os::link(bed.settings.spool_dir + "/dsn/" + id, bed.settings.spool_dir + "/new/" + id));
    ASSERT_TRUE(os::make_directories(bed.settings.spool_dir + "/dsn/directory"));
    bed.start();
    ASSERT_TRUE(bed.until([&] { return bed.home.received().size() == 1 && bed.files() == 0; }));
    bed.engine.reset();
    EXPECT_EQ(bed.home.received().size(), 1u);
    EXPECT_FALSE(os::exists(bed.settings.spool_dir + "/dsn/" + id));
}

TEST(QueueEngine, ARecordedDeliveryIsReportedWithoutAnAttempt) {
    Bed bed;
    bed.start();
    Envelope e;
    e.reverse_path = "ann@a.test";
    e.recipients.push_back({"bob@b.test", "", kNotifySuccess, {}, "250 2.0.0 kept"});
    bed.put_envelope(e);
    ASSERT_TRUE(bed.until([&] { return bed.home.received().size() == 1 && bed.files() == 0; }));
    EXPECT_THAT(bed.home.received()[0].data, HasSubstr("Action: delivered\r\nStatus: 2.0.0\r\n"));
    EXPECT_EQ(bed.peer.connections(), 0);
}

TEST(QueueEngine, NeverAnswersANullReversePath) {
    Bed bed([](int) {
        Behaviour b;
        b.replies["RCPT"] = "550 5.1.1 no\r\n";
        return b;
    });
    bed.start();
    bed.put({"no@b.test"}, "");
    ASSERT_TRUE(bed.until([&] { return bed.files() == 0; }));
    EXPECT_TRUE(bed.home.received().empty());
}

TEST(QueueEngine, NotifyNeverIsHonoured) {
    Bed bed([](int) {
        Behaviour b;
        b.replies["RCPT TO:<no@b.test> NOTIFY=NEVER"] = "550 5.1.1 no\r\n";
        return b;
    });
    bed.start();
    Envelope e;
    e.reverse_path = "ann@a.test";
    e.recipients.push_back({"no@b.test", "", kNotifyNever, {}});
    bed.put_envelope(e);
    ASSERT_TRUE(bed.until([&] { return bed.files() == 0; }));
    EXPECT_TRUE(bed.home.received().empty());
}

TEST(QueueEngine, TriesAgainUntilItWorksWhereverThePeerFails) {
    for (const char* where : {"connect", "EHLO", "MAIL", "RCPT", "DATA", "bytes"}) {
        Bed bed([&](int connection) {
            Behaviour b;
            if (connection == 0) b.drop_at = where;
            return b;
        });
        bed.start();
        bed.put({"bob@b.test"});
        ASSERT_TRUE(bed.until([&] { return bed.files() == 0; })) << where;
        EXPECT_EQ(bed.peer.received().size(), 1u) << where;
        EXPECT_TRUE(bed.home.received().empty()) << where;
    }
}

TEST(QueueEngine, KeepsHistoryOfDeferrals) {
    Bed bed([](int) {
        Behaviour b;
        b.replies["RCPT"] = "451 4.7.1 greylisted\r\n";
        return b;
    });
    bed.settings.schedule.first = bed.settings.schedule.most = seconds(3600);
    bed.start();
    const auto id = bed.put({"bob@b.test"});
    ASSERT_TRUE(bed.idle());
    const auto detail = bed.engine->show(id);
    ASSERT_TRUE(detail) << detail.error().text;
    ASSERT_EQ(detail->outcomes.size(), 1u);
    EXPECT_EQ(detail->outcomes[0].text, "451 4.7.1 greylisted");
    EXPECT_THAT(detail->outcomes[0].peer, HasSubstr("[127.0.0.1]:"));
    std::vector<Summary> rows;
    ASSERT_TRUE(bed.engine->list({}, [&](const Summary& s) { rows.push_back(s); }));
    ASSERT_EQ(rows.size(), 1u);
    EXPECT_EQ(rows[0].status, "deferred");
    EXPECT_EQ(rows[0].reason, "451 4.7.1 greylisted");
}

TEST(QueueEngine, GivesUpWhatIsTooOld) {
    Bed bed([](int) {
        Behaviour b;
        b.replies["RCPT"] = "451 4.7.1 later\r\n";
        return b;
    });
    bed.start();
    bed.put({"bob@b.test"}, "ann@a.test", now() - std::chrono::hours(24 * 6));
    ASSERT_TRUE(bed.until([&] { return bed.home.received().size() == 1 && bed.files() == 0; }));
    EXPECT_THAT(bed.home.received()[0].data, HasSubstr("Status: 5.4.7\r\n"));
}

TEST(QueueEngine, WarnsOnceOfDelay) {
    Bed bed([](int) {
        Behaviour b;
        b.replies["RCPT"] = "451 4.7.1 later\r\n";
        return b;
    });
    bed.start();
    const auto id = bed.put({"bob@b.test"}, "ann@a.test", now() - std::chrono::hours(5));
    ASSERT_TRUE(bed.until([&] { return bed.home.received().size() == 1; }));
    EXPECT_THAT(bed.home.received()[0].data, HasSubstr("Action: delayed\r\n"));
    ASSERT_TRUE(bed.until([&] {
        auto detail = bed.engine->show(id);
        return detail && std::count_if(detail->outcomes.begin(), detail->outcomes.end(),
                                       [](const Outcome& o) { return o.kind == OutcomeKind::Deferred; }) >= 3;
    }));
    EXPECT_EQ(bed.home.received().size(), 1u);
}

TEST(QueueEngine, ReportsSuccessWhereThePeerWillNot) {
    Bed bed([](int) {
        Behaviour b;
        b.ehlo = {"peer.test"};
        return b;
    });
    bed.start();
    Envelope e;
    e.reverse_path = "ann@a.test";
    e.recipients.push_back({"bob@b.test", "", kNotifySuccess, {}});
    bed.put_envelope(e);
    ASSERT_TRUE(bed.until([&] { return bed.home.received().size() == 1 && bed.files() == 0; }));
    EXPECT_THAT(bed.home.received()[0].data, HasSubstr("Action: relayed\r\n"));
}

TEST(QueueEngine, ADeadDestinationDoesNotHoldUpTheOthers) {
    Bed bed;
    bed.settings.threads = 4;
    bed.settings.schedule.first = bed.settings.schedule.most = seconds(3600);
    bed.start();
    for (int i = 0; i < 50; ++i) bed.put({"x@dead.test"});
    for (int i = 0; i < 10; ++i) bed.put({"bob@b.test"});
    ASSERT_TRUE(bed.until([&] { return bed.peer.received().size() == 10; }));
    EXPECT_TRUE(bed.idle());
    EXPECT_EQ(bed.files(), 50u);
}

TEST(QueueEngine, OneMessageDoesNotWaitBehindTheThousandsOfAnother) {
    Bed bed;
    bed.settings.limits.usual.connections = 1;
    for (int i = 0; i < 100; ++i) bed.put({"bob@b.test"}, "bulk@a.test");
    bed.start();
    ASSERT_TRUE(bed.until([&] { return bed.peer.received().size() >= 10; }));
    bed.put({"bob@b.test"}, "one@a.test");
    ASSERT_TRUE(bed.until([&] { return bed.files() == 0; }));
    const auto received = bed.peer.received();
    ASSERT_EQ(received.size(), 101u);
    std::size_t at = 0;
    while (at < received.size() && received[at].mail.find("one@a.test") == std::string::npos) ++at;
    EXPECT_LT(at, 80u);
}

TEST(QueueEngine, APeerThatWantsLessIsLeftAloneForAWhile) {
    Bed bed([](int connection) {
        Behaviour b;
        if (connection < 2) b.replies["MAIL"] = "421 4.7.0 too many messages\r\n";
        return b;
    });
    bed.start();
    for (int i = 0; i < 50; ++i) bed.put({"bob@b.test"});
    ASSERT_TRUE(bed.until([&] { return bed.files() == 0; }));
    EXPECT_EQ(bed.peer.received().size(), 50u);
    EXPECT_TRUE(bed.home.received().empty());
}

TEST(QueueEngine, KeepsToARate) {
    Bed bed;
    bed.settings.limits.domains["127.0.0.1"] = {20, 120};
    for (int i = 0; i < 6; ++i) bed.put({"bob@b.test"});
    const auto begun = std::chrono::steady_clock::now();
    bed.start();
    ASSERT_TRUE(bed.until([&] { return bed.files() == 0; }));
    // Two at once, the others two a second.
    EXPECT_GE(std::chrono::steady_clock::now() - begun, std::chrono::milliseconds(1500));
}

TEST(QueueEngine, FlushTriesWhatWasDeferred) {
    std::atomic<bool> greylists{true};
    Bed bed([&](int) {
        Behaviour b;
        if (greylists) b.replies["RCPT"] = "451 4.7.1 later\r\n";
        return b;
    });
    bed.settings.schedule.first = bed.settings.schedule.most = seconds(3600);
    bed.start();
    bed.put({"bob@b.test"});
    ASSERT_TRUE(bed.idle());
    EXPECT_EQ(bed.files(), 1u);
    greylists = false;
    bed.engine->flush();
    // The session that was kept says what it said.
    ASSERT_TRUE(bed.until([&] {
        if (bed.files() == 0) return true;
        if (bed.engine->is_idle()) bed.engine->flush();
        return false;
    }));
    EXPECT_EQ(bed.peer.received().size(), 1u);
}

TEST(QueueEngine, FindsTheFilesThatTheIndexDoesNotKnow) {
    Bed bed([](int) {
        Behaviour b;
        b.replies["RCPT"] = "451 4.7.1 later\r\n";
        return b;
    });
    bed.settings.schedule.first = bed.settings.schedule.most = seconds(3600);
    bed.start();
    std::set<std::string> ids;
    for (int i = 0; i < 30; ++i) ids.insert(bed.put({"bob@b.test"}));
    ASSERT_TRUE(bed.idle());
    bed.engine.reset();
    {
        auto index = Index::open(bed.settings.spool_dir + "/queue.db");
        ASSERT_TRUE(index);
        int n = 0;
        for (const auto& id : ids)
            if (n++ % 3 == 0) {
                EXPECT_TRUE(index->remove(id));
            }
        ASSERT_TRUE(os::unlink(bed.settings.spool_dir + "/active/" + *std::next(ids.begin())));
    }
    ids.erase(std::next(ids.begin()));
    bed.start();
    ASSERT_TRUE(bed.idle());
    std::set<std::string> listed;
    ASSERT_TRUE(bed.engine->list({}, [&](const Summary& s) { listed.insert(s.id); }));
    EXPECT_EQ(listed, ids);
}

TEST(QueueEngine, APeerThatWantsOneConnectionGetsOne) {
    Bed bed([](int connection) {
        Behaviour b;
        if (connection > 0) b.greeting = "421 4.7.0 too many connections\r\n";
        return b;
    });
    bed.start();
    for (int i = 0; i < 20; ++i) bed.put({"bob@b.test"});
    ASSERT_TRUE(bed.until([&] { return bed.files() == 0; }));
    EXPECT_EQ(bed.peer.received().size(), 20u);
}

TEST(QueueEngine, ContinuesWhereTheLastOneEnded) {
    Bed bed([](int connection) {
        Behaviour b;
        if (connection == 0) b.replies["RCPT TO:<late@b.test>"] = "451 4.7.1 later\r\n";
        return b;
    });
    bed.settings.schedule.first = bed.settings.schedule.most = seconds(3600);
    bed.start();
    const auto id = bed.put({"late@b.test", "bob@b.test"});
    ASSERT_TRUE(bed.idle());
    bed.engine.reset();
    EXPECT_EQ(bed.peer.received().size(), 1u);
    // Also without the index, which only repeats what the files say.
    for (const char* name : {"/queue.db", "/queue.db-wal", "/queue.db-shm"})
        (void)os::unlink(bed.settings.spool_dir + name);
    bed.start();
    EXPECT_TRUE(bed.engine->change(Action::Retry, id));
    ASSERT_TRUE(bed.until([&] { return bed.files() == 0; }));
    const auto received = bed.peer.received();
    ASSERT_EQ(received.size(), 2u);
    EXPECT_THAT(received[1].rcpt.at(0), HasSubstr("late@b.test"));
    EXPECT_EQ(received[1].rcpt.size(), 1u);
}

TEST(QueueEngine, SetsAsideWhatItCannotRead) {
    Bed bed;
    ASSERT_TRUE(create_spool(bed.settings.spool_dir));
    ASSERT_TRUE(os::replace_file(bed.settings.spool_dir + "/active/TORN", "GKSPOOL 1 half"));
    ASSERT_TRUE(os::replace_file(bed.settings.spool_dir + "/new/foreign.txt", "hello"));
    bed.start();
    ASSERT_TRUE(bed.until([&] { return os::list_directory(bed.settings.spool_dir + "/corrupt")->size() == 2; }));
    bed.put({"bob@b.test"});
    ASSERT_TRUE(bed.until([&] { return bed.peer.received().size() == 1; }));
}

// Nothing can be written to such a file: as on a full disk, but for this file alone.
bool set_immutable(const std::string& path, bool immutable) {
    const os::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    int flags = 0;
    if (!fd || ::ioctl(fd.get(), FS_IOC_GETFLAGS, &flags) != 0) return false;
    flags = immutable ? flags | FS_IMMUTABLE_FL : flags & ~FS_IMMUTABLE_FL;
    return ::ioctl(fd.get(), FS_IOC_SETFLAGS, &flags) == 0;
}

TEST(QueueEngine, WhatTheDiskDoesNotTakeIsRecordedLaterAndNotSentAgain) {
    std::string path;
    std::atomic<bool> immutable{true};
    Bed bed([&](int connection) {
        if (connection == 0) immutable = set_immutable(path, true);
        return Behaviour{};
    });
    bed.settings.stuck_retry = std::chrono::milliseconds(100);
    Envelope e;
    e.id = "ABC";
    e.reverse_path = "ann@a.test";
    e.recipients.push_back({"bob@b.test", "", kNotifyUnset, {}});
    path = bed.settings.spool_dir + "/active/ABC";
    bed.put_envelope(e);
    bed.start();
    ASSERT_TRUE(bed.until([&] { return bed.peer.received().size() == 1; }));
    if (!immutable) GTEST_SKIP() << "this file system knows no immutable files";
    ASSERT_TRUE(bed.until([&] {
        std::string status;
        (void)bed.engine->list({}, [&](const Summary& s) { status = s.id; });
        return status.empty();  // done, though not yet recorded
    }));
    EXPECT_EQ(bed.files(), 1u);
    ASSERT_TRUE(set_immutable(path, false));
    ASSERT_TRUE(bed.until([&] { return bed.files() == 0; }));
    EXPECT_EQ(bed.peer.received().size(), 1u);
}

TEST(QueueEngine, HoldReleaseAndDelete) {
    Bed bed;
    bed.settings.schedule.first = bed.settings.schedule.most = seconds(3600);
    bed.start();
    const auto id = bed.put({"x@dead.test"});
    ASSERT_TRUE(bed.idle());
    ASSERT_TRUE(bed.engine->change(Action::Hold, id));
    EXPECT_EQ(bed.engine->show(id)->status, "held");
    ASSERT_TRUE(bed.engine->flush());
    ASSERT_TRUE(bed.idle());
    EXPECT_EQ(bed.engine->show(id)->outcomes.size(), 2u);
    ASSERT_TRUE(bed.engine->change(Action::Release, id));
    EXPECT_EQ(bed.engine->show(id)->status, "deferred");
    ASSERT_TRUE(bed.engine->change(Action::Delete, id));
    EXPECT_EQ(bed.engine->show(id).error().code, Errc::NotFound);
    EXPECT_EQ(bed.files(), 0u);
}

TEST(QueueEngine, WhatIsScheduledWaitsForItsTimeAndCanBeGivenAnother) {
    Bed bed;
    const auto put = [&](std::chrono::seconds wait) {
        Envelope e;
        e.reverse_path = "ann@a.test";
        e.hold_until = now() + wait;
        e.recipients.push_back({"bob@b.test", "", kNotifyUnset, {}});
        return bed.put_envelope(e);
    };
    const std::string later = put(std::chrono::hours(1)), gone = put(std::chrono::hours(1)),
                      moved = put(std::chrono::hours(1));
    bed.start();
    ASSERT_TRUE(bed.idle());
    const auto status = [&](const std::string& id) {
        std::string found;
        EXPECT_TRUE(bed.engine->list({}, [&](const Summary& s) {
            if (s.id == id) found = s.status;
        }));
        return found;
    };
    EXPECT_EQ(status(later), "scheduled");
    // Neither a flush nor a start is its time.
    ASSERT_TRUE(bed.engine->flush());
    bed.engine.reset();
    bed.start();
    ASSERT_TRUE(bed.idle());
    EXPECT_TRUE(bed.peer.received().empty());
    EXPECT_EQ(status(later), "scheduled");

    EXPECT_TRUE(bed.engine->change(Action::Delete, gone));
    EXPECT_EQ(status(gone), "");
    EXPECT_TRUE(bed.engine->schedule(moved, now() + std::chrono::milliseconds(1500)));
    ASSERT_TRUE(bed.until([&] { return bed.peer.received().size() == 1 && status(moved).empty(); }));
    EXPECT_EQ(bed.engine->schedule(moved, now() + std::chrono::hours(1)).error().code, Errc::NotFound);

    // An explicit retry is its time, and a change survives a restart.
    EXPECT_TRUE(bed.engine->schedule(later, now() + std::chrono::hours(2)));
    const auto outcomes = bed.engine->show(later)->outcomes;
    ASSERT_EQ(outcomes.size(), 1u);
    EXPECT_EQ(outcomes[0].kind, OutcomeKind::Schedule);
    bed.engine.reset();
    bed.start();
    ASSERT_TRUE(bed.idle());
    EXPECT_EQ(status(later), "scheduled");
    EXPECT_TRUE(bed.engine->change(Action::Retry, later));
    ASSERT_TRUE(bed.until([&] { return bed.files() == 0; }));
    EXPECT_EQ(bed.peer.received().size(), 2u);
}

TEST(QueueEngine, OnlyWhatIsScheduledCanBeGivenAnotherTime) {
    Bed bed;
    bed.start();
    const std::string id = bed.put({"x@dead.test"});
    ASSERT_TRUE(bed.until([&] {
        std::string status;
        (void)bed.engine->list({}, [&](const Summary& s) { status = s.status; });
        return status == "deferred";
    }));
    EXPECT_EQ(bed.engine->schedule(id, now() + std::chrono::hours(1)).error().code, Errc::BadInput);
}

TEST(MessageState, TheAgeOfWhatWasScheduledCountsFromItsTime) {
    Envelope e;
    e.arrival = from_unix_s(1'000'000);
    e.recipients.push_back({"bob@b.test", "", kNotifyUnset, {}});
    EXPECT_EQ(MessageState::of(e, {}).since(e), e.arrival);
    e.hold_until = from_unix_s(2'000'000);
    EXPECT_EQ(MessageState::of(e, {}).since(e), e.hold_until);
    EXPECT_EQ(MessageState::of(e, {}).next_due(), e.hold_until);
    EXPECT_EQ(MessageState::of(e, {}).summary(), "new");  // its time has come
    Outcome outcome;
    outcome.kind = OutcomeKind::Schedule;
    outcome.until = from_unix_s(9'000'000'000);
    const auto moved = MessageState::of(e, std::span(&outcome, 1));
    EXPECT_EQ(moved.since(e), outcome.until);
    EXPECT_EQ(moved.summary(), "scheduled");
    EXPECT_EQ(parse_outcomes(format_outcome(outcome)).at(0).until, outcome.until);
}

TEST(QueueEngine, ReloadsWhileItRuns) {
    Bed bed;
    bed.start();
    const auto id = bed.put({"x@dead.test"});
    ASSERT_TRUE(bed.until([&] { return bed.engine->show(id) && !bed.engine->show(id)->outcomes.empty(); }));
    auto changed = bed.settings;
    changed.routes["dead.test"] = "not a route";
    EXPECT_FALSE(bed.engine->reload(changed, nullptr));
    changed.routes["dead.test"] = changed.routes["b.test"];
    ASSERT_TRUE(bed.engine->reload(changed, nullptr));
    ASSERT_TRUE(bed.until([&] { return bed.files() == 0; }));
    EXPECT_EQ(bed.peer.received().size(), 1u);
}

TEST(QueueEngine, OnlyOneWorksOnASpool) {
    Bed bed;
    bed.start();
    const auto second = Engine::start(bed.settings, nullptr);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Errc::Temporary);
}

TEST(QueueAccess, WorksOnFilesWhereNoDaemonRuns) {
    Bed bed;
    const auto id = bed.put({"bob@b.test"});
    auto access = open_access(bed.settings.spool_dir, bed.dir + "/no.sock");
    ASSERT_TRUE(access) << access.error().text;
    int rows = 0;
    ASSERT_TRUE((*access)->list({}, [&](const Summary& s) { rows += s.id == id; }));
    EXPECT_EQ(rows, 1);
    ASSERT_TRUE((*access)->change(Action::Hold, id));
    EXPECT_EQ((*access)->show(id)->status, "held");
    access->reset();
    bed.start();
    ASSERT_TRUE(bed.idle());
    EXPECT_TRUE(bed.peer.received().empty());
    ASSERT_TRUE(bed.engine->change(Action::Release, id));
    ASSERT_TRUE(bed.until([&] { return bed.files() == 0; }));
}

TEST(QueueAccess, TheSocketSaysTheSameAsTheEngine) {
    Bed bed;
    bed.settings.schedule.first = bed.settings.schedule.most = seconds(3600);
    bed.start();
    const auto id = bed.put({"x@dead.test"});
    ASSERT_TRUE(bed.idle());
    const std::string path = bed.dir + "/queue.sock";
    auto listening = net::listen_unix(path);
    ASSERT_TRUE(listening);
    std::thread server([&] {
        net::SocketStream client(os::Fd(::accept(listening->get(), nullptr, nullptr)));
        serve_control(client, *bed.engine);
    });
    {
        auto access = open_access(bed.settings.spool_dir, path);
        ASSERT_TRUE(access);
        std::vector<Summary> rows;
        ASSERT_TRUE((*access)->list({}, [&](const Summary& s) { rows.push_back(s); }));
        ASSERT_EQ(rows.size(), 1u);
        EXPECT_EQ(rows[0].recipients, std::vector<std::string>{"x@dead.test"});
        const auto detail = (*access)->show(id);
        ASSERT_TRUE(detail) << detail.error().text;
        EXPECT_EQ(detail->outcomes.size(), 1u);
        EXPECT_EQ((*access)->show("NONE").error().code, Errc::NotFound);
        EXPECT_EQ((*access)->change(Action::Hold, "../x").error().code, Errc::BadInput);
        EXPECT_TRUE((*access)->change(Action::Hold, id));
        EXPECT_EQ(*(*access)->flush(), 1u);
    }
    server.join();
}

constexpr std::string_view kEightBit =
    "Subject: hi\r\nMessage-ID: <1@a.test>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
    "Content-Transfer-Encoding: 8bit\r\n\r\nGr\xC3\xBC\xC3\x9F"
    "e an alle, die dies lesen\r\n";

Envelope eight_bit_envelope() {
    Envelope e;
    e.reverse_path = "ann@a.test";
    e.body = Body::EightBitMime;
    e.recipients.push_back({"bob@b.test", "", kNotifyUnset, {}});
    return e;
}

TEST(QueueEngine, RewritesForAPeerThatTakesSevenBitsOnly) {
    Bed bed([](int) {
        Behaviour b;
        b.ehlo = {"peer.test", "PIPELINING", "SIZE 10000000"};
        return b;
    });
    bed.start();
    bed.put_envelope(eight_bit_envelope(), kEightBit);
    ASSERT_TRUE(bed.until([&] { return bed.files() == 0; }));
    ASSERT_EQ(bed.peer.received().size(), 1u);
    const auto got = bed.peer.received()[0];
    EXPECT_THAT(
        got.data,
        HasSubstr("Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe an alle, die dies lesen\r\n"));
    EXPECT_EQ(got.mail, fmt::format("MAIL FROM:<ann@a.test> SIZE={}", got.data.size()));
    EXPECT_TRUE(os::list_directory(bed.settings.spool_dir + "/tmp")->empty());
}

TEST(QueueEngine, ReturnsWhatHasNoFormInSevenBits) {
    Bed bed([](int) {
        Behaviour b;
        b.ehlo = {"peer.test"};
        return b;
    });
    bed.start();
    bed.put_envelope(eight_bit_envelope(),
                     "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n\xC3\xA4\r\n--b--\r\n");
    ASSERT_TRUE(bed.until([&] { return bed.home.received().size() == 1 && bed.files() == 0; }));
    EXPECT_THAT(bed.home.received()[0].data, HasSubstr("Status: 5.6.3\r\n"));
    EXPECT_TRUE(bed.peer.received().empty());
}

TEST(QueueEngine, BinaryGoesInChunksOrAsBase64) {
    const std::string message(
        "MIME-Version: 1.0\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\n\x89\n\0", 84);
    for (const bool takes_it : {true, false}) {
        Bed bed([&](int) {
            Behaviour b;
            if (takes_it) b.ehlo.insert(b.ehlo.end(), {"CHUNKING", "BINARYMIME"});
            return b;
        });
        bed.start();
        auto e = eight_bit_envelope();
        e.body = Body::BinaryMime;
        bed.put_envelope(e, message);
        ASSERT_TRUE(bed.until([&] { return bed.files() == 0; }));
        ASSERT_EQ(bed.peer.received().size(), 1u);
        if (takes_it) EXPECT_EQ(bed.peer.received()[0].data, message);
        else EXPECT_THAT(bed.peer.received()[0].data, HasSubstr("Content-Transfer-Encoding: base64\r\n\r\niQoA\r\n"));
    }
}

TEST(QueueEngine, AnInternationalizedHeaderIsReturnedWhereThePeerDoesNotKnowIt) {
    Bed bed;
    bed.start();
    auto e = eight_bit_envelope();
    e.smtputf8 = true;
    bed.put_envelope(e,
                     "Subject: Gr\xC3\xBC\xC3\x9F"
                     "e\r\n\r\nhello\r\n");
    ASSERT_TRUE(bed.until([&] { return bed.home.received().size() == 1 && bed.files() == 0; }));
    EXPECT_THAT(bed.home.received()[0].data, HasSubstr("Status: 5.6.9\r\n"));
    // A header in ASCII needs nothing, whatever its client said.
    bed.put_envelope(e, kEightBit);
    ASSERT_TRUE(bed.until([&] { return bed.files() == 0 && bed.peer.received().size() == 1; }));
}

TEST(QueueEngine, SplitsByThePeersLimitsWithoutADelay) {
    Bed bed([](int) {
        Behaviour b;
        b.ehlo.push_back("LIMITS RCPTMAX=2 MAILMAX=2");
        return b;
    });
    bed.settings.schedule.first = bed.settings.schedule.most = seconds(3600);
    bed.start();
    bed.put({"a@b.test", "b@b.test", "c@b.test", "d@b.test", "e@b.test"});
    ASSERT_TRUE(bed.until([&] { return bed.files() == 0; }));
    ASSERT_EQ(bed.peer.received().size(), 3u);
    EXPECT_EQ(bed.peer.received()[2].rcpt.size(), 1u);
    EXPECT_EQ(bed.peer.connections(), 2);
}

}  // namespace
}  // namespace gk::queue
