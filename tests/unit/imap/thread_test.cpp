// SPDX-License-Identifier: MIT
#include "common/imap/thread/threader.hpp"

#include <gtest/gtest.h>
#include <chrono>

namespace gk::imap {
namespace {

struct Mail {
    std::uint64_t own = 0;
    std::vector<std::uint64_t> ancestors = {};
    std::int64_t sent = 0;
    std::uint64_t subject = 0;
    bool reply = false;
};

template <class Threader>
std::string threads(const std::vector<Mail>& mails) {
    Threader threader;
    std::uint32_t number = 0;
    for (const Mail& mail : mails) {
        ++number;
        threader.add(number, {.uid = number,
                              .thread = 0,
                              .sent = mail.sent,
                              .own = mail.own,
                              .ancestors = mail.ancestors,
                              .subject = mail.subject,
                              .is_reply = mail.reply});
    }
    std::string out;
    append_threads(out, threader.finish());
    return out;
}
std::string references(const std::vector<Mail>& mails) { return threads<References>(mails); }

TEST(ThreadReferences, LinksParentsAndChildren) {
    EXPECT_EQ(references({}), "* THREAD\r\n");
    EXPECT_EQ(references({{1}, {2}}), "* THREAD (1)(2)\r\n");
    EXPECT_EQ(references({{1}, {2, {1}}, {3, {1, 2}}, {4, {1}}}), "* THREAD (1 (2 3)(4))\r\n");
    // What comes first in the mailbox need not be first in the thread.
    EXPECT_EQ(references({{3, {1, 2}, 3}, {2, {1}, 2}, {1, {}, 1}}), "* THREAD (3 2 1)\r\n");
    // Siblings by date, then by number.
    EXPECT_EQ(references({{1}, {2, {1}, 9}, {3, {1}, 5}, {4, {1}, 9}}), "* THREAD (1 (3)(2)(4))\r\n");
}

TEST(ThreadReferences, LeavesOutWhoIsNotThere) {
    // 7 is not there: its one child takes its place, two of them keep it at the top.
    EXPECT_EQ(references({{2, {7}}}), "* THREAD (1)\r\n");
    EXPECT_EQ(references({{2, {7}}, {3, {7}}}), "* THREAD ((1)(2))\r\n");
    EXPECT_EQ(references({{1}, {2, {1, 7}}, {3, {1, 7}}}), "* THREAD (1 (2)(3))\r\n");
    EXPECT_EQ(references({{2, {7, 8}}, {3, {7, 9}}, {4, {7, 9, 10}}}), "* THREAD ((1)(2)(3))\r\n");
}

TEST(ThreadReferences, MakesNoLoopsAndKnowsDuplicates) {
    EXPECT_EQ(references({{1, {2}}, {2, {1}}}), "* THREAD (2 1)\r\n");
    EXPECT_EQ(references({{1, {2, 3, 1}}, {2, {3, 1}}, {3, {1, 2}}}).find('\0'), std::string::npos);
    EXPECT_EQ(references({{1}, {1}, {2, {1}}}), "* THREAD (1 3)(2)\r\n");
    EXPECT_EQ(references({{0}, {0}}), "* THREAD (1)(2)\r\n");
}

TEST(ThreadReferences, GathersSubjects) {
    // A reply whose references were lost comes below what it answers.
    EXPECT_EQ(references({{1, {}, 1, 5}, {2, {}, 2, 5, true}}), "* THREAD (1 2)\r\n");
    EXPECT_EQ(references({{1, {}, 1, 5, true}, {2, {}, 2, 5}}), "* THREAD (2 1)\r\n");
    // Two of the same kind are siblings.
    EXPECT_EQ(references({{1, {}, 1, 5}, {2, {}, 2, 5}, {3, {}, 3, 6}}), "* THREAD ((1)(2))(3)\r\n");
    EXPECT_EQ(references({{1, {}, 1, 5}, {2, {}, 2, 5}, {3, {}, 3, 5}}), "* THREAD ((1)(2)(3))\r\n");
    // With one who is not there in the table.
    EXPECT_EQ(references({{2, {7}, 1, 5}, {3, {7}, 2, 5}, {4, {}, 3, 5}}), "* THREAD ((1)(2)(3))\r\n");
    EXPECT_EQ(references({{2, {7}, 1, 5}, {3, {7}, 2, 5}, {4, {8}, 3, 5}, {5, {8}, 4, 5}}),
              "* THREAD ((1)(2)(3)(4))\r\n");
    // An empty subject gathers nothing.
    EXPECT_EQ(references({{1, {}, 1, 0}, {2, {}, 2, 0, true}}), "* THREAD (1)(2)\r\n");
}

TEST(ThreadReferences, TakesNoLongerForWhatWasMadeToCostTime) {
    constexpr std::uint64_t kMany = 100'000;
    std::vector<Mail> deep, reversed, wide;
    for (std::uint64_t i = 1; i <= kMany; ++i) {
        deep.push_back({i, {i - 1}});
        reversed.push_back({kMany + 1 - i, {kMany - i}});
        Mail mail{i, {}};
        for (std::uint64_t k = 0; k < 100; ++k) mail.ancestors.push_back(kMany * (k + 2) + i);
        wide.push_back(std::move(mail));
    }
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_GT(references(deep).size(), kMany * 5);
    EXPECT_GT(references(reversed).size(), kMany * 5);
    EXPECT_GT(references(wide).size(), kMany * 5);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(60));
}

TEST(ThreadOrderedSubject, HasNoGrandchildren) {
    const std::vector<Mail> mails{{0, {}, 5, 1}, {0, {}, 1, 2}, {0, {}, 3, 1}, {0, {}, 9, 1}, {0, {}, 2, 2}};
    EXPECT_EQ(threads<OrderedSubject>(mails), "* THREAD (2 5)(3 (1)(4))\r\n");
}

}  // namespace
}  // namespace gk::imap
