// SPDX-License-Identifier: MIT
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <csignal>
#include <thread>

#include "common/message/shown.hpp"
#include "common/store/indexer.hpp"
#include "tests/unit/store/store_fixture.hpp"

namespace gk::store {
namespace {

class StoreMessages : public StoreTest {};

TEST_F(StoreMessages, AreStoredWithLfAndCountedWithCrlf) {
    const auto uid = deliver("INBOX", "Subject: x\r\n\r\nhello\r\n");
    const auto opened = mailbox("INBOX").open(uid);
    ASSERT_TRUE(opened);
    EXPECT_EQ(opened->file.bytes(), "Subject: x\n\nhello\n");
    EXPECT_EQ(opened->line_ends, message::LineEnds::Convert);
    EXPECT_EQ(opened->octets, 21u);
    EXPECT_EQ(snapshot("INBOX").rows.at(0).size, 21u);
    EXPECT_NE(files("INBOX", "new").at(0).find(",S=18,W=21"), std::string::npos);
}

TEST_F(StoreMessages, KeepTheirBytesWhereTheyHoldABareLineEndAtAnySplit) {
    for (const std::string bytes : {"a\r\nb\nc\r\n", "a\r\nb\rc\r\n", "a\r\nb\r", "\r\n\n", "\r\r\n", "\n"}) {
        for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
            auto incoming = account_->incoming("Sent");
            ASSERT_TRUE(incoming);
            ASSERT_TRUE(incoming->begin());
            ASSERT_TRUE(incoming->write(bytes.substr(0, cut)));
            ASSERT_TRUE(incoming->write(bytes.substr(cut)));
            const auto appended = incoming->commit();
            ASSERT_TRUE(appended) << appended.error().text;
            const auto opened = mailbox("Sent").open(appended->uids.at(0));
            ASSERT_TRUE(opened);
            EXPECT_EQ(opened->file.bytes(), bytes);
            EXPECT_EQ(opened->line_ends, message::LineEnds::AsStored);
        }
    }
    EXPECT_TRUE(files("Sent", "tmp").empty());
}

TEST_F(StoreMessages, AreConvertedTheSameAtAnySplit) {
    const std::string bytes = "A: b\r\n\r\nline\r\n\r\nend";
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
        auto incoming = account_->incoming("Sent");
        ASSERT_TRUE(incoming->begin());
        ASSERT_TRUE(incoming->write(bytes.substr(0, cut)));
        ASSERT_TRUE(incoming->write(bytes.substr(cut)));
        const auto uid = incoming->commit()->uids.at(0);
        EXPECT_EQ(mailbox("Sent").open(uid)->file.bytes(), "A: b\n\nline\n\nend");
    }
}

