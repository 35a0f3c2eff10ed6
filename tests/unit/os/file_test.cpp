// SPDX-License-Identifier: MIT
#include "common/os/file.hpp"

#include <sys/resource.h>
#include <sys/stat.h>
#include <csignal>

#include "common/base/ids.hpp"
#include "common/os/daemon.hpp"

namespace gk::os {
namespace {

class FileTest : public ::testing::Test {
protected:
    void SetUp() override { ASSERT_TRUE(make_directories(dir_)); }
    void TearDown() override { EXPECT_TRUE(remove_tree(dir_)); }
    std::string dir_ = ::testing::TempDir() + "gk-os-" + new_id();
};

TEST_F(FileTest, ReplacesAFileWholeAndLeavesNoTemporaryName) {
    const std::string path = dir_ + "/x";
    ASSERT_TRUE(replace_file(path, "one", 0640));
    ASSERT_TRUE(replace_file(path, "two", 0640));
    EXPECT_EQ(read_file(path), "two");
    EXPECT_EQ(list_directory(dir_)->size(), 1u);
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777u, 0640u);
}

TEST_F(FileTest, LeavesTheOldFileWhereTheNewOneCannotBeWritten) {
    const std::string path = dir_ + "/x";
    ASSERT_TRUE(replace_file(path, "old"));
    rlimit before{};
    ::getrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{1000, before.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
    const Status refused = replace_file(path, std::string(5000, 'x'));
    ::setrlimit(RLIMIT_FSIZE, &before);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().os_errno, EFBIG);
    EXPECT_EQ(read_file(path), "old");
    EXPECT_EQ(list_directory(dir_)->size(), 1u);
}

TEST_F(FileTest, NeverOverwritesWithNewFile) {
    ASSERT_TRUE(append_file(dir_ + "/x", "a", true));
    const auto refused = NewFile::create(dir_ + "/x");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::Exists);
    ASSERT_TRUE(append_file(dir_ + "/x", "b", false));
    EXPECT_EQ(read_file(dir_ + "/x"), "ab");
}

TEST_F(FileTest, BoundsWhatItReads) {
    ASSERT_TRUE(append_file(dir_ + "/x", std::string(100, 'x'), false));
    EXPECT_EQ(read_file(dir_ + "/x", 99).error().code, Errc::BadInput);
    EXPECT_EQ(read_file(dir_ + "/none").error().code, Errc::NotFound);
}

TEST_F(FileTest, MapsAFileAndAnEmptyOne) {
    ASSERT_TRUE(append_file(dir_ + "/x", "bytes", false));
    ASSERT_TRUE(append_file(dir_ + "/empty", "", false));
    auto mapped = MappedFile::open(dir_ + "/x");
    ASSERT_TRUE(mapped);
    MappedFile moved = std::move(*mapped);
    EXPECT_EQ(moved.bytes(), "bytes");
    EXPECT_EQ(MappedFile::open(dir_ + "/empty")->bytes(), "");
    EXPECT_EQ(MappedFile::open(dir_ + "/none").error().code, Errc::NotFound);
}

TEST_F(FileTest, MakesAndRemovesTrees) {
    ASSERT_TRUE(make_directories(dir_ + "/a/b/c"));
    ASSERT_TRUE(make_directories(dir_ + "/a/b/c"));
    ASSERT_TRUE(append_file(dir_ + "/a/b/file", "x", false));
    EXPECT_EQ(make_directories(dir_ + "/a/b/file").error().code, Errc::Exists);
    ASSERT_TRUE(link(dir_ + "/a/b/file", dir_ + "/a/linked"));
    ASSERT_TRUE(rename(dir_ + "/a/linked", dir_ + "/a/renamed"));
    EXPECT_TRUE(exists(dir_ + "/a/renamed"));
    ASSERT_TRUE(sync_directory(dir_ + "/a"));
    ASSERT_TRUE(sync_filesystem(dir_));
    ASSERT_TRUE(remove_tree(dir_ + "/a"));
    EXPECT_FALSE(exists(dir_ + "/a"));
    EXPECT_TRUE(remove_tree(dir_ + "/a"));
    EXPECT_FALSE(unlink(dir_ + "/a"));
    EXPECT_FALSE(sync_directory(dir_ + "/a"));
}

TEST(Signals, AreReadInsteadOfKilling) {
    auto signals = Signals::install();
    ASSERT_TRUE(signals);
    EXPECT_EQ(signals->next(), Signals::Kind::None);
    ::raise(SIGHUP);
    EXPECT_EQ(signals->next(), Signals::Kind::Reload);
    ::raise(SIGTERM);
    EXPECT_EQ(signals->next(), Signals::Kind::Stop);
}

TEST(ServiceManager, IsNotNeeded) {
    ::unsetenv("LISTEN_FDS");
    ::unsetenv("NOTIFY_SOCKET");
    ::unsetenv("WATCHDOG_USEC");
    EXPECT_TRUE(take_listen_fds()->empty());
    EXPECT_EQ(watchdog_interval_ms(), 0);
    notify_ready("ready");
    notify_status("fine");
    notify_watchdog();
    notify_reloading();
    notify_stopping();
}

}  // namespace
}  // namespace gk::os
