// SPDX-License-Identifier: MIT
#include "common/srs/srs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "common/address/path.hpp"
#include "common/base/text.hpp"

namespace gk::srs {
namespace {

using testing::MatchesRegex;

constexpr std::int64_t kDay = 86400;
const TimePoint kNow = from_unix_s(1'796'000'000);
const std::string kSecret(32, 's'), kOther(32, 't');

std::string local_of(const std::string& address) { return address.substr(0, address.rfind('@')); }
Result<std::string> back(const std::string& address, std::int64_t days = 0, const std::string& secret = kSecret) {
    return restore(local_of(address), {secret}, 21 * kDay, from_unix_s(to_unix_s(kNow) + days * kDay));
}

TEST(Srs, WritesWhatItCanRestore) {
    for (const char* sender :
         {"ann@b.test", "Ann.B+x@B.test", "a=b=c@b.test", "\"a b\"@b.test", "\"\"@b.test", "ann@[192.0.2.1]"}) {
        const std::string rewritten = rewrite(sender, "a.test", kSecret, kNow);
        EXPECT_TRUE(address::parse_address(rewritten)) << rewritten;
        const std::string local = address::parse_address(rewritten)->local_part;
        EXPECT_EQ(text::lower(restore(local, {kSecret}, 21 * kDay, kNow).value()), text::lower(sender));
    }
    EXPECT_THAT(rewrite("ann@b.test", "a.test", kSecret, kNow),
                MatchesRegex("SRS0=[A-Z2-7]+=[A-Z2-7]+=b\\.test=ann@a\\.test"));
    EXPECT_EQ(rewrite("", "a.test", kSecret, kNow), "");
}

TEST(Srs, KeepsTheCaseOfTheLocalPartAndSurvivesItsLoss) {
    const std::string rewritten = rewrite("Ann@b.test", "a.test", kSecret, kNow);
    EXPECT_EQ(back(rewritten).value(), "Ann@b.test");
    EXPECT_EQ(back(text::lower(rewritten)).value(), "ann@b.test");
}

TEST(Srs, RefusesWhatOthersMade) {
    const std::string rewritten = rewrite("ann@b.test", "a.test", kSecret, kNow);
    EXPECT_EQ(back(rewritten, 0, kOther).error().code, Errc::Denied);
    std::string forged = rewritten;
    forged.replace(forged.find("=ann"), 4, "=bob");
    EXPECT_EQ(back(forged).error().code, Errc::Denied);
    for (const char* wrong :
         {"SRS0=", "SRS0=x", "SRS0=AAAAAA=AA=b.test=ann", "SRS0=AAAAAA=AA=b.test", "SRS0==AA=b.test=ann",
          "SRS1=AAAAAA=b.test==x", "SRS1=x", "SRS2=AAAAAA=AA=b.test=ann", "ann", ""})
        EXPECT_FALSE(restore(wrong, {kSecret}, 21 * kDay, kNow)) << wrong;
}

TEST(Srs, EndsAfterItsTimeEvenWhereTheDaysWrapRound) {
    for (std::int64_t start = 0; start < 1100; start += 97) {
        const TimePoint made = from_unix_s(to_unix_s(kNow) + start * kDay);
        const std::string rewritten = rewrite("ann@b.test", "a.test", kSecret, made);
        const auto at = [&](std::int64_t days) {
            return restore(local_of(rewritten), {kSecret}, 21 * kDay, from_unix_s(to_unix_s(made) + days * kDay));
        };
        EXPECT_TRUE(at(21)) << start;
        EXPECT_TRUE(at(-1)) << start;
        EXPECT_EQ(at(22).error().code, Errc::Denied) << start;
        EXPECT_EQ(at(500).error().code, Errc::Denied) << start;
    }
}

TEST(Srs, ASecondForwarderKeepsTheFirstsPart) {
    const std::string first = rewrite("ann@b.test", "a.test", kSecret, kNow);
    const std::string second = rewrite(first, "c.test", kOther, kNow);
    EXPECT_EQ(second.substr(0, 5), "SRS1=");
    EXPECT_EQ(restore(local_of(second), {kOther}, 21 * kDay, kNow).value(), first);
    // A third skips the second.
    const std::string third = rewrite(second, "d.test", kSecret, kNow);
    EXPECT_EQ(restore(local_of(third), {kSecret}, 21 * kDay, kNow).value(), first);
    EXPECT_LE(third.size(), second.size());
    EXPECT_EQ(restore(local_of(third), {kOther}, 21 * kDay, kNow).error().code, Errc::Denied);
}

TEST(Srs, ReadsTheSeparatorsOfOthers) {
    EXPECT_EQ(rewrite("SRS0+x7fQ=ZZ=b.test=ann@first.test", "a.test", kSecret, kNow).substr(0, 5), "SRS1=");
    const std::string rewritten = rewrite("SRS0+x7fQ=ZZ=b.test=ann@first.test", "a.test", kSecret, kNow);
    EXPECT_EQ(back(rewritten).value(), "SRS0+x7fQ=ZZ=b.test=ann@first.test");
}

TEST(Srs, NewSecretsSignAndOldOnesRestoreForAWhile) {
    std::string root = testing::TempDir() + "gk-srs-XXXXXX";
    root = ::mkdtemp(root.data());
    const Secrets secrets(root + "/srs");
    ASSERT_TRUE(secrets.create_missing(kNow));
    const auto first = secrets.read().value();
    ASSERT_TRUE(secrets.create_missing(kNow));
    EXPECT_EQ(secrets.read().value(), first);
    ASSERT_TRUE(secrets.rotate(21 * kDay, kNow));
    const auto both = secrets.read().value();
    ASSERT_EQ(both.size(), 2u);
    EXPECT_EQ(both[1], first[0]);
    // It stopped signing at the rotation; its last addresses live 21 days from there.
    ASSERT_TRUE(secrets.rotate(21 * kDay, from_unix_s(to_unix_s(kNow) + 20 * kDay)));
    EXPECT_EQ(secrets.read()->size(), 3u);
    ASSERT_TRUE(secrets.rotate(21 * kDay, from_unix_s(to_unix_s(kNow) + 30 * kDay)));
    EXPECT_EQ(secrets.read()->size(), 3u);
    EXPECT_EQ(std::filesystem::status(secrets.path()).permissions(),
              std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace gk::srs
