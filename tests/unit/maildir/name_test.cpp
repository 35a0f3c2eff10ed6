// SPDX-License-Identifier: MIT
#include "common/maildir/name.hpp"

#include <gtest/gtest.h>
#include <set>
#include <thread>

namespace gk::maildir {
namespace {

TEST(MaildirName, ReadsSizesAndFlagsOfDovecotsNames) {
    const auto name = parse_name("1795341042.M43037P14971.vm,S=28,W=32:2,FSab");
    ASSERT_TRUE(name);
    EXPECT_EQ(name->base, "1795341042.M43037P14971.vm,S=28,W=32");
    EXPECT_EQ(name->size, 28u);
    EXPECT_EQ(name->wire, 32u);
    EXPECT_EQ(name->letters, "FSab");
    const auto letters = parse_letters(name->letters);
    EXPECT_EQ(letters.flags, kFlagged | kSeen);
    EXPECT_EQ(letters.keywords, 3u);
}

TEST(MaildirName, KeepsLettersItDoesNotKnow) {
    auto letters = parse_letters("SPz");
    EXPECT_EQ(letters.others, "P");
    letters.flags |= kDeleted | kDraft;
    EXPECT_EQ(format_name("1.x", letters), "1.x:2,DPSTz");
}

TEST(MaildirName, ReadsNoFlagsWhereThereIsNoInfo) {
    EXPECT_EQ(parse_name("1234.x.host")->letters, "");
    EXPECT_FALSE(parse_name("1234.x.host")->has_info);
    EXPECT_FALSE(parse_name("1234.x.host:1,S")->has_info);
    EXPECT_EQ(parse_name("1234.x.host:1,S")->base, "1234.x.host");
}

TEST(MaildirName, RefusesWhatIsNoMessage) {
    for (const std::string name : {"", ".", "..", ".hidden", ":2,S", "a\nb", "a/b"})
        EXPECT_FALSE(parse_name(name)) << name;
    EXPECT_FALSE(parse_name(std::string(256, 'a')));
}

TEST(MaildirName, IgnoresSizesThatAreNoNumbers) {
    EXPECT_FALSE(parse_name("1.x,S=12x")->size);
    EXPECT_FALSE(parse_name("1.x,S=99999999999999999999")->size);
}

TEST(MaildirName, MakesEveryBaseOnce) {
    std::set<std::string> names;
    std::mutex mutex;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < 500; ++i) {
                auto base = unique_base();
                const std::lock_guard lock(mutex);
                EXPECT_TRUE(names.insert(base).second);
                EXPECT_TRUE(parse_name(base));
            }
        });
    for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace gk::maildir