TEST_F(StoreMessages, AppendedTogetherAreAllThereWithTheirFlagsAndDates) {
    auto incoming = account_->incoming("Drafts");
    IncomingMessage first;
    first.flags = kDraft | kSeen;
    first.keywords = {"Work"};
    first.internal_date = 1'000'000'000;
    ASSERT_TRUE(incoming->begin(first));
    ASSERT_TRUE(incoming->write("1\r\n"));
    ASSERT_TRUE(incoming->begin());
    ASSERT_TRUE(incoming->write("2\r\n"));
    const auto appended = incoming->commit();
    ASSERT_TRUE(appended);
    EXPECT_EQ(appended->uids, (std::vector<Uid>{1, 2}));
    const auto taken = snapshot("Drafts");
    EXPECT_EQ(appended->uidvalidity, taken.uidvalidity);
    EXPECT_EQ(taken.rows[0].flags, kDraft | kSeen);
    EXPECT_EQ(taken.rows[0].internal_date, 1'000'000'000);
    EXPECT_EQ(taken.keywords[0], "Work");
    EXPECT_EQ(taken.rows[0].modseq, taken.rows[1].modseq);
    EXPECT_EQ(read(path("Drafts") + "/dovecot-keywords"), "0 Work\n");
}

TEST_F(StoreMessages, IndexedLaterHaveOneUidEachWhateverTheUidlistHasOfThem) {
    Indexer indexer(std::chrono::seconds(30));
    std::vector<std::string> names;
    for (int i = 0; i < 2; ++i) {
        auto incoming = account_->incoming("INBOX");
        ASSERT_TRUE(incoming->begin());
        ASSERT_TRUE(incoming->write("Subject: x\r\n\r\nhello\r\n"));
        const auto appended = incoming->commit(&indexer);
        ASSERT_TRUE(appended);
        names.push_back(appended->names.at(0));
    }
    // As a look at the directory leaves it that gave them UIDs and then failed to commit.
    std::ofstream(path("INBOX") + "/dovecot-uidlist", std::ios::app)
        << "1 :" << names[0] << "\n2 :" << names[1] << "\n";
    indexer.settle(*account_);
    EXPECT_EQ(uids("INBOX"), (std::vector<Uid>{1, 2}));
    EXPECT_EQ(deliver("INBOX"), 3u);
}

TEST_F(StoreMessages, IndexedLaterAreNotKeptFromTheirRowsByAMailboxThatCannotBe) {
    EXPECT_EQ(deliver("Drafts"), 1u);
    EXPECT_EQ(deliver("Sent"), 1u);
    {
        Indexer indexer(std::chrono::seconds(30));
        for (const char* box : {"Drafts", "INBOX", "Sent"}) {
            auto incoming = account_->incoming(box);
            ASSERT_TRUE(incoming->begin());
            ASSERT_TRUE(incoming->write("Subject: x\r\n\r\nhello\r\n"));
            ASSERT_TRUE(incoming->commit(&indexer));
        }
        std::filesystem::remove(path("Drafts") + "/dovecot-uidlist");
        std::filesystem::create_directory(path("Drafts") + "/dovecot-uidlist");
        testing::internal::CaptureStderr();
        indexer.settle(*account_);
    }
    EXPECT_NE(testing::internal::GetCapturedStderr().find("store.index.late"), std::string::npos);
    // Their lines are in the uidlist: without a look at the directory.
    EXPECT_NE(read(path("INBOX") + "/dovecot-uidlist").find("1 :"), std::string::npos);
    EXPECT_NE(read(path("Sent") + "/dovecot-uidlist").find("2 :"), std::string::npos);
    std::filesystem::remove(path("Drafts") + "/dovecot-uidlist");
    EXPECT_EQ(uids("Drafts").size(), 2u);
}

TEST_F(StoreMessages, AbandonedLeaveNothing) {
    {
        auto incoming = account_->incoming("INBOX");
        ASSERT_TRUE(incoming->begin());
        ASSERT_TRUE(incoming->write("x"));
    }
    EXPECT_TRUE(files("INBOX", "tmp").empty());
    EXPECT_TRUE(uids("INBOX").empty());
}

TEST_F(StoreMessages, ThatDoNotFitAreATemporaryErrorAndLeaveNothing) {
    auto incoming = account_->incoming("INBOX");
    ASSERT_TRUE(incoming->begin());
    rlimit before{};
    ::getrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit small = before;
    small.rlim_cur = 64 * 1024;
    ::setrlimit(RLIMIT_FSIZE, &small);
    Status written = incoming->write(std::string(256 * 1024, 'x'));
    if (written) {
        const auto committed = incoming->commit();
        written = committed ? ok() : fail(committed.error());
    }
    ::setrlimit(RLIMIT_FSIZE, &before);
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, Errc::Temporary);
    incoming->abandon();
    EXPECT_TRUE(files("INBOX", "tmp").empty());
    EXPECT_TRUE(files("INBOX", "new").empty());
}

