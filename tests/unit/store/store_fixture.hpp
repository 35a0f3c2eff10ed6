// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "common/os/file.hpp"
#include "common/store/account.hpp"
#include "common/store/incoming.hpp"
#include "common/store/mailbox.hpp"

namespace gk::store {

class StoreTest : public ::testing::Test {
protected:
    void SetUp() override {
        char name[] = "/tmp/gk-store-XXXXXX";
        ASSERT_NE(::mkdtemp(name), nullptr);
        directory_ = name;
        home_ = directory_ + "/ann";
        account_ = open();
        ASSERT_TRUE(account_);
    }
    void TearDown() override {
        account_.reset();
        std::filesystem::remove_all(directory_);
    }

    std::shared_ptr<Account> open(ChangeSink* sink = nullptr) {
        AccountOptions options;
        options.name = "ann@a.test";
        options.create = true;
        options.sink = sink;
        auto account = Account::open(home_, options);
        EXPECT_TRUE(account) << account.error().text;
        return account ? *account : nullptr;
    }
    // As after a new start; with the index deleted where asked.
    void reopen(bool delete_index = false) {
        account_.reset();
        if (delete_index)
            for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(home_ + "/index.db" + suffix);
        account_ = open();
    }

    Uid deliver(const std::string& mailbox, std::string bytes = "Subject: x\r\n\r\nhello\r\n",
                const IncomingMessage& message = {}) {
        auto incoming = account_->incoming(mailbox);
        EXPECT_TRUE(incoming) << incoming.error().text;
        EXPECT_TRUE(incoming->begin(message));
        EXPECT_TRUE(incoming->write(bytes));
        auto appended = incoming->commit();
        EXPECT_TRUE(appended) << appended.error().text;
        return appended ? appended->uids.at(0) : 0;
    }
    Mailbox mailbox(const std::string& name) {
        auto found = account_->mailbox(name);
        EXPECT_TRUE(found) << found.error().text;
        return std::move(*found);
    }
    Snapshot snapshot(const std::string& name, bool writable = false) {
        auto box = mailbox(name);
        auto taken = box.snapshot(writable);
        EXPECT_TRUE(taken) << taken.error().text;
        while (box.has_chores()) EXPECT_TRUE(box.do_chore());
        return std::move(*taken);
    }
    std::vector<Uid> uids(const std::string& name) {
        std::vector<Uid> out;
        for (const auto& row : snapshot(name).rows) out.push_back(row.uid);
        return out;
    }
    std::string path(const std::string& mailbox) { return account_->mailbox_path(mailbox); }
    std::vector<std::string> files(const std::string& mailbox, const std::string& sub) {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(path(mailbox) + "/" + sub))
            names.push_back(entry.path().filename());
        std::sort(names.begin(), names.end());
        return names;
    }
    static void write_file(const std::string& path, const std::string& bytes) {
        std::ofstream(path, std::ios::binary) << bytes;
    }
    static std::string read(const std::string& path) { return os::read_file(path).value_or("?"); }
    FlagsStored store(const std::string& name, std::vector<Uid> which, const FlagUpdate& update) {
        auto stored = mailbox(name).store(which, update);
        EXPECT_TRUE(stored) << stored.error().text;
        return stored ? std::move(*stored) : FlagsStored();
    }

    std::string directory_, home_;
    std::shared_ptr<Account> account_;
};

}  // namespace gk::store
