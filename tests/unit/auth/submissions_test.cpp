// SPDX-License-Identifier: MIT
#include "common/auth/submissions.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <filesystem>

#include "common/auth/credentials.hpp"

namespace gk::auth {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kNoon = 1'800'000'000 / 86'400 * 86'400 + 43'200;

class SubmissionsTest : public testing::Test {
protected:
    SubmissionsTest() {
        std::string name = testing::TempDir() + "gk-submissions-XXXXXX";
        root_ = ::mkdtemp(name.data());
        store_ = CredentialStore::open(root_ + "/auth.db").value();
    }
    ~SubmissionsTest() override { std::filesystem::remove_all(root_); }
    std::string count(std::int64_t at_s, std::uint64_t messages, std::uint64_t recipients = 0,
                      const std::string& account = "ann@a.test") {
        return store_->submissions().count(account, messages, recipients, limit_, at_s).value().value_or("");
    }

    std::string root_;
    std::shared_ptr<CredentialStore> store_;
    SubmissionLimit limit_{3, 5, 4, 0};
};

TEST_F(SubmissionsTest, RefusesWhatIsPastTheHoursLimitAndSaysWhenItEnds) {
    for (int i = 0; i < 3; ++i) EXPECT_EQ(count(kNoon + i * 600, 1), "");
    const auto refusal = count(kNoon + 1800, 1);
    EXPECT_THAT(refusal, HasSubstr("ann@a.test sent 3 messages in the last hour; the limit is 3; try again after "));
    EXPECT_EQ(count(kNoon + 1800, 1, 0, "bob@a.test"), "");
    // What was refused is not counted, and the first is past its hour.
    EXPECT_EQ(count(kNoon + 3600, 1), "");
    EXPECT_NE(count(kNoon + 3601, 1), "");
}

TEST_F(SubmissionsTest, CountsTheDayAndTheRecipients) {
    for (int i = 0; i < 5; ++i) EXPECT_EQ(count(kNoon + i * 7200, 1), "");
    EXPECT_THAT(count(kNoon + 5 * 7200, 1), HasSubstr("5 messages in the last day"));
    EXPECT_EQ(count(kNoon + 86'400 + 300, 1), "");
    EXPECT_EQ(count(kNoon, 0, 4, "bob@a.test"), "");
    EXPECT_THAT(count(kNoon, 0, 1, "bob@a.test"), HasSubstr("sent to 4 recipients in the last hour"));
    EXPECT_EQ(store_->submissions().use("bob@a.test", kNoon).value().recipients_day, 4u);
}

TEST_F(SubmissionsTest, OutlivesARestart) {
    EXPECT_EQ(count(kNoon, 3), "");
    store_.reset();
    store_ = CredentialStore::open(root_ + "/auth.db").value();
    EXPECT_NE(count(kNoon, 1), "");
}

TEST(SubmissionLimits, TheNearestOverrideCounts) {
    const auto config = config::Config::parse(
        "[smtp]\nsubmission_messages_hour = 7\n[smtp.submission_overrides]\n"
        "\"news@a.test\" = \"none messages_day=9\"\n\"@b.test\" = \"none\"\n");
    const auto limits = SubmissionLimits::from(config.value()).value();
    EXPECT_EQ(limits.of("ann@a.test").messages_hour, 7u);
    EXPECT_EQ(limits.of("news@a.test"), (SubmissionLimit{0, 9, 0, 0}));
    EXPECT_FALSE(limits.of("carl@b.test").any());
    const auto wrong = config::Config::parse("[smtp.submission_overrides]\n\"ann@a.test\" = \"lots\"\n");
    EXPECT_EQ(SubmissionLimits::from(wrong.value()).error().code, Errc::Config);
}

}  // namespace
}  // namespace gk::auth