TEST_F(StoreMessages, DeliveredFromManyThreadsEachGetAUidOfTheirOwn) {
    constexpr int kThreads = 8, kEach = 25;
    std::vector<std::thread> threads;
    std::mutex mutex;
    std::vector<Uid> given;
    for (int t = 0; t < kThreads; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < kEach; ++i) {
                const auto uid = deliver("INBOX");
                const std::lock_guard lock(mutex);
                given.push_back(uid);
            }
        });
    for (auto& thread : threads) thread.join();
    std::sort(given.begin(), given.end());
    EXPECT_EQ(given, uids("INBOX"));
    EXPECT_EQ(given.size(), std::size_t{kThreads} * kEach);
    reopen(true);
    EXPECT_EQ(given, uids("INBOX"));
}

TEST_F(StoreMessages, ChangeFlagsInTheirNames) {
    const auto uid = deliver("INBOX");
    const auto first = store("INBOX", {uid}, {FlagAction::Add, kSeen | kFlagged, {"$Forwarded"}, {}});
    ASSERT_EQ(first.rows.size(), 1u);
    EXPECT_EQ(first.rows[0].flags, kSeen | kFlagged);
    EXPECT_GT(first.modseq, 1u);
    EXPECT_TRUE(files("INBOX", "cur").at(0).ends_with(":2,FSa"));
    const auto second = store("INBOX", {uid}, {FlagAction::Remove, kSeen, {}, {}});
    EXPECT_EQ(second.rows[0].flags, kFlagged);
    const auto third = store("INBOX", {uid}, {FlagAction::Remove, kSeen, {"never-there"}, {}});
    EXPECT_EQ(third.modseq, 0u);
    const auto fourth = store("INBOX", {uid}, {FlagAction::Replace, kAnswered, {}, {}});
    EXPECT_EQ(fourth.rows[0].flags, kAnswered);
    EXPECT_EQ(fourth.rows[0].keywords, 0u);
    EXPECT_EQ(account_->status("INBOX")->unseen, 1u);
}

TEST_F(StoreMessages, RefuseChangesUnlessUnchangedSince) {
    const auto a = deliver("INBOX"), b = deliver("INBOX");
    const auto since = snapshot("INBOX").highest_modseq;
    store("INBOX", {a}, {FlagAction::Add, kSeen, {}, {}});
    const auto stored = store("INBOX", {a, b}, {FlagAction::Add, kFlagged, {}, since});
    EXPECT_EQ(stored.modified, std::vector<Uid>{a});
    ASSERT_EQ(stored.rows.size(), 1u);
    EXPECT_EQ(stored.rows[0].uid, b);
}

TEST_F(StoreMessages, HaveUpTo64KeywordsThatOutliveTheIndex) {
    const auto a = deliver("INBOX"), b = deliver("INBOX");
    for (int i = 0; i < 64; ++i) store("INBOX", {a}, {FlagAction::Add, 0, {"kw" + std::to_string(i)}, {}});
    store("INBOX", {b}, {FlagAction::Add, 0, {"kw63"}, {}});
    auto box = mailbox("INBOX");
    EXPECT_EQ(box.store(std::vector<Uid>{a}, {FlagAction::Add, 0, {"one-more"}, {}}).error().code, Errc::BadInput);
    EXPECT_EQ(box.store(std::vector<Uid>{a}, {FlagAction::Add, 0, {"not an atom"}, {}}).error().code, Errc::BadInput);
    const auto before = snapshot("INBOX");
    EXPECT_EQ(before.rows[0].keywords, ~KeywordMask{0});
    reopen(true);
    const auto after = snapshot("INBOX");
    EXPECT_EQ(after.keywords, before.keywords);
    EXPECT_EQ(after.rows[0].keywords, before.rows[0].keywords);
    EXPECT_EQ(after.rows[1].keywords, before.rows[1].keywords);
}

