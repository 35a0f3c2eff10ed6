// SPDX-License-Identifier: MIT
#include "common/maildir/writer.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <thread>

#include "common/os/file.hpp"

// This program's own fsync and syncfs stand before libc's: they count, wait a little as a disk does, and fail when
// told.
namespace {
std::atomic<int> fsync_calls{0}, syncfs_calls{0}, fsync_failures{0}, syncfs_failures{0};
std::atomic<int> syncfs_passes{0};  // calls that succeed before those that fail
std::atomic<int> flush_delay_us{0};
}  // namespace

extern "C" int fsync(int fd) {
    ++fsync_calls;
    if (const int delay = flush_delay_us.load()) ::usleep(static_cast<useconds_t>(delay));
    if (fsync_failures > 0) {
        --fsync_failures;
        errno = EIO;
        return -1;
    }
    return static_cast<int>(::syscall(SYS_fsync, fd));
}

extern "C" int syncfs(int) noexcept {
    ++syncfs_calls;
    if (const int delay = flush_delay_us.load()) ::usleep(static_cast<useconds_t>(delay));
    if (syncfs_passes > 0) {
        --syncfs_passes;
        return 0;
    }
    if (syncfs_failures > 0) {
        --syncfs_failures;
        errno = EIO;
        return -1;
    }
    return 0;
}

namespace gk::maildir {
namespace {

class MaildirWriter : public ::testing::Test {
protected:
    void SetUp() override {
        char name[] = "/tmp/gk-writer-XXXXXX";
        root_ = ::mkdtemp(name);
        add_mailbox("Maildir");
        box_ = root_ + "/Maildir";
        fsync_calls = syncfs_calls = fsync_failures = syncfs_failures = syncfs_passes = flush_delay_us = 0;
    }
    void TearDown() override { (void)os::remove_tree(root_); }

    void add_mailbox(const std::string& name) {
        for (const char* sub : {"tmp", "new", "cur"}) ASSERT_TRUE(os::make_directories(root_ + '/' + name + '/' + sub));
    }
    std::vector<std::string> names(const std::string& sub) {
        std::vector<std::string> found;
        const auto entries = os::list_directory(box_ + '/' + sub);
        for (const auto& entry : *entries) found.push_back(entry.name);
        std::sort(found.begin(), found.end());
        return found;
    }
    NewMessage message(Writer& writer, const std::string& name, std::string_view bytes = "Subject: a\n\nb\n") {
        auto made = writer.create(box_, name);
        EXPECT_TRUE(made) << made.error().text;
        EXPECT_TRUE(made->write(bytes));
        return std::move(*made);
    }
    static Status commit(Writer& writer, NewMessage& message, Sub sub, const std::string& name) {
        Placement placement{&message, sub, name};
        return writer.commit({&placement, 1});
    }

