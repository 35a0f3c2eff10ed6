// SPDX-License-Identifier: MIT
#include "common/delivery/memory.hpp"

#include <gtest/gtest.h>
#include <cstdlib>
#include <filesystem>

#include "common/os/file.hpp"

namespace gk::delivery {
namespace {

using Kind = Memory::Kind;

struct DeliveryMemory : ::testing::Test {
    DeliveryMemory() {
        char name[] = "/tmp/gk-memory-XXXXXX";
        home = ::mkdtemp(name);
    }
    ~DeliveryMemory() override { std::filesystem::remove_all(home); }
    std::string home;
};

TEST_F(DeliveryMemory, OfTwoWhoClaimTheSameOneAloneGetsIt) {
    Memory one(home, 100), other(home, 100);
    EXPECT_TRUE(one.claim(Kind::Vacation, "h bob@b.test", 200, 100).value());
    EXPECT_FALSE(other.claim(Kind::Vacation, "h bob@b.test", 300, 101).value());
    EXPECT_TRUE(other.claim(Kind::Vacation, "h zoe@b.test", 300, 101).value());
    EXPECT_TRUE(other.claim(Kind::Duplicate, "h bob@b.test", 300, 101).value());
}

TEST_F(DeliveryMemory, ForgetsWhenTheTimeIsOver) {
    Memory memory(home, 100);
    ASSERT_TRUE(memory.remember(Kind::Duplicate, "<1@b.test>", 200, 100));
    EXPECT_TRUE(memory.knows(Kind::Duplicate, "<1@b.test>", 199).value());
    EXPECT_FALSE(memory.knows(Kind::Duplicate, "<1@b.test>", 200).value());
    EXPECT_FALSE(memory.knows(Kind::Vacation, "<1@b.test>", 150).value());
    EXPECT_TRUE(memory.claim(Kind::Duplicate, "<1@b.test>", 300, 200).value());
}

TEST_F(DeliveryMemory, KeepsSoManyAndGivesUpThoseThatEndFirst) {
    Memory memory(home, 3);
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(memory.remember(Kind::Vacation, std::to_string(i), 1000 + i, 100));
    EXPECT_FALSE(memory.knows(Kind::Vacation, "6", 100).value());
    EXPECT_TRUE(memory.knows(Kind::Vacation, "7", 100).value());
}

TEST_F(DeliveryMemory, LookingMakesNoFile) {
    EXPECT_FALSE(Memory(home, 3).knows(Kind::Duplicate, "x", 1).value());
    EXPECT_FALSE(os::exists(home + "/sieve.db"));
}

}  // namespace
}  // namespace gk::delivery