TEST_F(StoreMessages, GiveAKeywordsBitAwayWhenNobodyHasIt) {
    const auto uid = deliver("INBOX");
    for (int i = 0; i < 64; ++i) store("INBOX", {uid}, {FlagAction::Replace, 0, {"kw" + std::to_string(i)}, {}});
    const auto stored = store("INBOX", {uid}, {FlagAction::Replace, 0, {"new"}, {}});
    EXPECT_EQ(stored.keywords[0], "new");
}

TEST_F(StoreMessages, AreExpungedForGood) {
    const auto a = deliver("INBOX"), b = deliver("INBOX"), c = deliver("INBOX");
    store("INBOX", {a, b, c}, {FlagAction::Add, kDeleted, {}, {}});
    EXPECT_EQ(account_->status("INBOX")->deleted, 3u);
    auto box = mailbox("INBOX");
    const auto before = box.snapshot(false)->highest_modseq;
    const std::vector<Uid> some{a, b};
    const std::span<const Uid> span(some);
    EXPECT_EQ(box.expunge(&span)->uids, some);
    const auto changes = box.changes_since(before);
    EXPECT_EQ(changes->vanished.ranges, (std::vector<UidRange>{{a, b}}));
    EXPECT_TRUE(changes->rows.empty());
    EXPECT_EQ(box.expunge()->uids, std::vector<Uid>{c});
    EXPECT_TRUE(box.expunge()->uids.empty());
    EXPECT_EQ(deliver("INBOX"), 4u);
    reopen(true);
    EXPECT_EQ(uids("INBOX"), std::vector<Uid>{4});
    EXPECT_GT(deliver("INBOX"), 4u);
}

TEST_F(StoreMessages, AreCopiedByLinkWithEverythingTheyHave) {
    IncomingMessage wanted;
    wanted.flags = kAnswered;
    wanted.keywords = {"first", "second"};
    wanted.internal_date = 900'000'000;
    deliver("Sent", "x\r\n", [] {
        IncomingMessage m;
        m.keywords = {"second"};
        return m;
    }());
    const auto uid = deliver("INBOX", "Subject: c\r\n\r\n", wanted);
    const auto copied = mailbox("INBOX").copy(std::vector<Uid>{uid, 99}, "Sent");
    ASSERT_TRUE(copied) << copied.error().text;
    EXPECT_EQ(copied->uids, (std::vector<std::pair<Uid, Uid>>{{uid, 2}}));
    const auto sent = snapshot("Sent");
    EXPECT_EQ(copied->uidvalidity, sent.uidvalidity);
    EXPECT_EQ(sent.rows[1].flags, kAnswered);
    EXPECT_EQ(sent.rows[1].internal_date, 900'000'000);
    EXPECT_EQ(sent.rows[1].keywords, 3u);
    EXPECT_EQ(sent.keywords[0], "second");
    EXPECT_EQ(sent.keywords[1], "first");
    EXPECT_EQ(uids("INBOX").size(), 1u);
    EXPECT_EQ(std::filesystem::hard_link_count(path("INBOX") + "/cur/" + files("INBOX", "cur").at(0)), 2u);
    EXPECT_EQ(mailbox("INBOX").copy(std::vector<Uid>{uid}, "none").error().code, Errc::NotFound);
}

TEST_F(StoreMessages, MoveBetweenMailboxesAndWithinOne) {
    const auto a = deliver("INBOX"), b = deliver("INBOX");
    auto inbox = mailbox("INBOX");
    const auto before = inbox.snapshot(true)->highest_modseq;
    ModSeq modseq = 0;
    const auto moved = inbox.move(std::vector<Uid>{a}, "Trash", &modseq);
    ASSERT_TRUE(moved) << moved.error().text;
    EXPECT_GT(modseq, before);
    EXPECT_EQ(uids("Trash"), std::vector<Uid>{1});
    EXPECT_EQ(inbox.changes_since(before)->vanished.ranges, (std::vector<UidRange>{{a, a}}));
    EXPECT_TRUE(mailbox("Trash").open(1));
    const auto within = inbox.move(std::vector<Uid>{b}, "INBOX");
    ASSERT_TRUE(within) << within.error().text;
    EXPECT_EQ(uids("INBOX"), std::vector<Uid>{3});
    EXPECT_EQ(account_->status("INBOX")->messages, 1u);
    reopen(true);
    EXPECT_EQ(uids("INBOX"), std::vector<Uid>{3});
    EXPECT_EQ(uids("Trash"), std::vector<Uid>{1});
}

