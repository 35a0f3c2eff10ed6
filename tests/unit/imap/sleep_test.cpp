// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <filesystem>
#include <random>

#include "common/base/ids.hpp"
#include "common/imap/control.hpp"
#include "common/imap/session.hpp"

namespace gk::imap {
namespace {

namespace fs = std::filesystem;

class SleepingSession : public ::testing::Test {
protected:
    SleepingSession() {
        store::AccountOptions options;
        options.create = true;
        account_ = store::Account::open(path_, options).value();
    }
    ~SleepingSession() override {
        account_.reset();
        std::error_code error;
        fs::remove_all(path_, error);
    }

    static std::string drain(Session& session) {
        std::string said;
        do {
            session.run();
            while (!session.output().empty()) {
                const std::string_view bytes = session.output().front();
                said += bytes;
                session.output().consume(bytes.size());
            }
        } while (session.has_work());
        return said;
    }
    static std::string say(Session& session, std::string_view bytes) {
        session.feed(bytes);
        return drain(session);
    }
    std::unique_ptr<Session> open(std::string_view commands) {
        auto session = std::make_unique<Session>(account_);
        say(*session, commands);
        return session;
    }
    // The same session in another process.
    std::unique_ptr<Session> sleep(Session& session) {
        const auto state = session.put_to_sleep();
        EXPECT_TRUE(state);
        auto next = std::make_unique<Session>(account_);
        if (state) {
            EXPECT_TRUE(next->wake(*state));
        }
        return next;
    }
    void append(int count, std::string_view mailbox = "INBOX") {
        Session session(account_);
        for (int i = 0; i < count; ++i) say(session, fmt::format("a APPEND {} {{2+}}\r\nhi\r\n", mailbox));
    }

