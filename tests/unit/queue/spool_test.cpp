// SPDX-License-Identifier: MIT
#include "common/queue/spool.hpp"

#include <unistd.h>

#include "common/queue/spool_file.hpp"
#include "common/queue/state.hpp"

namespace gk::queue {
namespace {

struct TempDir {
    TempDir() {
        char name[] = "/tmp/gk-unit-queue-XXXXXX";
        path = ::mkdtemp(name);
    }
    ~TempDir() { (void)os::remove_tree(path); }
    std::string path;
};

Envelope envelope() {
    Envelope e;
    e.reverse_path = "ann@a.test";
    e.account = "ann@a.test";
    e.envid = "QQ+2B1";
    e.ret = Ret::Headers;
    e.body = Body::EightBitMime;
    e.smtputf8 = true;
    e.require_tls = true;
    e.arrival = from_unix_s(1'700'000'000);
    e.recipients.push_back({"bob@b.test", "rfc822;bob@b.test", kNotifySuccess | kNotifyDelay, {}});
    e.recipients.push_back({"jürgen \t\n%@b.test", "", kNotifyUnset, "552 5.2.2 mailbox full"});
    return e;
}

// Without the syncs that production needs and thousands of files do not.
void put_file(const std::string& path, std::string_view bytes) {
    ::unlink(path.c_str());
    ASSERT_TRUE(os::append_file(path, bytes, false));
}

std::string write(const std::string& dir, const Envelope& e, std::string_view message) {
    auto writer = SpoolWriter::create(dir, e);
    EXPECT_TRUE(writer) << writer.error().text;
    EXPECT_TRUE(writer->write(message));
    auto id = writer->commit();
    EXPECT_TRUE(id) << id.error().text;
    return *id;
}

TEST(Spool, GivesBackEnvelopeAndBytes) {
    TempDir dir;
    const std::string message = "Subject: x\r\n\r\nbody without an end";
    const auto id = write(dir.path, envelope(), message);
    const auto file = SpoolFile::open(dir.path + "/new/" + id);
    ASSERT_TRUE(file) << file.error().text;
    const auto& e = file->envelope();
    EXPECT_EQ(e.id, id);
    EXPECT_EQ(e.trace_id, id);
    EXPECT_EQ(e.reverse_path, "ann@a.test");
    EXPECT_EQ(e.envid, "QQ+2B1");
    EXPECT_EQ(e.ret, Ret::Headers);
    EXPECT_EQ(e.body, Body::EightBitMime);
    EXPECT_TRUE(e.smtputf8);
    EXPECT_TRUE(e.require_tls);
    EXPECT_EQ(e.arrival, from_unix_s(1'700'000'000));
    ASSERT_EQ(e.recipients.size(), 2u);
    EXPECT_EQ(e.recipients[0].notify, kNotifySuccess | kNotifyDelay);
    EXPECT_EQ(e.recipients[1].address, "jürgen \t\n%@b.test");
    EXPECT_EQ(e.recipients[1].failed, "552 5.2.2 mailbox full");
    EXPECT_EQ(*file->read_message(0, 1000), message);
    EXPECT_EQ(*file->read_message(14, 4), "body");
    EXPECT_TRUE(file->verify());
}

TEST(Spool, StreamsLargeMessages) {
    TempDir dir;
    auto writer = SpoolWriter::create(dir.path, envelope());
    ASSERT_TRUE(writer);
    std::string piece(100'000, 'x');
    for (int i = 0; i < 30; ++i) ASSERT_TRUE(writer->write(std::string_view(piece).substr(0, 1u << (i % 17))));
    const auto size = writer->size();
    const auto id = writer->commit();
    ASSERT_TRUE(id);
    const auto file = SpoolFile::open(dir.path + "/new/" + *id);
    ASSERT_TRUE(file) << file.error().text;
    EXPECT_EQ(file->message_size(), size);
    EXPECT_TRUE(file->verify());
}

TEST(Spool, LeavesNothingBehindWithoutCommit) {
    TempDir dir;
    {
        auto writer = SpoolWriter::create(dir.path, envelope());
        ASSERT_TRUE(writer && writer->write("x"));
    }
    EXPECT_TRUE(os::list_directory(dir.path + "/tmp")->empty());
    EXPECT_TRUE(os::list_directory(dir.path + "/new")->empty());
}

TEST(Spool, TheSameIdTwiceOverwritesNothing) {
    TempDir dir;
    auto e = envelope();
    e.id = "SAME";
    const auto one = write(dir.path, e, "one"), two = write(dir.path, e, "two");
    EXPECT_NE(one, two);
    EXPECT_EQ(*SpoolFile::open(dir.path + "/new/" + one)->read_message(0, 10), "one");
    const auto second = SpoolFile::open(dir.path + "/new/" + two);
    EXPECT_EQ(*second->read_message(0, 10), "two");
    EXPECT_EQ(second->envelope().id, two);
    EXPECT_EQ(second->envelope().trace_id, "SAME");
}

TEST(Spool, RefusesIdsThatAreNoFileNames) {
    TempDir dir;
    auto e = envelope();
    for (const char* id : {"../x", ".", "a/b", "a b"}) {
        e.id = id;
        EXPECT_FALSE(SpoolWriter::create(dir.path, e)) << id;
    }
}

TEST(Spool, ManyThreadsShareDirectorySyncs) {
    TempDir dir;
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < 20; ++i) write(dir.path, envelope(), "m");
        });
    for (auto& t : threads) t.join();
    EXPECT_EQ(os::list_directory(dir.path + "/new")->size(), 160u);
}

TEST(SpoolFile, RecognisesATornFileAtEveryByte) {
    TempDir dir;
    const auto id = write(dir.path, envelope(), "Subject: x\r\n\r\nbody\r\n");
    const auto bytes = *os::read_file(dir.path + "/new/" + id);
    const std::string torn = dir.path + "/torn";
    for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
        put_file(torn, bytes.substr(0, cut));
        const auto file = SpoolFile::open(torn);
        ASSERT_FALSE(file) << cut;
        EXPECT_EQ(file.error().code, Errc::BadInput);
    }
}

TEST(SpoolFile, RecognisesAFlippedByte) {
    TempDir dir;
    const auto id = write(dir.path, envelope(), "Subject: x\r\n\r\nbody\r\n");
    const auto bytes = *os::read_file(dir.path + "/new/" + id);
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        auto broken = bytes;
        broken[at] = static_cast<char>(broken[at] ^ 1);
        put_file(dir.path + "/x", broken);
        const auto file = SpoolFile::open(dir.path + "/x");
        EXPECT_FALSE(file && file->verify()) << at;
    }
}

Outcome outcome(OutcomeKind kind, int recipient, std::string text = {}) {
    Outcome o;
    o.kind = kind;
    o.recipient = recipient;
    o.at = from_unix_s(1'700'000'100);
    o.text = std::move(text);
    return o;
}

TEST(SpoolFile, AppendedOutcomesComeBack) {
    TempDir dir;
    const std::string path = dir.path + "/new/" + write(dir.path, envelope(), "no line end");
    auto deferred = outcome(OutcomeKind::Deferred, 0, "451 4.3.0 later\tor\nnever");
    deferred.until = from_unix_s(1'700'000'200);
    deferred.peer = "mx [192.0.2.1]:25";
    deferred.tls = "TLSv1.3 X";
    deferred.status = "4.3.0";
    ASSERT_TRUE(SpoolFile::open(path)->append(std::span(&deferred, 1)));
    const auto failed = outcome(OutcomeKind::Failed, 0, "550 no");
    ASSERT_TRUE(SpoolFile::open(path)->append(std::span(&failed, 1)));
    const auto file = SpoolFile::open(path);
    ASSERT_TRUE(file);
    ASSERT_EQ(file->outcomes().size(), 2u);
    EXPECT_EQ(file->outcomes()[0].text, deferred.text);
    EXPECT_EQ(file->outcomes()[0].until, deferred.until);
    EXPECT_EQ(file->outcomes()[0].peer, deferred.peer);
    EXPECT_EQ(file->outcomes()[1].kind, OutcomeKind::Failed);
    EXPECT_TRUE(file->verify());
}

TEST(SpoolFile, AnOutcomeTornAtAnyByteCostsOnlyItself) {
    TempDir dir;
    const std::string path = dir.path + "/new/" + write(dir.path, envelope(), "message");
    const auto before = os::read_file(path)->size();
    const std::vector<Outcome> two = {outcome(OutcomeKind::Delivered, 0, "250 ok"), outcome(OutcomeKind::Notified, 1)};
    ASSERT_TRUE(SpoolFile::open(path)->append(two));
    const auto bytes = *os::read_file(path);
    std::size_t least = 2;
    for (std::size_t cut = bytes.size(); cut >= before; --cut) {
        put_file(dir.path + "/torn", bytes.substr(0, cut));
        auto file = SpoolFile::open(dir.path + "/torn");
        ASSERT_TRUE(file) << cut;
        const auto count = file->outcomes().size();
        EXPECT_LE(count, least);
        least = count;
        // What is appended behind a torn line is not lost with it.
        const auto more = outcome(OutcomeKind::Hold, -1);
        ASSERT_TRUE(file->append(std::span(&more, 1), false));
        const auto again = SpoolFile::open(dir.path + "/torn");
        ASSERT_TRUE(again);
        // A line that lacked nothing but its LF is whole again.
        EXPECT_GE(again->outcomes().size(), count + 1) << cut;
        EXPECT_EQ(again->outcomes().back().kind, OutcomeKind::Hold);
    }
    EXPECT_EQ(least, 0u);
}

TEST(SpoolFile, SkipsOutcomesOfUnknownKindsAndRecipients) {
    TempDir dir;
    const std::string path = dir.path + "/new/" + write(dir.path, envelope(), "message");
    const auto far = outcome(OutcomeKind::Delivered, 99);
    ASSERT_TRUE(SpoolFile::open(path)->append(std::span(&far, 1)));
    const std::string line = "teleported\tto=0";
    ASSERT_TRUE(os::append_file(path, fmt::format("{:08x}\t{}\n", crc32(0, line), line), false));
    EXPECT_TRUE(SpoolFile::open(path)->outcomes().empty());
}

TEST(Crc32, IsTheCommonOne) {
    EXPECT_EQ(crc32(0, "123456789"), 0xCBF43926u);
    EXPECT_EQ(crc32(crc32(0, "12345"), "6789"), 0xCBF43926u);
}

TEST(Notify, IsReadAsRfc3461Says) {
    EXPECT_EQ(*parse_notify("success,FAILURE"), kNotifySuccess | kNotifyFailure);
    EXPECT_EQ(*parse_notify("NEVER"), kNotifyNever);
    EXPECT_FALSE(parse_notify("NEVER,DELAY"));
    EXPECT_FALSE(parse_notify(""));
    EXPECT_EQ(format_notify(kNotifySuccess | kNotifyFailure | kNotifyDelay), "SUCCESS,FAILURE,DELAY");
}

TEST(MessageState, IsTheSumOfItsOutcomes) {
    Envelope e = envelope();
    auto state = MessageState::of(e, {});
    EXPECT_EQ(state.recipients[1].kind, RecipientState::Kind::Failed);
    EXPECT_EQ(state.recipients[1].status, "5.2.2");
    EXPECT_TRUE(state.recipients[1].owes_notice);
    EXPECT_EQ(state.summary(), "new");
    auto deferred = outcome(OutcomeKind::Deferred, 0);
    deferred.until = from_unix_s(2'000'000'000);
    state.apply(e, deferred);
    EXPECT_EQ(state.summary(), "deferred");
    EXPECT_EQ(*state.next_due(), deferred.until);
    state.apply(e, outcome(OutcomeKind::Retry, -1));
    EXPECT_EQ(*state.next_due(), from_unix_s(1'700'000'100));
    state.apply(e, outcome(OutcomeKind::Hold, -1));
    EXPECT_EQ(state.summary(), "held");
    state.apply(e, outcome(OutcomeKind::Release, -1));
    state.apply(e, outcome(OutcomeKind::Delivered, 0));
    EXPECT_EQ(state.summary(), "bouncing");
    EXPECT_FALSE(state.finished());
    state.apply(e, outcome(OutcomeKind::Notified, 1));
    EXPECT_TRUE(state.finished());
}

TEST(MessageState, ANullReversePathIsOwedNothing) {
    Envelope e = envelope();
    e.reverse_path.clear();
    auto state = MessageState::of(e, {});
    state.apply(e, outcome(OutcomeKind::Failed, 0, "550 no"));
    EXPECT_TRUE(state.finished());
}

TEST(MessageState, NotifyDecidesWhoIsTold) {
    Envelope e = envelope();
    e.recipients[0].notify = kNotifyNever;
    EXPECT_FALSE(wants_failure_notice(e, e.recipients[0]));
    EXPECT_FALSE(wants_delay_notice(e, e.recipients[0]));
    e.recipients[0].notify = kNotifyUnset;
    EXPECT_TRUE(wants_failure_notice(e, e.recipients[0]));
    EXPECT_FALSE(wants_success_notice(e, e.recipients[0]));
}

}  // namespace
}  // namespace gk::queue