TEST_F(StoreMessages, MoveInAnAccountWhosePathIsRelative) {
    const auto before = std::filesystem::current_path();
    std::filesystem::current_path(directory_);
    AccountOptions options;
    options.create = true;
    const auto account = Account::open("relative", options);
    ASSERT_TRUE(account);
    auto incoming = (*account)->incoming("INBOX");
    ASSERT_TRUE(incoming && incoming->begin() && incoming->write("x\r\n") && incoming->commit());
    const auto moved = (*account)->mailbox("INBOX")->move(std::vector<Uid>{1}, "Trash");
    std::filesystem::current_path(before);
    ASSERT_TRUE(moved) << moved.error().text;
    EXPECT_EQ(moved->uids.size(), 1u);
}

TEST_F(StoreMessages, AreRecentToOneWritingSessionOnly) {
    deliver("INBOX");
    EXPECT_EQ(account_->status("INBOX")->recent, 1u);
    EXPECT_EQ(snapshot("INBOX", false).recent_floor, 1u);
    EXPECT_EQ(snapshot("INBOX", true).recent_floor, 1u);
    EXPECT_EQ(snapshot("INBOX", true).recent_floor, 2u);
    EXPECT_EQ(account_->status("INBOX")->recent, 0u);
    EXPECT_TRUE(files("INBOX", "new").empty());
    EXPECT_EQ(files("INBOX", "cur").size(), 1u);
}

TEST_F(StoreMessages, LeaveNewWhenThereIsTimeForIt) {
    const auto uid = deliver("INBOX");
    auto read_only = mailbox("INBOX"), writing = mailbox("INBOX");
    ASSERT_TRUE(read_only.snapshot(false));
    EXPECT_FALSE(read_only.has_chores());
    ASSERT_TRUE(writing.snapshot(true));
    EXPECT_TRUE(writing.has_chores());
    EXPECT_EQ(files("INBOX", "new").size(), 1u);  // SELECT does not wait for it
    EXPECT_TRUE(writing.do_chore());
    EXPECT_FALSE(writing.has_chores());
    EXPECT_TRUE(files("INBOX", "new").empty());
    EXPECT_TRUE(mailbox("INBOX").open(uid));
    // What a session that was killed left there, the next one takes, though nothing is recent to it.
    std::filesystem::rename(path("INBOX") + "/cur/" + files("INBOX", "cur").at(0), path("INBOX") + "/new/1.back");
    auto next = mailbox("INBOX");
    ASSERT_TRUE(next.changes_since(1, Look::Thorough));
    ASSERT_TRUE(next.snapshot(true));
    EXPECT_TRUE(next.has_chores());
    while (next.has_chores()) ASSERT_TRUE(next.do_chore());
    EXPECT_EQ(files("INBOX", "cur").size(), 1u);
}

TEST_F(StoreMessages, ThatAreGoneFromNewEndTheChoreOfTakingThem) {
    for (int i = 0; i < 2; ++i) deliver("INBOX");
    while (uids("INBOX").size() < 256) ASSERT_TRUE(mailbox("INBOX").copy(uids("INBOX"), "INBOX"));
    auto writing = mailbox("INBOX");
    for (const auto& name : files("INBOX", "cur"))  // copies are there already
        std::filesystem::rename(path("INBOX") + "/cur/" + name,
                                path("INBOX") + "/new/" + name.substr(0, name.find(':')));
    ASSERT_TRUE(writing.changes_since(1, Look::Thorough));
    ASSERT_TRUE(writing.snapshot(true));
    ASSERT_GE(files("INBOX", "new").size(), 256u);
    for (const auto& name : files("INBOX", "new")) std::filesystem::remove(path("INBOX") + "/new/" + name);
    int turns = 0;
    for (; writing.has_chores() && turns < 10; ++turns) ASSERT_TRUE(writing.do_chore());
    EXPECT_LT(turns, 10);
}