    const std::string path_ = (fs::is_directory("/dev/shm") ? "/dev/shm/gk-imap-" : "/tmp/gk-imap-") + new_id();
    std::shared_ptr<store::Account> account_;
};

TEST_F(SleepingSession, HearsOfWhatHappenedMeanwhileUnderItsOwnNumbers) {
    append(4);
    auto session = open("a SELECT INBOX\r\nb IDLE\r\n");
    const auto state = session->put_to_sleep();
    ASSERT_TRUE(state);
    session.reset();
    auto other = open("a SELECT INBOX\r\nb STORE 2 +FLAGS (\\Deleted)\r\nc EXPUNGE\r\nd STORE 3 +FLAGS (\\Seen)\r\n");
    append(2);
    Session woken(account_);
    ASSERT_TRUE(woken.wake(*state));
    EXPECT_EQ(drain(woken), "* 4 FETCH (FLAGS (\\Seen \\Recent))\r\n* 2 EXPUNGE\r\n* 5 EXISTS\r\n* 5 RECENT\r\n");
    EXPECT_EQ(say(woken, "DONE\r\n"), "b OK Idle done\r\n");
    EXPECT_EQ(say(woken, "c UID SEARCH ALL\r\n"), "* SEARCH 1 3 4 5 6\r\nc OK Searched\r\n");
}

TEST_F(SleepingSession, SaysNothingWhereNothingHappened) {
    append(3);
    auto session = open("x ENABLE IMAP4rev2\r\na SELECT INBOX\r\nb IDLE\r\n");
    session = sleep(*session);
    EXPECT_EQ(drain(*session), "");
    session = sleep(*session);
    EXPECT_EQ(say(*session, "DONE\r\nc NOOP\r\n"), "b OK Idle done\r\nc OK Nothing done\r\n");
}

// One session that sleeps between any two changes, and one that never does, hear the same.
TEST_F(SleepingSession, HearsWhatAnAwakeOneHears) {
    std::mt19937 random(7);
    for (int round = 0; round < 20; ++round) {
        append(2);
        auto awake = open("a EXAMINE INBOX\r\nb IDLE\r\n"), sleeping = open("a EXAMINE INBOX\r\nb IDLE\r\n");
        auto actor = open("a SELECT INBOX\r\n");
        std::string heard_awake, heard_sleeping;
        for (int step = 0; step < 12; ++step) {
            for (int i = static_cast<int>(random() % 3); i >= 0; --i) {
                const auto exists = std::max(1u, static_cast<unsigned>(random() % 6));
                switch (random() % 4) {
                    case 0: append(1); break;
                    case 1: say(*actor, fmt::format("s STORE {} FLAGS (k{})\r\n", exists, random() % 1000 % 40)); break;
                    case 2: say(*actor, fmt::format("s STORE {} +FLAGS (\\Deleted)\r\n", exists)); break;
                    case 3: say(*actor, "e EXPUNGE\r\n"); break;
                }
            }
            awake->changed();
            heard_awake += drain(*awake);
            sleeping = sleep(*sleeping);
            heard_sleeping += drain(*sleeping);
        }
        const std::string done = "DONE\r\nc UID SEARCH ALL\r\nd FETCH 1:* (UID FLAGS)\r\n";
        heard_awake += say(*awake, done);
        heard_sleeping += say(*sleeping, done);
        // One that slept is told a flag's value again where it went and came back; nothing else may differ.
        EXPECT_GE(heard_sleeping.size(), heard_awake.size());
        const auto without_fetch = [](const std::string& said) {
            std::string out;
            for (std::size_t at = 0; at < said.size();) {
                const std::size_t end = said.find('\n', at) + 1;
                const std::string line = said.substr(at, end - at);
                if (line.find(" FETCH (FLAGS ") == std::string::npos) out += line;
                at = end;
            }
            return out;
        };
        EXPECT_EQ(without_fetch(heard_sleeping), without_fetch(heard_awake));
    }
}

TEST_F(SleepingSession, TellsWithTheNextCommandWhatASilentClientMissed) {
    append(2);
    auto session = open("a SELECT INBOX\r\n");
    const auto state = session->put_to_sleep();
    ASSERT_TRUE(state);
    session.reset();
    open("a SELECT INBOX\r\nb STORE 1 +FLAGS (\\Deleted)\r\nc EXPUNGE\r\n");
    append(1);
    Session woken(account_);
    ASSERT_TRUE(woken.wake(*state));
    EXPECT_EQ(drain(woken), "");
    EXPECT_EQ(say(woken, "d NOOP\r\n"), "* 1 EXPUNGE\r\n* 2 EXISTS\r\n* 2 RECENT\r\nd OK Nothing done\r\n");
}

TEST_F(SleepingSession, StaysAwakeWhileSomethingIsBegunOrItsOwn) {
    append(1);
    auto session = open("a SELECT INBOX\r\n");
    EXPECT_TRUE(session->put_to_sleep());
    say(*session, "b NO");
    EXPECT_FALSE(session->put_to_sleep());
    say(*session, "OP\r\n");
    EXPECT_TRUE(session->put_to_sleep());
    say(*session, "c SEARCH RETURN (SAVE) ALL\r\n");
    EXPECT_FALSE(session->put_to_sleep());  // "$" is known to this process alone
    say(*session, "d UNSELECT\r\n");
    EXPECT_TRUE(session->put_to_sleep());
    say(*session, "e APPEND INBOX {5+}\r\nhel");
    EXPECT_FALSE(session->put_to_sleep());
    say(*session, "lo\r\n");
    EXPECT_TRUE(session->put_to_sleep());
}

TEST_F(SleepingSession, EndsWhereItsViewCannotBeHadAnyMore) {
    append(2, "Sent");
    auto session = open("a SELECT Sent\r\nb IDLE\r\n");
    const auto state = session->put_to_sleep();
    ASSERT_TRUE(state);
    session.reset();
    open("a DELETE Sent\r\nb CREATE Sent\r\n");
    append(2, "Sent");
    Session woken(account_);
    EXPECT_FALSE(woken.wake(*state));
    EXPECT_TRUE(woken.closed());
    EXPECT_TRUE(drain(woken).starts_with("* BYE ")) << drain(woken);
    for (const char* wrong : {"", "SLEEPING\tx", "AWAKE\tidle=1"}) {
        Session other(account_);
        EXPECT_FALSE(other.wake(wrong)) << wrong;
    }
}

TEST(ImapControl, ReadsWhatItWrites) {
    const Control said{.verb = Control::Verb::Say,
                       .at = UINT64_MAX,
                       .token = "t\t1",
                       .read = 1,
                       .written = 2,
                       .left_ms = 3,
                       .text = "* 1 EXISTS\r\n",
                       .end = true};
    const std::string line = format_control(said);
    ASSERT_EQ(line.find('\n'), line.size() - 1);
    const auto read = parse_control(std::string_view(line).substr(0, line.size() - 1));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->verb, Control::Verb::Say);
    EXPECT_EQ(read->at, UINT64_MAX);
    EXPECT_EQ(read->token, "t\t1");
    EXPECT_EQ(read->text, "* 1 EXISTS\r\n");
    EXPECT_EQ(read->written, 2u);
    EXPECT_TRUE(read->end);
    for (const char* wrong :
         {"", "SAY", "SAY\tat=1", "SAY\ttoken=x\tat=y", "FRONT\tname=", "WAKE", "SAY\ttoken=%z", "say\ttoken=x"})
        EXPECT_FALSE(parse_control(wrong)) << wrong;
}

}  // namespace
}  // namespace gk::imap
