// SPDX-License-Identifier: MIT
#include "common/db/database.hpp"

#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/ids.hpp"
#include "common/os/file.hpp"

namespace gk::db {
namespace {

class DatabaseTest : public ::testing::Test {
protected:
    void SetUp() override { ASSERT_TRUE(os::make_directories(dir_)); }
    void TearDown() override { (void)os::remove_tree(dir_); }
    std::string dir_ = ::testing::TempDir() + "gk-db-" + new_id();
    std::string path_ = dir_ + "/x.db";
};

const std::vector<std::string> kSchema = {"CREATE TABLE t(k INTEGER PRIMARY KEY, v TEXT) STRICT;"};

TEST_F(DatabaseTest, KeepsWhatWasCommittedAndForgetsWhatWasNot) {
    auto db = Database::open(path_);
    ASSERT_TRUE(db) << db.error().text;
    ASSERT_TRUE(db->migrate(kSchema));
    {
        auto tx = Transaction::begin(*db);
        ASSERT_TRUE(tx);
        ASSERT_TRUE(db->prepare("INSERT INTO t(v) VALUES(?)")->bind("kept").run());
        ASSERT_TRUE(tx->commit());
    }
    {
        auto tx = Transaction::begin(*db);
        ASSERT_TRUE(tx);
        ASSERT_TRUE(db->prepare("INSERT INTO t(v) VALUES(?)")->bind("lost").run());
    }
    auto query = db->prepare("SELECT v FROM t");
    ASSERT_TRUE(query);
    ASSERT_TRUE(*query->step());
    EXPECT_EQ(query->text(0), "kept");
    EXPECT_FALSE(*query->step());
}

TEST_F(DatabaseTest, StoresBytesWithNulsUnchanged) {
    auto db = Database::open(path_);
    ASSERT_TRUE(db->migrate({"CREATE TABLE t(b BLOB)"}));
    const std::string bytes("a\0b\xff", 4);
    ASSERT_TRUE(db->prepare("INSERT INTO t VALUES(?)")->bind_blob(bytes).run());
    auto query = db->prepare("SELECT b FROM t");
    ASSERT_TRUE(*query->step());
    EXPECT_EQ(query->text(0), bytes);
}

TEST_F(DatabaseTest, RefusesASchemaFromTheFuture) {
    auto db = Database::open(path_);
    ASSERT_TRUE(db->migrate(kSchema));
    ASSERT_TRUE(db->execute("PRAGMA user_version=9"));
    const auto refused = db->migrate(kSchema);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::Unsupported);
}

TEST_F(DatabaseTest, RunsEachMissingStepOnce) {
    {
        auto db = Database::open(path_);
        ASSERT_TRUE(db->migrate(kSchema));
    }
    auto db = Database::open(path_);
    auto steps = kSchema;
    steps.push_back("ALTER TABLE t ADD COLUMN w TEXT;");
    ASSERT_TRUE(db->migrate(steps));
    ASSERT_TRUE(db->migrate(steps));
    EXPECT_TRUE(db->prepare("SELECT w FROM t"));
}

TEST_F(DatabaseTest, SaysThatAMissingFileIsNotFound) {
    const auto db = Database::open(path_, {.create = false});
    ASSERT_FALSE(db);
    EXPECT_EQ(db.error().code, Errc::NotFound);
}

TEST_F(DatabaseTest, CallsAFileThatIsNoDatabasePermanentlyWrong) {
    ASSERT_TRUE(os::replace_file(path_, std::string(4096, 'x')));
    auto db = Database::open(path_);
    ASSERT_FALSE(db);
    EXPECT_EQ(db.error().code, Errc::Permanent);
}

TEST_F(DatabaseTest, CallsABusyDatabaseTemporary) {
    auto one = Database::open(path_);
    ASSERT_TRUE(one->migrate(kSchema));
    auto two = Database::open(path_, {.busy_timeout_ms = 1});
    auto held = Transaction::begin(*one);
    ASSERT_TRUE(held);
    auto refused = Transaction::begin(*two);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::Temporary);
}

TEST_F(DatabaseTest, LetsAReaderWithoutWriteRightsReadAPersistentWal) {
    {
        auto db = Database::open(path_, {.persist_wal = true, .mode = 0640});
        ASSERT_TRUE(db->migrate(kSchema));
        ASSERT_TRUE(db->execute("INSERT INTO t(v) VALUES('x')"));
    }
    struct stat status {};
    ASSERT_EQ(::stat((path_ + "-wal").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777u, 0640u);
    auto reader = Database::open(path_, {.read_only = true});
    ASSERT_TRUE(reader) << reader.error().text;
    auto query = reader->prepare("SELECT v FROM t");
    ASSERT_TRUE(query);
    EXPECT_TRUE(*query->step());
    query->reset();
    EXPECT_FALSE(reader->execute("INSERT INTO t(v) VALUES('y')"));
}

}  // namespace
}  // namespace gk::db
