// SPDX-License-Identifier: MIT
#include "common/events/story.hpp"

#include <gtest/gtest.h>
#include <cstdlib>

#include "common/os/file.hpp"

using namespace gk;
using namespace gk::events;

namespace {

struct Logs {
    Logs() {
        std::string name = "/tmp/gk-events-XXXXXX";
        path = ::mkdtemp(name.data());
    }
    ~Logs() { (void)os::remove_tree(path); }
    void add(const std::string& program, const std::string& text) {
        ASSERT_TRUE(os::append_file(path + "/" + program + ".log", text, false));
    }
    std::string path;
};

std::string line(const char* second, const char* program, const std::string& rest) {
    return std::string("{\"time\":\"2026-11-22T09:30:") + second + "Z\",\"level\":\"info\",\"program\":\"" + program +
           "\",\"pid\":7,\"event\":" + rest + "}\n";
}

}  // namespace

TEST(LogTrace, TellsOneStoryAcrossPrograms) {
    Logs logs;
    logs.add("gk-smtpd", "some library's words\n" +
                             line("01.000", "gk-smtpd",
                                  R"("message.accepted","id":"T1","from":"ann@a.test","to":"bob@b.test","size":1200)") +
                             line("01.500", "gk-smtpd", R"("message.accepted","id":"T2","from":"eve@e.test")"));
    logs.add(
        "gk-queue",
        line(
            "03.000", "gk-queue",
            R"("queue.delivered","id":"T1","queue":"Q1","recipient":"bob@b.test","peer":"192.0.2.1","reply":"250 2.0.0 ok")") +
            line("02.000", "gk-queue", R"("queue.accepted","id":"T1","queue":"Q1","sender":"ann@a.test")"));
    const auto lines = [&](const auto& take) { return read_logs(logs.path, take); };
    const auto story = trace("Q1", lines, parse_log_line);  // by the queue's id, the trace id follows
    ASSERT_TRUE(story);
    ASSERT_EQ(story->size(), 3u);
    EXPECT_EQ(describe((*story)[0]), "accepted from <ann@a.test> to <bob@b.test>, 1200 bytes");
    EXPECT_EQ(describe((*story)[1]), "in the queue as Q1, from <ann@a.test>");
    EXPECT_EQ(describe((*story)[2]), "sent to <bob@b.test> at 192.0.2.1: 250 2.0.0 ok");
    EXPECT_TRUE(trace("T9", lines, parse_log_line)->empty());
}

TEST(LogTrace, FollowsTheNoticeThatCameOfAMessage) {
    Logs logs;
    logs.add("a",
             line("03.000", "gk-deliver",
                  R"("message.delivered","id":"D1","account":"ann@a.test","mailbox":"INBOX","uid":4)") +
                 line("02.000", "gk-queue", R"("queue.bounced","id":"T1","queue":"Q1","to":"ann@a.test","dsn":"D1")"));
    const auto story = trace(
        "T1", [&](const auto& take) { return read_logs(logs.path, take); }, parse_log_line);
    ASSERT_EQ(story->size(), 2u);
    EXPECT_EQ(describe((*story)[1]), "filed for ann@a.test in INBOX as UID 4");
}

TEST(LogTrace, DoesNotTakeAnIdInsideAnotherFieldForOne) {
    Logs logs;
    logs.add("a", line("01.000", "gk-smtpd", R"("message.accepted","id":"T2","from":"T1@a.test")"));
    EXPECT_TRUE(trace(
                    "T1", [&](const auto& take) { return read_logs(logs.path, take); }, parse_log_line)
                    ->empty());
}

TEST(LogRecord, ReadsTheJournal) {
    const auto record = parse_journal_line(
        R"({"__REALTIME_TIMESTAMP":"1795339801000000","SYSLOG_IDENTIFIER":"gk-smtpd","_PID":"7","PRIORITY":"4",)"
        R"("MESSAGE":"message.refused id=\"T1\" from=\"\" reply=\"550 5.1.1 no \\\"x\\\"\" ms=3"})");
    ASSERT_TRUE(record);
    EXPECT_EQ(record->event, "message.refused");
    EXPECT_EQ(record->level, "warning");
    EXPECT_EQ(record->field("reply"), "550 5.1.1 no \"x\"");
    EXPECT_EQ(record->field("ms"), "3");
    EXPECT_EQ(record->pid, 7);
    EXPECT_TRUE(parse_log_line(record->json));
    EXPECT_FALSE(parse_journal_line(R"({"__REALTIME_TIMESTAMP":"1","MESSAGE":"Started gk-smtpd."})"));
    EXPECT_FALSE(parse_journal_line(R"({"__REALTIME_TIMESTAMP":"1","MESSAGE":"a.b c=\"unended"})"));
}

TEST(LogRecord, IsNoneWhereTheLineIsNoEvent) {
    for (const char* text :
         {"", "{", "{}", "[]", "gk-smtpd: cannot open 'x'", R"({"event":"a.b"})", R"({"time":"soon","event":"a.b"})"})
        EXPECT_FALSE(parse_log_line(text)) << text;
}

TEST(LogRecord, ShowsNothingThatATerminalObeys) {
    const auto record = parse_log_line(R"({"time":"2026-11-22T09:30:01Z","event":"odd.event","x":"\u001b[2J"})");
    ASSERT_TRUE(record);
    EXPECT_EQ(describe(*record), "odd.event x=\\x1b[2J");
}

TEST(LogFollower, SeesWhatIsAddedReplacedAndNew) {
    Logs logs;
    logs.add("a", "old\n");
    Follower follower(logs.path, false);
    std::string seen;
    auto poll = [&] {
        seen.clear();
        EXPECT_TRUE(follower.poll([&](std::string_view l) { seen += std::string(l) + ";"; }));
        return seen;
    };
    EXPECT_EQ(poll(), "");
    logs.add("a", "one\ntw");
    EXPECT_EQ(poll(), "one;");
    logs.add("a", "o\n");
    logs.add("b", "new\n");
    EXPECT_EQ(poll(), "two;new;");
    ASSERT_TRUE(os::unlink(logs.path + "/a.log"));
    logs.add("c", "held\n");  // takes the inode number that may be free now
    logs.add("a", "again\n");
    EXPECT_EQ(poll(), "again;held;");
}

TEST(LogGlob, MatchesAsFileNamesDo) {
    EXPECT_TRUE(matches_glob("queue.deferred", "queue.*"));
    EXPECT_TRUE(matches_glob("queue.deferred", "*.def?rred"));
    EXPECT_TRUE(matches_glob("a", "*"));
    EXPECT_FALSE(matches_glob("queue.deferred", "queue"));
    EXPECT_FALSE(matches_glob("", "?"));
    EXPECT_FALSE(matches_glob(std::string(10000, 'a'), "*a*a*a*a*a*a*a*a*b"));
}