TEST_F(StoreMessages, ChangeManyFlagsWhereNoThreadIsToBeHad) {
    deliver("INBOX");
    while (uids("INBOX").size() < 512) ASSERT_TRUE(mailbox("INBOX").copy(uids("INBOX"), "INBOX"));
    const auto all = uids("INBOX");
    auto box = mailbox("INBOX");
    pthread_attr_t usual, vast;
    ASSERT_EQ(::pthread_getattr_default_np(&usual), 0);
    ASSERT_EQ(::pthread_attr_init(&vast), 0);
    ASSERT_EQ(::pthread_attr_setstacksize(&vast, std::size_t{1} << 50), 0);  // more than there are addresses
    ASSERT_EQ(::pthread_setattr_default_np(&vast), 0);
    const auto stored = box.store(all, {FlagAction::Add, kSeen, {}, {}});
    EXPECT_EQ(::pthread_setattr_default_np(&usual), 0);
    ASSERT_TRUE(stored) << stored.error().text;
    for (const auto& row : snapshot("INBOX").rows) ASSERT_EQ(row.flags, kSeen);
}

TEST_F(StoreMessages, GiveTheirStructureOnceParsed) {
    const auto uid = deliver("INBOX", "Subject: hello\r\nContent-Type: text/html\r\n\r\n<p>\r\n");
    auto box = mailbox("INBOX");
    for (int i = 0; i < 2; ++i) {
        const auto structure = box.structure(uid);
        ASSERT_TRUE(structure) << structure.error().text;
        EXPECT_EQ(structure->envelope().subject, "hello");
        EXPECT_EQ(structure->root().subtype, "html");
        EXPECT_EQ(structure->octets(), snapshot("INBOX").rows[0].size);
    }
    std::vector<std::pair<Uid, bool>> seen;
    ASSERT_TRUE(box.structures(std::vector<Uid>{uid, 77}, [&](Uid u, const message::Structure* s) {
        seen.emplace_back(u, s != nullptr);
        return true;
    }));
    EXPECT_EQ(seen, (std::vector<std::pair<Uid, bool>>{{uid, true}, {77, false}}));
}

TEST_F(StoreMessages, AreReadAsFarAsTheLimitsOfTheAccountGo) {
    AccountOptions options;
    options.message_limits.parts = 2;
    account_ = Account::open(home_, options).value();
    const std::string_view three =
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        "--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b\r\n\r\nthree\r\n--b--\r\n";
    EXPECT_EQ(mailbox("INBOX").structure(deliver("INBOX", std::string(three)))->parts.size(), 2u)
        << "looked into on the way in";
    write_file(path("INBOX") + "/new/1.foreign", std::string(three));
    ASSERT_TRUE(account_->reconcile(true));
    EXPECT_EQ(mailbox("INBOX").structure(2)->parts.size(), 2u) << "looked into when asked for";
}

