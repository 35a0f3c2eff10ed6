// SPDX-License-Identifier: MIT
#include "common/queue/sent.hpp"

#include <cstdlib>

#include "common/os/file.hpp"

namespace gk::queue {
namespace {

struct Bed {
    Bed() {
        char name[] = "/tmp/gk-unit-sent-XXXXXX";
        dir = ::mkdtemp(name);
        auto opened = SentLog::open(dir + "/sent.db");
        EXPECT_TRUE(opened) << opened.error().text;
        log.emplace(std::move(*opened));
        EXPECT_TRUE(
            log->add({"QUEUE1", "TRACE1", "ann@a.test", "<1@a.test>", {"bob@b.test", "bea@b.test"}, from_unix_s(100)}));
        EXPECT_TRUE(log->add({"QUEUE2", "TRACE2", "ann@a.test", "<2@a.test>", {"bob@b.test"}, from_unix_s(200)}));
    }
    ~Bed() { (void)os::remove_tree(dir); }
    std::size_t kept() {
        std::size_t count = 0;
        EXPECT_TRUE(log->list([&](const Bounce&) { ++count; }));
        return count;
    }
    std::string dir;
    std::optional<SentLog> log;
};

message::DeliveryReport report(std::string envid, std::string message_id) {
    return {std::move(envid),
            "mx.b.test",
            std::move(message_id),
            {{"BOB@b.test", "robert@c.test", "failed", "5.1.1", "550 no"}}};
}

TEST(SentLog, TiesAReportToWhatTheAccountSent) {
    Bed bed;
    auto found = bed.log->take("ann@a.test", report("QUEUE1", ""), from_unix_s(300));
    ASSERT_TRUE(found);
    ASSERT_EQ(found->size(), 1u);
    EXPECT_EQ(found->at(0).trace, "TRACE1");
    EXPECT_EQ(found->at(0).recipient, "bob@b.test");
    EXPECT_EQ(found->at(0).message_id, "<1@a.test>");
    found = bed.log->take("ann@a.test", report("own-envid", "<2@a.test>"), from_unix_s(400));
    EXPECT_EQ(found->at(0).queue, "QUEUE2");
    // Told twice, it is one still.
    ASSERT_TRUE(bed.log->take("ann@a.test", report("QUEUE1", ""), from_unix_s(500)));
    EXPECT_EQ(bed.kept(), 2u);
}

TEST(SentLog, WhatTheAccountNeverSentIsKnownByNothing) {
    Bed bed;
    EXPECT_EQ(bed.log->take("bob@a.test", report("QUEUE1", "<1@a.test>"), from_unix_s(300))->at(0).queue, "");
    EXPECT_EQ(bed.log->take("ann@a.test", report("", "<9@a.test>"), from_unix_s(300))->at(0).queue, "");
    EXPECT_EQ(bed.log->take("ann@a.test", report("", ""), from_unix_s(300))->at(0).queue, "");
    EXPECT_EQ(bed.kept(), 0u);
}

TEST(SentLog, ForgetsByAgeAndNumber) {
    Bed bed;
    ASSERT_TRUE(bed.log->forget(from_unix_s(150), 1000));
    EXPECT_EQ(bed.log->take("ann@a.test", report("QUEUE1", ""), from_unix_s(300))->at(0).queue, "");
    EXPECT_EQ(bed.log->take("ann@a.test", report("QUEUE2", ""), from_unix_s(300))->at(0).queue, "QUEUE2");
    ASSERT_TRUE(bed.log->add({"QUEUE3", "TRACE3", "ann@a.test", "<3@a.test>", {"bob@b.test"}, from_unix_s(500)}));
    ASSERT_TRUE(bed.log->forget(from_unix_s(0), 1));
    EXPECT_EQ(bed.log->take("ann@a.test", report("QUEUE2", ""), from_unix_s(300))->at(0).queue, "");
    EXPECT_EQ(bed.log->take("ann@a.test", report("QUEUE3", ""), from_unix_s(300))->at(0).queue, "QUEUE3");
}

TEST(SentLog, ABrokenOneIsMadeAnew) {
    Bed bed;
    bed.log.reset();
    ASSERT_TRUE(os::replace_file(bed.dir + "/sent.db", std::string(8192, 'x')));
    (void)os::unlink(bed.dir + "/sent.db-wal");
    (void)os::unlink(bed.dir + "/sent.db-shm");
    EXPECT_TRUE(SentLog::open(bed.dir + "/sent.db"));
}

}  // namespace
}  // namespace gk::queue
