// SPDX-License-Identifier: MIT
#include "common/imap/session.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <filesystem>
#include <fstream>

#include "common/base/ids.hpp"
#include "common/base/text.hpp"
#include "tests/protocol/transcript.hpp"

namespace gk::imap {
namespace {

namespace fs = std::filesystem;

// An account of its own with the default mailboxes; in memory where there is such a place, since it syncs a lot.
class Home {
public:
    explicit Home(const store::Quota& quota = {})
        : path_((fs::is_directory("/dev/shm") ? "/dev/shm/gk-imap-" : "/tmp/gk-imap-") + new_id()) {
        store::AccountOptions options;
        options.name = "ann@a.test";
        options.create = true;
        options.quota = quota;
        auto account = store::Account::open(path_, options);
        if (!account) ADD_FAILURE() << account.error().text;
        else account_ = *account;
    }
    ~Home() {
        account_.reset();
        std::error_code error;
        fs::remove_all(path_, error);
    }
    const std::shared_ptr<store::Account>& account() const { return account_; }
    // As if index.db had been deleted while nobody had it open.
    void lose_index() {
        account_.reset();
        for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(path_ + "/index.db" + suffix);
        auto account = store::Account::open(path_);
        if (!account) ADD_FAILURE() << account.error().text;
        else account_ = *account;
    }
    const std::string& path() const { return path_; }

private:
    std::string path_;
    std::shared_ptr<store::Account> account_;
};

std::string drain(Session& session) {
    std::string said;
    for (;;) {
        session.run();
        while (!session.output().empty()) {
            const std::string_view bytes = session.output().front();
            if (bytes.empty()) break;
            said += bytes;
            session.output().consume(bytes.size());
        }
        if (!session.has_work()) return said;
    }
}

std::string say(Session& session, std::string_view bytes) {
    session.feed(bytes);
    return drain(session);
}

std::string append(std::string_view mailbox, std::string_view message, std::string_view extra = "") {
    return fmt::format("app APPEND {} {}{{{}+}}\r\n{}\r\n", mailbox, extra, message.size(), message);
}

// What differs from one store to the next.
std::string without_numbers(std::string said) {
    for (const std::string_view name :
         {"UIDVALIDITY ", "APPENDUID ", "COPYUID ", "MAILBOXID (", "EMAILID (", "THREADID ("}) {
        for (std::size_t at = said.find(name); at != std::string::npos; at = said.find(name, at + 1)) {
            const std::size_t from = at + name.size();
            said.replace(from, said.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyz", from) - from, "N");
        }
    }
    // One replay may store its messages a second later than another.
    for (const std::string_view name : {"SAVEDATE \"", "INTERNALDATE \""}) {
        for (std::size_t at = said.find(name); at != std::string::npos; at = said.find(name, at + 1)) {
            const std::size_t from = at + name.size();
            said.replace(from, said.find('"', from) - from, "date");
        }
    }
    return said;
}

// "# with: quota=2048 quota_messages=3"
store::Quota quota_of(const test::Transcript& transcript) {
    store::Quota quota;
    for (const auto& [key, value] : transcript.with) {
        if (key == "quota") quota.bytes = text::to_uint(value).value();
        if (key == "quota_messages") quota.messages = text::to_uint(value).value();
    }
    return quota;
}

TEST(ImapSession, AnswersForAnAccountWithoutAQuota) {
    Home home;
    Session session(home.account());
    EXPECT_EQ(say(session, "1 GETQUOTAROOT inbox\r\n2 GETQUOTA \"\"\r\n"),
              "* QUOTAROOT \"INBOX\"\r\n1 OK Quota roots told\r\n2 NO [NONEXISTENT] There is no such quota root\r\n");
}

TEST(ImapSession, FollowsItsTranscriptsHoweverTheBytesAreSplit) {
    for (const auto& transcript : test::read_transcripts(test::source_directory() + "/tests/protocol/imap")) {
        const auto replay = [&](std::size_t piece) {
            Home home(quota_of(transcript));
            Session session(home.account());
            std::string heard;
            const std::string_view said = transcript.said;
            for (std::size_t at = 0; at < said.size(); at += piece) heard += say(session, said.substr(at, piece));
            return heard;
        };
        const std::string whole = replay(transcript.said.size());
        test::expect_said(transcript, whole);
        // Every split of the grammar is in the reader's test; here the session is what may not care.
        for (const std::size_t piece : {1, 2, 3, 7, 61, 200, 1000})
            EXPECT_EQ(without_numbers(replay(piece)), without_numbers(whole))
                << transcript.name << ", in pieces of " << piece;
    }
}

TEST(ImapSession, ListsAGreatTreeInPartsWithoutFillingTheMemory) {
    Home home;
    constexpr int kMailboxes = 3000;
    for (int i = 0; i < kMailboxes; ++i)
        for (const char* sub : {"cur", "new", "tmp"})
            fs::create_directories(fmt::format("{}/Maildir/.{:03}.with a name that is rather long, {:04}/{}",
                                               home.path(), i % 100, i, sub));
    Session session(home.account());
    const auto longest_queue = [&](std::string_view command, std::size_t& lines) {
        session.feed(command);
        std::uint64_t most = 0;
        std::string said;
        do {
            session.run();
            most = std::max(most, session.output().waiting());
            while (!session.output().empty()) {
                const std::string_view bytes = session.output().front();
                if (bytes.empty()) break;
                said += bytes;
                session.output().consume(bytes.size());
            }
        } while (session.has_work());
        lines = static_cast<std::size_t>(std::count(said.begin(), said.end(), '\n'));
        EXPECT_TRUE(said.ends_with(" OK Listed\r\n")) << said.substr(said.size() - 100);
        return most;
    };
    std::size_t lines = 0;
    EXPECT_LT(longest_queue("a LIST \"\" *\r\n", lines), 200'000u);
    EXPECT_EQ(lines, kMailboxes + 100u + 6u + 1u);
    EXPECT_LT(longest_queue("b LIST \"\" * RETURN (STATUS (MESSAGES UIDNEXT))\r\n", lines), 200'000u);
    EXPECT_EQ(lines, 2 * kMailboxes + 100u + 12u + 1u);
    EXPECT_LT(longest_queue("c LIST \"\" \"%*%*a%*%*%*n%*%*%*z\"\r\n", lines), 200'000u);
    EXPECT_EQ(lines, 1u);
    EXPECT_LT(longest_queue("d LIST (SUBSCRIBED RECURSIVEMATCH) \"\" 0%\r\n", lines), 200'000u);
    EXPECT_EQ(lines, 1u);
    // Other commands wait until it is over.
    EXPECT_EQ(say(session, "e LIST \"\" 000/*0\r\nf NOOP\r\n").substr(0, 6), "* LIST");
}

TEST(ImapSession, SendsAStoredMessageAsTheClientSentIt) {
    Home home;
    Session session(home.account());
    std::string message = "Subject: large\r\n\r\n";
    for (int i = 0; i < 40'000; ++i) message += fmt::format("line {} of a message that is not small\r\n", i);
    const std::string appended = say(session, append("INBOX", message));
    EXPECT_NE(appended.find("app OK [APPENDUID "), std::string::npos) << appended;
    say(session, "a SELECT INBOX\r\n");
    const std::string fetched = say(session, "b FETCH 1 BODY.PEEK[]\r\n");
    EXPECT_EQ(fetched, fmt::format("* 1 FETCH (BODY[] {{{}}}\r\n{})\r\nb OK Fetched\r\n", message.size(), message));
    const std::string part = say(session, "c FETCH 1 BODY.PEEK[]<500000.70000>\r\n");
    EXPECT_EQ(part,
              "* 1 FETCH (BODY[]<500000> {70000}\r\n" + message.substr(500'000, 70'000) + ")\r\nc OK Fetched\r\n");
}

TEST(ImapSession, AnswersPipelinedAppendsInOrderOnceTheHostHasNoMore) {
    Home home;
    SessionOptions options;
    options.gather = true;
    Session session(home.account(), options);
    const auto sent = [](std::string_view tag, std::string_view rest) {
        return fmt::format("{} APPEND {} {{17+}}\r\nSubject: x\r\n\r\nx\r\n\r\n", tag, rest);
    };
    say(session, "s SELECT INBOX\r\n");
    EXPECT_EQ(say(session, sent("a", "INBOX") + sent("b", "INBOX (\\Seen)")), "");
    EXPECT_TRUE(session.gathering());
    session.settle();
    EXPECT_EQ(without_numbers(drain(session)),
              "* 2 EXISTS\r\n* 2 RECENT\r\na OK [APPENDUID N 1] Appended\r\nb OK [APPENDUID N 2] Appended\r\n");
    EXPECT_FALSE(session.gathering());
    // Whatever needs an answer of its own ends the waiting; one that fails takes no other with it.
    EXPECT_EQ(without_numbers(say(session, sent("c", "Sent") + sent("d", "Sent (\\No)") + sent("e", "Sent") +
                                               sent("f", "Sent") + "g NOOP\r\n")),
              "c OK [APPENDUID N 1] Appended\r\nd BAD That is not a flag that can be set\r\n"
              "e OK [APPENDUID N 2] Appended\r\nf OK [APPENDUID N 3] Appended\r\ng OK Nothing done\r\n");
    EXPECT_EQ(without_numbers(say(session, sent("h", "Sent") + "i APPEND Sent {17}\r\n")),
              "h OK [APPENDUID N 4] Appended\r\n+ OK\r\n");
    EXPECT_EQ(say(session, "Subject: x\r\n\r\nx\r\n\r\n"), "");
    session.bye("that is all");
    EXPECT_EQ(without_numbers(drain(session)), "i OK [APPENDUID N 5] Appended\r\n* BYE that is all\r\n");
}

TEST(ImapSession, KeepsNothingOfAMessageThatDoesNotEnd) {
    Home home;
    const auto drafts = [&] {
        return std::distance(fs::directory_iterator(home.path() + "/Maildir/tmp"), fs::directory_iterator());
    };
    {
        Session session(home.account());
        say(session, "a APPEND INBOX {17+}\r\nSubject: x\r\n\r\nx\r\n (\\Seen) {1000000+}\r\n");
        for (int i = 0; i < 9; ++i) say(session, std::string(100'000, 'x'));
        EXPECT_EQ(drafts(), 2);
    }
    EXPECT_EQ(drafts(), 0);
    Session session(home.account());
    EXPECT_EQ(say(session, "b STATUS INBOX (MESSAGES)\r\n"), "* STATUS \"INBOX\" (MESSAGES 0)\r\nb OK Status told\r\n");
}

TEST(ImapSession, MakesAMessageOfAThousandParts) {
    Home home;
    Session session(home.account());
    say(session, append("INBOX", "Subject: x\r\n\r\nx\r\n"));
    std::string parts = "a APPEND INBOX CATENATE (";
    for (int i = 0; i < 1000; ++i) parts += i % 2 == 0 ? "URL /INBOX/;UID=1/;SECTION=TEXT " : "TEXT {3+}\r\ny\r\n ";
    parts.back() = ')';
    EXPECT_NE(say(session, parts + "\r\n").find("a OK [APPENDUID "), std::string::npos);
    EXPECT_NE(say(session, "b EXAMINE INBOX\r\nc FETCH 2 RFC822.SIZE\r\n").find("RFC822.SIZE 3000)"),
              std::string::npos);
}

TEST(ImapSession, DoesNotHoldALargeAnswerInMemory) {
    Home home;
    Session session(home.account());
    std::string message = "Subject: large\r\n\r\n" + std::string(3 << 20, 'x') + "\r\n";
    for (int i = 0; i < 4; ++i) say(session, append("INBOX", message));
    say(session, "a SELECT INBOX\r\n");
    session.feed("b FETCH 1:* BODY.PEEK[]\r\nc NOOP\r\n");
    session.run();
    // The first message's slice waits; the others have not been opened yet.
    EXPECT_LT(session.output().waiting(), message.size() + 100'000);
    EXPECT_TRUE(session.has_work());
    const std::string rest = drain(session);
    EXPECT_GT(rest.size(), 4 * message.size());
    EXPECT_NE(rest.find("c OK "), std::string::npos);
}

TEST(ImapSession, StopsWorkingForAClientThatDoesNotRead) {
    Home home;
    Session session(home.account());
    for (int i = 0; i < 5; ++i) say(session, append("INBOX", "Subject: x\r\n\r\n" + std::string(60'000, 'y')));
    say(session, "a SELECT INBOX\r\n");
    std::string many;
    for (int i = 0; i < 500; ++i) many += fmt::format("f{} FETCH 1:* BODY.PEEK[]\r\n", i);
    session.feed(many);
    session.run();
    EXPECT_LT(session.output().waiting(), 1'000'000u);
}

TEST(ImapSession, TellsAnIdleClientWhatAnotherSessionDoes) {
    Home home;
    Session one(home.account()), two(home.account());
    say(one, append("INBOX", "Subject: a\r\n\r\n1") + append("INBOX", "Subject: b\r\n\r\n2"));
    say(one, "a SELECT INBOX\r\n");
    say(two, "a SELECT INBOX\r\n");
    EXPECT_EQ(say(one, "b IDLE\r\n"), "+ idling\r\n");
    EXPECT_TRUE(one.idling());
    say(two, "b STORE 1 +FLAGS (\\Flagged Work)\r\n");
    one.changed();
    EXPECT_EQ(drain(one),
              "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft Work)\r\n"
              "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft Work \\*)] Flags permitted\r\n"
              "* 1 FETCH (FLAGS (\\Flagged \\Recent Work))\r\n");
    say(two, "c STORE 1 +FLAGS.SILENT \\Deleted\r\nd EXPUNGE\r\n" + append("INBOX", "Subject: c\r\n\r\n3"));
    one.changed();
    const std::string news = drain(one);
    EXPECT_EQ(news, "* 1 EXPUNGE\r\n* 2 EXISTS\r\n* 2 RECENT\r\n");
    EXPECT_EQ(say(one, "DONE\r\n"), "b OK Idle done\r\n");
}

TEST(ImapSession, KeepsSequenceNumbersWhileAFetchStoreOrSearchRuns) {
    Home home;
    Session one(home.account()), two(home.account());
    for (const char* body : {"1", "2", "3"})
        say(one, append("INBOX", fmt::format("Subject: {}\r\n\r\n{}", body, body)));
    say(one, "a SELECT INBOX\r\n");
    say(two, "a SELECT INBOX\r\nb STORE 1 +FLAGS.SILENT \\Deleted\r\nc EXPUNGE\r\n");
    EXPECT_EQ(say(one, "b FETCH 2:3 UID\r\n"), "* 2 FETCH (UID 2)\r\n* 3 FETCH (UID 3)\r\nb OK Fetched\r\n");
    EXPECT_EQ(say(one, "c SEARCH 2:3\r\n"), "* SEARCH 2 3\r\nc OK Searched\r\n");
    EXPECT_EQ(say(one, "d FETCH 1 BODY.PEEK[]\r\n"), "d NO [EXPUNGEISSUED] Some messages were expunged meanwhile\r\n");
    EXPECT_EQ(say(one, "e STORE 2 +FLAGS.SILENT \\Seen\r\n"), "e OK Stored\r\n");
    EXPECT_EQ(say(one, "f UID FETCH 3 UID\r\n"), "* 3 FETCH (UID 3)\r\n* 1 EXPUNGE\r\nf OK Fetched\r\n");
    EXPECT_EQ(say(one, "g NOOP\r\n"), "g OK Nothing done\r\n");
}

TEST(ImapSession, SilentStoreStillTellsWhatAnotherSessionSet) {
    Home home;
    Session one(home.account()), two(home.account());
    say(one, append("INBOX", "Subject: 1\r\n\r\n1"));
    say(one, "a EXAMINE INBOX\r\nb SELECT INBOX\r\n");
    say(two, "a SELECT INBOX\r\nb STORE 1 +FLAGS \\Flagged\r\n");
    const std::string said = say(one, "c STORE 1 +FLAGS.SILENT \\Seen\r\n");
    EXPECT_EQ(said, "* 1 FETCH (FLAGS (\\Flagged \\Seen \\Recent))\r\nc OK Stored\r\n");
}

TEST(ImapSession, FollowsToolsThatTouchTheFiles) {
    Home home;
    Session session(home.account());
    say(session, "a SELECT INBOX\r\n");
    const std::string maildir = home.path() + "/Maildir";
    std::ofstream(maildir + "/tmp/1.foreign") << "Subject: foreign\n\nhello\n";
    fs::rename(maildir + "/tmp/1.foreign", maildir + "/new/1.foreign");
    EXPECT_EQ(say(session, "b NOOP\r\n"), "* 1 EXISTS\r\n* 1 RECENT\r\nb OK Nothing done\r\n");
    EXPECT_EQ(say(session, "c FETCH 1 BODY.PEEK[TEXT]\r\n"),
              "* 1 FETCH (BODY[TEXT] {7}\r\nhello\r\n)\r\nc OK Fetched\r\n");
}

TEST(ImapSession, SaysGoodbyeWhenItsMailboxIsDeletedElsewhere) {
    Home home;
    Session one(home.account()), two(home.account());
    say(one, "a CREATE Box\r\nb SELECT Box\r\nc IDLE\r\n");
    say(two, "a DELETE Box\r\n");
    one.changed();
    EXPECT_EQ(drain(one), "* BYE The selected mailbox was deleted\r\n");
    EXPECT_TRUE(one.closed());
}

TEST(ImapSession, EndsAfterTooManyBadCommands) {
    Home home;
    Session session(home.account());
    std::string said;
    for (int i = 0; i < 50 && !session.closed(); ++i) said += say(session, "x NONSENSE\r\n");
    EXPECT_TRUE(session.closed());
    EXPECT_TRUE(said.ends_with("x BAD unknown command 'NONSENSE'\r\n* BYE Too many commands that make no sense\r\n"))
        << said;
}

TEST(ImapSession, AnAppendCutOffLeavesNothing) {
    Home home;
    {
        Session session(home.account());
        say(session, "a APPEND INBOX {100}\r\nSubject: half\r\n");
    }
    Session session(home.account());
    EXPECT_EQ(say(session, "a STATUS INBOX (MESSAGES)\r\n"), "* STATUS \"INBOX\" (MESSAGES 0)\r\na OK Status told\r\n");
    EXPECT_TRUE(fs::is_empty(home.path() + "/Maildir/tmp"));
}

// "[HIGHESTMODSEQ n]" of what was said, the last there is.
std::uint64_t highest_modseq(const std::string& said) {
    const std::size_t at = said.rfind("[HIGHESTMODSEQ ");
    return at == std::string::npos ? 0 : std::stoull(said.substr(at + 15));
}

std::string uidvalidity(const std::string& said) {
    const std::size_t at = said.find("[UIDVALIDITY ") + 13;
    return said.substr(at, said.find(']', at) - at);
}

// What SELECT (QRESYNC …) told beyond a plain SELECT.
std::string resynced(Session& session, const std::string& parameters) {
    const std::string said = say(session, fmt::format("q SELECT INBOX (QRESYNC ({}))\r\n", parameters));
    const std::size_t from = said.find("The highest mod-sequence\r\n");
    if (from == std::string::npos) return said;
    return said.substr(from + 26, said.find("q OK ") - from - 26);
}

TEST(ImapSession, NeverLeavesAResyncBehindAnExpungeThatItCouldNotTell) {
    Home home;
    Session one(home.account()), two(home.account()), later(home.account());
    for (const char* body : {"1", "2", "3"})
        say(one, append("INBOX", fmt::format("Subject: {}\r\n\r\n{}", body, body)));
    say(one, "e ENABLE QRESYNC\r\n");
    const std::string selected = say(one, "a SELECT INBOX\r\n");
    const std::uint64_t before = highest_modseq(selected);
    say(two, "a SELECT INBOX\r\nb STORE 1 +FLAGS.SILENT \\Deleted\r\nc EXPUNGE\r\n");
    // STORE may not tell the expunge, but its FETCH has a greater mod-sequence: the answer says from where on to ask.
    const std::string stored = say(one, "b STORE 2 +FLAGS \\Seen\r\n");
    EXPECT_NE(stored.find("* 2 FETCH (UID 2 FLAGS (\\Seen \\Recent) MODSEQ ("), std::string::npos) << stored;
    EXPECT_NE(stored.find(fmt::format("b OK [HIGHESTMODSEQ {}] Stored\r\n", before)), std::string::npos) << stored;
    say(later, "e ENABLE QRESYNC\r\n");
    const std::string missed = resynced(later, fmt::format("{} {}", uidvalidity(selected), before));
    EXPECT_NE(missed.find("* VANISHED (EARLIER) 1\r\n* 1 FETCH (UID 2 FLAGS (\\Seen"), std::string::npos) << missed;
    // Once it is told, all is.
    const std::string news = say(one, "c NOOP\r\n");
    EXPECT_TRUE(news.starts_with("* VANISHED 1\r\n* OK [HIGHESTMODSEQ ")) << news;
    EXPECT_EQ(resynced(later, fmt::format("{} {}", uidvalidity(selected), highest_modseq(news))), "");
}

TEST(ImapSession, TellsAClientThatComesBackWhatItMissedAndNothingElse) {
    Home home;
    Session one(home.account()), later(home.account());
    for (int i = 1; i <= 6; ++i) say(one, append("INBOX", fmt::format("Subject: {}\r\n\r\n{}", i, i)));
    const std::string selected = say(one, "a SELECT INBOX (CONDSTORE)\r\n");
    const std::string known = fmt::format("{} {}", uidvalidity(selected), highest_modseq(selected));
    say(later, "e ENABLE QRESYNC\r\n");
    EXPECT_EQ(resynced(later, known), "");
    say(one, "b STORE 2,5 +FLAGS.SILENT \\Deleted\r\nc EXPUNGE\r\nd UID STORE 3 +FLAGS.SILENT \\Flagged\r\n" +
                 append("INBOX", "Subject: 7\r\n\r\n7"));
    EXPECT_EQ(resynced(later, known),
              "* VANISHED (EARLIER) 2,5\r\n* 2 FETCH (UID 3 FLAGS (\\Flagged) MODSEQ (10))\r\n"
              "* 5 FETCH (UID 7 FLAGS (\\Recent) MODSEQ (11))\r\n");
    // Of those only that it knows.
    EXPECT_EQ(resynced(later, known + " 1:2,4:6"), "* VANISHED (EARLIER) 2,5\r\n");
    EXPECT_EQ(resynced(later, known + " 3"), "* 2 FETCH (UID 3 FLAGS (\\Flagged) MODSEQ (10))\r\n");
    // A mod-sequence from the future was never told by this mailbox.
    EXPECT_NE(resynced(later, uidvalidity(selected) + " 999999").find("* VANISHED (EARLIER) 2,5\r\n* 1 FETCH (UID 1 "),
              std::string::npos);
}

TEST(ImapSession, ResyncsAfterTheIndexWasDeleted) {
    std::string known, path;
    Home home;
    {
        Session one(home.account());
        for (int i = 1; i <= 5; ++i) say(one, append("INBOX", fmt::format("Subject: {}\r\n\r\n{}", i, i)));
        const std::string selected = say(one, "a SELECT INBOX (CONDSTORE)\r\n");
        say(one, "b STORE 2 +FLAGS.SILENT \\Deleted\r\nc EXPUNGE\r\n");
        known = fmt::format("{} {}", uidvalidity(selected), highest_modseq(selected));
    }
    home.lose_index();
    Session later(home.account());
    say(later, "e ENABLE QRESYNC\r\n");
    const std::string told = resynced(later, known + " 1:5 (1,3 1,3)");
    // Sequence number 1 was and is UID 1, so what is not there below is known to be gone.
    EXPECT_TRUE(told.starts_with("* VANISHED (EARLIER) 2\r\n* 1 FETCH (UID 1 FLAGS ")) << told;
    EXPECT_TRUE(resynced(later, known + " 1:5 (1:3 1,3:4)").starts_with("* 1 FETCH (UID 1 FLAGS "));
    // Greater than any before.
    const std::string again = say(later, "f SELECT INBOX\r\n");
    EXPECT_GT(highest_modseq(again), 1000u);
    EXPECT_EQ(resynced(later, fmt::format("{} {}", uidvalidity(again), highest_modseq(again))), "");
}

TEST(ImapSession, TellsNoVanishedEarlierOfWhatTheClientStillCounts) {
    Home home;
    Session one(home.account()), two(home.account());
    for (int i = 1; i <= 3; ++i) say(one, append("INBOX", fmt::format("Subject: {}\r\n\r\n{}", i, i)));
    say(one, "e ENABLE QRESYNC\r\na SELECT INBOX\r\n");
    say(two, "a SELECT INBOX\r\nb UID STORE 2 +FLAGS.SILENT \\Deleted\r\nc EXPUNGE\r\n");
    EXPECT_EQ(say(one, "b UID FETCH 1:* FLAGS (CHANGEDSINCE 4 VANISHED)\r\n"),
              "* VANISHED 2\r\n* OK [HIGHESTMODSEQ 6] All is told\r\nb OK Fetched\r\n");
    EXPECT_EQ(say(one, "c UID FETCH 1:* FLAGS (CHANGEDSINCE 4 VANISHED)\r\n"),
              "* VANISHED (EARLIER) 2\r\nc OK Fetched\r\n");
}

TEST(ImapSession, TellsBetweenCommandsWhatNotifyAskedFor) {
    Home home;
    Session one(home.account()), two(home.account());
    say(one, append("INBOX", "Subject: 1\r\n\r\n1") + append("INBOX", "Subject: 2\r\n\r\n2"));
    say(one, "a SELECT INBOX\r\n");
    EXPECT_EQ(say(one,
                  "b NOTIFY SET (SELECTED (MessageNew (UID BODY[TEXT]) MessageExpunge)) (MAILBOXES (Sent Nowhere) "
                  "(MessageNew MessageExpunge))\r\n"),
              "b OK Noted\r\n");
    EXPECT_TRUE(one.watches_account());
    say(two, "a SELECT INBOX\r\nb STORE 1 +FLAGS.SILENT \\Deleted\r\n");
    one.changed();
    EXPECT_EQ(drain(one), "") << "flags were not asked for";
    say(two, "c EXPUNGE\r\n" + append("INBOX", "Subject: 3\r\n\r\nthree") + append("Drafts", "Subject: 4\r\n\r\n4"));
    one.changed();
    EXPECT_EQ(drain(one), "* 1 EXPUNGE\r\n* 2 EXISTS\r\n* 2 RECENT\r\n* 2 FETCH (UID 3 BODY[TEXT] {5}\r\nthree)\r\n");
    say(two, append("Sent", "Subject: 5\r\n\r\n5"));
    one.changed();
    const std::string status = drain(one);
    EXPECT_TRUE(status.starts_with("* STATUS \"Sent\" (MESSAGES 1 UIDNEXT 2 UIDVALIDITY ")) << status;
    EXPECT_EQ(say(one, "c FETCH 2 FLAGS\r\n"), "* 2 FETCH (FLAGS (\\Recent))\r\nc OK Fetched\r\n");
    // Nothing at all.
    EXPECT_EQ(say(one, "d NOTIFY NONE\r\n"), "d OK Noted\r\n");
    say(two, append("INBOX", "Subject: 6\r\n\r\n6") + "d STORE 1 FLAGS.SILENT \\Deleted\r\ne EXPUNGE\r\n");
    one.changed();
    EXPECT_EQ(drain(one) + say(one, "e NOOP\r\n"), "e OK Nothing done\r\n");
}

TEST(ImapSession, KeepsExpungesForACommandWhereNotifyDelaysThem) {
    Home home;
    Session one(home.account()), two(home.account());
    say(one, append("INBOX", "Subject: 1\r\n\r\n1") + append("INBOX", "Subject: 2\r\n\r\n2"));
    say(one, "a SELECT INBOX\r\nb NOTIFY SET (SELECTED-DELAYED (MessageNew MessageExpunge FlagChange))\r\n");
    EXPECT_FALSE(one.watches_account());
    say(two, "a SELECT INBOX\r\nb STORE 1 +FLAGS.SILENT \\Deleted\r\nc EXPUNGE\r\nd STORE 1 +FLAGS.SILENT \\Seen\r\n");
    one.changed();
    EXPECT_EQ(drain(one), "* 2 FETCH (FLAGS (\\Seen \\Recent))\r\n");
    EXPECT_EQ(say(one, "c FETCH 2 UID\r\n"), "* 2 FETCH (UID 2)\r\nc OK Fetched\r\n");
    EXPECT_EQ(say(one, "d NOOP\r\n"), "* 1 EXPUNGE\r\nd OK Nothing done\r\n");
}

TEST(ImapSession, ToldNoFlagsKeepsTheModSequenceThatAsksForThem) {
    Home home;
    Session one(home.account()), two(home.account());
    say(one, append("INBOX", "Subject: 1\r\n\r\n1") + append("INBOX", "Subject: 2\r\n\r\n2"));
    say(one, "e ENABLE QRESYNC\r\n");
    const std::uint64_t before = highest_modseq(say(one, "a SELECT INBOX\r\n"));
    say(one, "b NOTIFY SET (SELECTED (MessageNew MessageExpunge))\r\n");
    say(two, "a SELECT INBOX\r\nb STORE 1 +FLAGS.SILENT \\Seen\r\nc STORE 2 +FLAGS.SILENT \\Deleted\r\nd EXPUNGE\r\n");
    EXPECT_EQ(say(one, "c NOOP\r\n"),
              fmt::format("* VANISHED 2\r\n* OK [HIGHESTMODSEQ {}] All is told\r\nc OK Nothing done\r\n", before));
}

TEST(ImapSession, SaysHowFarALongCommandIs) {
    Home home;
    Session session(home.account());
    for (int i = 0; i < 150; ++i) say(session, append("INBOX", fmt::format("Subject: {}\r\n\r\nbody {}", i, i)));
    say(session, "a SELECT INBOX\r\n");
    std::chrono::steady_clock::time_point now{};
    session.set_time(now);
    session.feed("s SEARCH BODY nothing\r\n");
    std::string said;
    for (bool more = true; more; more = session.has_work()) {
        session.set_time(now += std::chrono::seconds(11));
        session.run();
        while (!session.output().empty()) {
            const std::string_view bytes = session.output().front();
            if (bytes.empty()) break;
            said += bytes;
            session.output().consume(bytes.size());
        }
    }
    EXPECT_NE(said.find("* OK [INPROGRESS (\"s\" 128 150)] Still at it\r\n* SEARCH\r\ns OK Searched\r\n"),
              std::string::npos)
        << said;
    EXPECT_EQ(said.find("INPROGRESS"), said.rfind("INPROGRESS"));
}

TEST(ImapSession, GreetsBothWays) {
    Home home;
    Session front(home.account()), tunnel(home.account());
    front.greet_logged_in("A1", true);
    EXPECT_TRUE(drain(front).starts_with("A1 OK [CAPABILITY IMAP4rev1 IMAP4rev2 "));
    tunnel.greet_preauthenticated();
    EXPECT_TRUE(drain(tunnel).starts_with("* PREAUTH [CAPABILITY "));
}

TEST(ImapSession, GivesBinaryPartsWithNulsAsLiteral8) {
    Home home;
    Session session(home.account());
    say(session, append("INBOX",
                        "MIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: "
                        "base64\r\n\r\nAAEC\r\n") +
                     append("INBOX", "MIME-Version: 1.0\r\nContent-Transfer-Encoding: x-nobody-knows\r\n\r\nAAEC\r\n"));
    say(session, "a SELECT INBOX\r\n");
    EXPECT_EQ(say(session, "b FETCH 1 (BINARY.PEEK[1] BINARY.SIZE[1])\r\n"),
              std::string("* 1 FETCH (BINARY[1] ~{3}\r\n\0\1\2 BINARY.SIZE[1] 3)\r\nb OK Fetched\r\n", 64));
    EXPECT_TRUE(say(session, "c FETCH 2 BINARY[1]\r\n").find("c NO [UNKNOWN-CTE]") != std::string::npos);
}

}  // namespace
}  // namespace gk::imap