TEST_F(StoreMessages, AreShownAsTheirStructureSays) {
    const std::string text = "From: a@b.test\r\nSubject: one\r\n\r\nhi\r\n";
    deliver("INBOX", text);
    write_file(path("INBOX") + "/new/1.foreign", text);
    ASSERT_TRUE(account_->reconcile(true));
    std::vector<std::string> envelopes;
    auto inbox = mailbox("INBOX");
    for (int turn = 0; turn < 2; ++turn)
        ASSERT_TRUE(inbox.shown(std::vector<Uid>{1, 2, 9}, [&](Uid uid, const Mailbox::Shown* shown) {
            EXPECT_EQ(shown == nullptr, uid == 9) << uid;
            if (shown != nullptr)
                envelopes.push_back(std::string(shown->envelope) + std::string(shown->body_structure));
            return true;
        }));
    std::string expected;
    const auto structure = inbox.structure(1);
    ASSERT_TRUE(structure);
    message::append_envelope(expected, structure->envelope());
    message::append_body(expected, *structure, true);
    EXPECT_EQ(envelopes, std::vector<std::string>(4, expected));
}

TEST_F(StoreMessages, TellTheSinkAfterEachCommit) {
    struct Sink : ChangeSink {
        std::vector<std::string> seen;
        void changed(const Change& change) noexcept override {
            seen.push_back(std::string(change.account) + " " + std::string(change.mailbox));
        }
    } sink;
    account_ = open(&sink);
    const auto uid = deliver("INBOX");
    ASSERT_TRUE(mailbox("INBOX").move(std::vector<Uid>{uid}, "Trash"));
    EXPECT_EQ(sink.seen, (std::vector<std::string>{"ann@a.test INBOX", "ann@a.test Trash", "ann@a.test INBOX"}));
}

TEST_F(StoreMessages, HaveAStructureFromTheirDeliveryOn) {
    const Uid uid = deliver("INBOX", "Subject: kept\r\nFrom: a@b.test\r\n\r\nhello\r\n");
    auto inbox = mailbox("INBOX");
    // The file need not be read again.
    for (const auto& name : files("INBOX", "new")) std::filesystem::remove(path("INBOX") + "/new/" + name);
    std::size_t calls = 0;
    ASSERT_TRUE(inbox.envelopes(std::span(&uid, 1), [&](Uid, const message::Envelope* envelope) {
        ++calls;
        EXPECT_TRUE(envelope != nullptr && envelope->subject == "kept" && envelope->from.size() == 1);
        return true;
    }));
    EXPECT_EQ(calls, 1u);
}

TEST_F(StoreMessages, GiveEnvelopesAndFilesInOrderWithGapsWhereTheyAreGone) {
    for (int i = 1; i <= 5; ++i) deliver("INBOX", "Subject: " + std::to_string(i) + "\r\n\r\nbody\r\n");
    auto inbox = mailbox("INBOX");
    const Uid gone = 3;
    ASSERT_TRUE(inbox.remove(std::span(&gone, 1)));
    const std::vector<Uid> wanted = {1, 3, 4, 9};
    std::string subjects, bytes;
    ASSERT_TRUE(inbox.envelopes(wanted, [&](Uid, const message::Envelope* envelope) {
        subjects += envelope != nullptr ? envelope->subject.value_or("?") : "-";
        return true;
    }));
    EXPECT_EQ(subjects, "1-4-");
    ASSERT_TRUE(inbox.messages(wanted, [&](Uid, const message::Structure* structure, const OpenMessage* file) {
        EXPECT_EQ(structure == nullptr, file == nullptr);
        bytes += file != nullptr ? std::string(file->file.bytes().substr(9, 1)) : "-";
        return true;
    }));
    EXPECT_EQ(bytes, "1-4-");
    // A foreign tool renames one between our look at the index and the open.
    const auto names = files("INBOX", "new");
    std::filesystem::rename(path("INBOX") + "/new/" + names[0], path("INBOX") + "/cur/" + names[0] + ":2,S");
    std::size_t found = 0;
    const std::vector<Uid> all = {1, 2, 4, 5};
    ASSERT_TRUE(inbox.messages(all, [&](Uid, const message::Structure*, const OpenMessage* file) {
        found += file != nullptr;
        return true;
    }));
    EXPECT_EQ(found, 4u);
}

}  // namespace
}  // namespace gk::store