    std::string root_, box_;
};

TEST_F(MaildirWriter, PlacesOneMessageWithTwoFlushes) {
    Writer writer;
    auto one = message(writer, "1.a.host");
    ASSERT_TRUE(commit(writer, one, Sub::New, "1.a.host,S=14,W=17"));
    EXPECT_EQ(fsync_calls, 2);
    EXPECT_EQ(syncfs_calls, 0);
    EXPECT_EQ(names("new"), std::vector<std::string>{"1.a.host,S=14,W=17"});
    EXPECT_TRUE(names("tmp").empty());
    EXPECT_EQ(*os::read_file(box_ + "/new/1.a.host,S=14,W=17"), "Subject: a\n\nb\n");
    struct stat status {};
    ASSERT_EQ(::stat((box_ + "/new/1.a.host,S=14,W=17").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0600u);
}

TEST_F(MaildirWriter, KeepsEveryByteOfLargeMessagesWhateverThePieces) {
    Writer writer;
    std::string bytes;
    for (int i = 0; bytes.size() < 400'000; ++i) bytes += std::to_string(i) + "\n";
    for (const std::size_t piece : {std::size_t{1000}, std::size_t{65'535}, std::size_t{65'537}, bytes.size()}) {
        auto made = writer.create(box_, "big" + std::to_string(piece));
        ASSERT_TRUE(made);
        for (std::size_t at = 0; at < bytes.size(); at += piece)
            ASSERT_TRUE(made->write(std::string_view(bytes).substr(at, piece)));
        EXPECT_EQ(made->size(), bytes.size());
        ASSERT_TRUE(commit(writer, *made, Sub::Cur, "big" + std::to_string(piece) + ":2,S"));
        EXPECT_EQ(*os::read_file(box_ + "/cur/big" + std::to_string(piece) + ":2,S"), bytes);
    }
}

TEST_F(MaildirWriter, LeavesNothingOfAMessageThatIsNotCommitted) {
    Writer writer;
    { auto gone = message(writer, "1"); }
    auto given_up = message(writer, "2");
    given_up.abandon();
    EXPECT_TRUE(names("tmp").empty());
    EXPECT_TRUE(names("new").empty());
}

TEST_F(MaildirWriter, AnswersTemporaryAndRemovesTheMessageWhenItsFlushFails) {
    Writer writer;
    auto one = message(writer, "1");
    fsync_failures = 1;
    const auto done = commit(writer, one, Sub::New, "1");
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Errc::Temporary);
    EXPECT_EQ(fsync_calls, 1) << "a failed fsync is not tried again";
    EXPECT_TRUE(names("tmp").empty());
    EXPECT_TRUE(names("new").empty());
}

TEST_F(MaildirWriter, RemovesTheMessageFromItsFinalPlaceWhenTheDirectoryFlushFails) {
    Writer writer;
    auto one = message(writer, "1");
    ASSERT_TRUE(writer.sync(one));
    fsync_failures = 1;
    ASSERT_TRUE(writer.place({&one, Sub::New, "1"}));
    NewMessage* all[] = {&one};
    const auto done = writer.sync_directories(all);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Errc::Temporary);
    one.abandon();
    EXPECT_TRUE(names("new").empty());
}

TEST_F(MaildirWriter, AnswersTemporaryWhenTheFileCannotGrow) {
    Writer writer;
    struct rlimit before {};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    auto* const old = ::signal(SIGXFSZ, SIG_IGN);
    struct rlimit small = before;
    small.rlim_cur = 100'000;
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    auto made = writer.create(box_, "1");
    ASSERT_TRUE(made);
    Status done = ok();
    for (int i = 0; done && i < 30; ++i) done = made->write(std::string(10'000, 'x'));
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    ::signal(SIGXFSZ, old);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Errc::Temporary);
    made->abandon();
    EXPECT_TRUE(names("tmp").empty());
}

TEST_F(MaildirWriter, NeverReplacesAFile) {
    Writer writer;
    auto one = message(writer, "1"), two = message(writer, "2", "other\n");
    ASSERT_TRUE(commit(writer, one, Sub::New, "same"));
    EXPECT_FALSE(commit(writer, two, Sub::New, "same"));
    EXPECT_EQ(*os::read_file(box_ + "/new/same"), "Subject: a\n\nb\n");
    EXPECT_TRUE(names("tmp").empty());
    EXPECT_FALSE(commit(writer, one, Sub::New, "again")) << "a message is placed once";
}

TEST_F(MaildirWriter, SaysNotFoundForAMailboxThatIsNotThere) {
    Writer writer;
    EXPECT_EQ(writer.create(root_ + "/nowhere", "1").error().code, Errc::NotFound);
    auto one = message(writer, "1");
    one.abandon();
    ASSERT_TRUE(os::remove_tree(box_));
    EXPECT_EQ(writer.create(box_, "2").error().code, Errc::NotFound) << "also when its directory was open";
}

TEST_F(MaildirWriter, FollowsAMailboxThatWasReplacedUnderItsName) {
    Writer writer;
    auto one = message(writer, "1");
    ASSERT_TRUE(commit(writer, one, Sub::New, "1"));
    ASSERT_TRUE(os::rename(box_, root_ + "/old"));
    add_mailbox("Maildir");
    auto two = message(writer, "2");
    ASSERT_TRUE(commit(writer, two, Sub::New, "2"));
    EXPECT_EQ(names("new"), std::vector<std::string>{"2"});
}

TEST_F(MaildirWriter, CommitsSeveralMessagesWithTwoFlushes) {
    Writer writer;
    std::vector<NewMessage> messages;
    for (int i = 0; i < 5; ++i) messages.push_back(message(writer, std::to_string(i)));
    std::vector<Placement> placements;
    for (int i = 0; i < 5; ++i)
        placements.push_back({&messages[static_cast<std::size_t>(i)], Sub::Cur, std::to_string(i) + ":2,"});
    ASSERT_TRUE(writer.commit(placements));
    EXPECT_EQ(syncfs_calls, 1);
    EXPECT_EQ(fsync_calls, 1);
    EXPECT_EQ(names("cur").size(), 5u);
}

TEST_F(MaildirWriter, CommitsAllOfSeveralMessagesOrNone) {
    Writer writer;
    for (int failing = 0; failing < 3; ++failing) {
        std::vector<NewMessage> messages;
        std::vector<Placement> placements;
        for (int i = 0; i < 4; ++i) messages.push_back(message(writer, std::to_string(i)));
        for (int i = 0; i < 4; ++i)
            placements.push_back({&messages[static_cast<std::size_t>(i)], Sub::New, std::to_string(i)});
        if (failing == 0) syncfs_failures = 1;
        if (failing == 1) fsync_failures = 1;
        if (failing == 2) placements[3].name = "0";  // taken by the first of them
        EXPECT_FALSE(writer.commit(placements));
        EXPECT_TRUE(names("new").empty());
        EXPECT_TRUE(names("tmp").empty());
    }
}

TEST_F(MaildirWriter, FlushesAloneWhatWasWrittenBeforeAGroupFlushFailed) {
    SyncOptions options;
    options.group_from = 1;
    Writer writer(options);
    auto older = message(writer, "older"), other = message(writer, "other");
    syncfs_failures = 1;
    EXPECT_FALSE(commit(writer, other, Sub::New, "other"));
    fsync_calls = 0;
    ASSERT_TRUE(commit(writer, older, Sub::New, "older"));
    EXPECT_EQ(fsync_calls, 2) << "its own fsync, and the directory's";
}

void deliver_at_once(const std::string& box, Writer& writer, int threads, int each) {
    std::atomic<int> failed{0};
    std::vector<std::thread> running;
    for (int t = 0; t < threads; ++t)
        running.emplace_back([&, t] {
            for (int i = 0; i < each; ++i) {
                const std::string name = std::to_string(t) + "." + std::to_string(i);
                auto made = writer.create(box, name);
                if (!made || !made->write("Subject: x\n\n")) ++failed;
                Placement placement{&*made, Sub::New, name};
                if (!writer.commit({&placement, 1})) ++failed;
            }
        });
    for (auto& thread : running) thread.join();
    EXPECT_EQ(failed, 0);
}

TEST_F(MaildirWriter, SharesDirectoryFlushesBetweenThreads) {
    SyncOptions options;
    options.group_from = 0;
    Writer writer(options);
    flush_delay_us = 2000;
    deliver_at_once(box_, writer, 12, 8);
    EXPECT_EQ(names("new").size(), 96u);
    EXPECT_EQ(syncfs_calls, 0);
    EXPECT_LE(fsync_calls, 96 * 3 / 2) << "at most 1.5 flushes a message from ten at once on";
}

TEST_F(MaildirWriter, FlushesItsOwnFilesWhereTheFileSystemIsSlow) {
    SyncOptions options;
    options.group_from = 1;
    options.patience = std::chrono::milliseconds(20);
    Writer writer(options);
    auto first = message(writer, "first"), second = message(writer, "second");
    flush_delay_us = 200'000;
    ASSERT_TRUE(commit(writer, first, Sub::New, "first"));
    EXPECT_EQ(fsync_calls, 2) << "its own, and the directory's";
    const int groups = syncfs_calls;
    ASSERT_TRUE(commit(writer, second, Sub::New, "second"));
    EXPECT_EQ(fsync_calls, 4);
    EXPECT_EQ(syncfs_calls, groups) << "while it is slow, nobody asks again";
    EXPECT_EQ(names("new").size(), 2u);
    EXPECT_TRUE(names("tmp").empty());
}

TEST_F(MaildirWriter, FailsAllWhomAFailedFlushOfNamesWasToServe) {
    SyncOptions options;
    options.group_from = 1;
    Writer writer(options);
    auto one = message(writer, "one");
    syncfs_passes = 1;  // the bytes are durable, the name is not
    syncfs_failures = 1;
    EXPECT_FALSE(commit(writer, one, Sub::New, "one"));
    EXPECT_TRUE(names("new").empty());
    EXPECT_TRUE(names("tmp").empty());
}

TEST_F(MaildirWriter, SharesFileFlushesToBetweenManyThreads) {
    SyncOptions options;
    options.group_from = 8;
    Writer writer(options);
    flush_delay_us = 2000;
    deliver_at_once(box_, writer, 32, 4);
    EXPECT_EQ(names("new").size(), 128u);
    EXPECT_GT(syncfs_calls, 0);
    EXPECT_LE(fsync_calls + syncfs_calls, 128);
}

TEST_F(MaildirWriter, KeepsABoundedNumberOfMailboxesOpen) {
    SyncOptions options;
    options.max_open_mailboxes = 4;
    Writer writer(options);
    const auto open_files = [] { return os::list_directory("/proc/self/fd")->size(); };
    const auto before = open_files();
    for (int i = 0; i < 20; ++i) {
        box_ = root_ + "/m" + std::to_string(i);
        add_mailbox("m" + std::to_string(i));
        auto one = message(writer, "1");
        ASSERT_TRUE(commit(writer, one, Sub::New, "1"));
    }
    EXPECT_LE(open_files(), before + 4 * 4);
}

}  // namespace
}  // namespace gk::maildir
