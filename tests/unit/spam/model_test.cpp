// SPDX-License-Identifier: MIT
#include "common/spam/model.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cstdlib>
#include <filesystem>

#include "common/os/file.hpp"

namespace gk::spam {
namespace {

Sample sample(const std::string& message, bool spam) {
    auto features = read_features(message, message::scan(message));
    const auto identity = identity_of(features);
    return {identity, spam, std::move(features)};
}
Sample spam(int n) {
    return sample("From: seller" + std::to_string(n) + "@shop.test\nSubject: cheap pills\n\nBuy cheap pills number " +
                      std::to_string(n) + "\n",
                  true);
}
Sample ham(int n) {
    return sample("From: ann@a.test\nSubject: Re: lunch\n\nShall we meet for lunch on day " + std::to_string(n) + "\n",
                  false);
}

class SpamModel : public ::testing::Test {
protected:
    SpamModel() {
        char name[] = "/tmp/gk-spam-XXXXXX";
        directory_ = ::mkdtemp(name);
    }
    ~SpamModel() override { std::filesystem::remove_all(directory_); }

    Model open(const ModelOptions& options = {}) { return std::move(Model::open(directory_, options).value()); }
    static void learn_some(Model& model, int count, LearnOptions options = {}) {
        for (int n = 0; n < count; ++n) {
            std::vector<Sample> samples;
            samples.push_back(spam(n));
            samples.push_back(ham(n));
            ASSERT_TRUE(model.learn(samples, options));
        }
    }
    static std::string text_of(Model& model) {
        std::string out;
        EXPECT_TRUE(model.export_to([&](std::string_view line) {
            (out += line) += '\n';
            return true;
        }));
        return out;
    }
    static double score(const Model& model, const Sample& sample) {
        const Table* const tables[] = {&model.table()};
        return judge(sample.features, tables, {.least = 1}).score;
    }

    std::string directory_;
};

TEST_F(SpamModel, TellsSpamFromHamItHasNotSeen) {
    Model model = open();
    learn_some(model, 10);
    EXPECT_GT(score(model, spam(1000)), 0.6);
    EXPECT_LT(score(model, ham(1000)), 0.4);
}

TEST_F(SpamModel, GivesNoVerdictBeforeItHasLearnedEnoughOfEachKind) {
    Model model = open();
    learn_some(model, 3);
    const Table* const tables[] = {&model.table()};
    EXPECT_EQ(judge(spam(9).features, tables, {.least = 4}).verdict, Verdict::Unsure);
    EXPECT_EQ(judge(spam(9).features, tables, {.threshold = 0.6, .least = 3}).verdict, Verdict::Spam);
    EXPECT_EQ(judge(ham(9).features, tables, {.threshold = 0.6, .least = 3}).verdict, Verdict::Ham);
}

TEST_F(SpamModel, AMessageLearnedTwiceCountsOnce) {
    Model model = open();
    learn_some(model, 5);
    const std::string once = text_of(model);
    std::vector<Sample> again;
    again.push_back(spam(2));
    again.push_back(spam(2));
    const auto count = model.learn(again);
    EXPECT_EQ(count->learned, 0u);
    EXPECT_EQ(count->known, 2u);
    EXPECT_EQ(text_of(model), once);
}

TEST_F(SpamModel, ForgettingTakesBackExactlyWhatLearningAdded) {
    Model model = open();
    learn_some(model, 5);
    const std::string before = text_of(model);
    std::vector<Sample> more;
    more.push_back(sample("From: x@y.test\nSubject: other\n\nquite another text about gardens\n", true));
    ASSERT_EQ(model.learn(more)->doubtful, 1u);
    EXPECT_NE(text_of(model), before);
    EXPECT_EQ(*model.forget(more), 1u);
    EXPECT_EQ(text_of(model), before);
    EXPECT_EQ(*model.forget(more), 0u);
    EXPECT_EQ(text_of(model), before);
}

TEST_F(SpamModel, ForgettingAllLeavesNothing) {
    Model model = open();
    const std::string empty = text_of(model);
    learn_some(model, 5, {.again = true});
    learn_some(model, 5, {.again = true});
    for (int n = 0; n < 5; ++n) {
        std::vector<Sample> samples;
        samples.push_back(spam(n));
        samples.push_back(ham(n));
        ASSERT_EQ(*model.forget(samples), 2u);
    }
    EXPECT_EQ(text_of(model), empty);
    EXPECT_EQ(score(model, spam(1)), 0.5);
}

TEST_F(SpamModel, LearnedAsTheOtherKindItIsForgottenAsTheFirst) {
    Model model = open();
    learn_some(model, 5);
    std::vector<Sample> wrong, right;
    wrong.push_back(sample("From: x@y.test\nSubject: offer\n\nour offer of gardens\n", false));
    right.push_back(sample("From: x@y.test\nSubject: offer\n\nour offer of gardens\n", true));
    ASSERT_TRUE(model.learn(wrong));
    const auto before = model.stats()->learned;
    ASSERT_TRUE(model.learn(right));
    EXPECT_EQ(model.stats()->learned.spam, before.spam + 1);
    EXPECT_EQ(model.stats()->learned.ham, before.ham - 1);
    EXPECT_GT(score(model, right[0]), 0.5);
}

TEST_F(SpamModel, ReasonsAreTheHeaviestFeaturesAndSayWhichWay) {
    Model model = open();
    learn_some(model, 10);
    const Table* const tables[] = {&model.table()};
    const auto judged = judge(spam(1000).features, tables, {.reasons = 5});
    ASSERT_EQ(judged.reasons.size(), 5u);
    EXPECT_GT(judged.reasons[0].weight, 0);
    for (std::size_t i = 1; i < 5; ++i)
        EXPECT_GE(std::abs(judged.reasons[i - 1].weight), std::abs(judged.reasons[i].weight));
}

TEST_F(SpamModel, AnAccountsOwnOverrulesWhatAllShareAndLearnsOnlyTheDifference) {
    Model shared = open();
    learn_some(shared, 10);
    Model own = std::move(Model::open(directory_ + "/own").value());
    std::vector<Sample> same, other;
    same.push_back(spam(500));
    EXPECT_EQ(own.learn(same, {.beside = &shared.table()})->doubtful, 0u);
    auto wanted = spam(501);
    wanted.spam = false;
    other.push_back(std::move(wanted));
    EXPECT_EQ(own.learn(other, {.beside = &shared.table()})->doubtful, 1u);
    const Table* const both[] = {&shared.table(), &own.table()};
    EXPECT_LT(judge(spam(502).features, both, {}).score, score(shared, spam(502)));
}

TEST_F(SpamModel, TextOfItMakesTheSameModel) {
    Model model = open();
    learn_some(model, 8);
    const std::string text = text_of(model);
    Model copy = std::move(Model::open(directory_ + "/copy").value());
    std::size_t at = 0;
    ASSERT_TRUE(copy.import_from([&](std::string& line) {
        if (at >= text.size()) return false;
        const std::size_t end = text.find('\n', at);
        line = text.substr(at, end - at);
        at = end + 1;
        return true;
    }));
    EXPECT_EQ(text_of(copy), text);
    EXPECT_EQ(score(copy, spam(3)), score(model, spam(3)));
}

TEST_F(SpamModel, TextThatIsNoModelLeavesWhatThereIs) {
    Model model = open();
    learn_some(model, 3);
    const std::string text = text_of(model);
    const std::string first = text.substr(0, text.find('\n'));
    for (const std::string bad :
         {"", "feature 1 2", "feature a b c d", "message 1 2 3 4 5 99999999999999999999", "learned -1 2", "x"}) {
        int line = 0;
        EXPECT_FALSE(model.import_from([&](std::string& out) {
            out = line == 0 ? first : bad;
            return line++ < 2;
        })) << bad;
        EXPECT_EQ(text_of(model), text) << bad;
        EXPECT_GT(score(model, spam(1)), 0.5);
    }
    EXPECT_FALSE(model.import_from([](std::string& out) { return out = "something else", true; }));
}

TEST_F(SpamModel, StaysWithinItsBoundAndKeepsWhatIsCommon) {
    Model model = open({.features = 1000, .messages = 1000});
    std::vector<Sample> samples;
    for (int n = 0; n < 40; ++n) {
        std::string words;
        for (int w = 0; w < 40; ++w) words += "w" + std::to_string(n * 40 + w) + ' ';
        samples.clear();
        samples.push_back(sample("Subject: common\n\n" + words + "\n", n % 2 == 0));
        ASSERT_TRUE(model.learn(samples));
    }
    EXPECT_LE(model.stats()->features, 1000u + 400u);
    EXPECT_NE(model.table().weight(feature_id("subject:common")), 0);
}

TEST_F(SpamModel, ADamagedOrMissingTableIsMadeAnew) {
    double wanted = 0;
    {
        Model model = open();
        learn_some(model, 5);
        wanted = score(model, spam(77));
    }
    ASSERT_TRUE(os::unlink(Model::table_path(directory_)));
    EXPECT_EQ(score(open(), spam(77)), wanted);
    ASSERT_TRUE(os::replace_file(Model::table_path(directory_),
                                 "not a table at all, but longer than the header of one would be, so that it is read"));
    EXPECT_EQ(score(open(), spam(77)), wanted);
}

TEST_F(SpamModel, ATableWhoseChangeWasCutShortIsMadeAnewByWhoLearnsNext) {
    double wanted = 0;
    {
        Model model = open();
        learn_some(model, 5);
        wanted = score(model, spam(77));
        auto table = Table::open(Model::table_path(directory_), true);
        ASSERT_TRUE(table);
        table->set_generation(0, table->learned());
        table->add(feature_id("word:pills"), -1'000'000'000);
    }
    Model model = open();
    EXPECT_NE(score(model, spam(77)), wanted);
    ASSERT_TRUE(model.forget({}));
    EXPECT_EQ(score(model, spam(77)), wanted);
}

TEST_F(SpamModel, SeveralProcessesLearnAtOnceAndNothingIsLost) {
    { Model model = open(); }
    constexpr int kProcesses = 4, kMessages = 15;
    for (int p = 0; p < kProcesses; ++p) {
        if (::fork() != 0) continue;
        Model model = open();
        for (int n = 0; n < kMessages; ++n) {
            std::vector<Sample> samples;
            samples.push_back(spam(p * kMessages + n));
            samples.push_back(ham(p * kMessages + n));
            if (!model.learn(samples)) ::_exit(1);
        }
        ::_exit(0);
    }
    for (int p = 0; p < kProcesses; ++p) {
        int status = 1;
        ASSERT_GT(::wait(&status), 0);
        EXPECT_EQ(status, 0);
    }
    Model model = open();
    EXPECT_EQ(model.stats()->learned.spam, std::uint64_t(kProcesses * kMessages));
    EXPECT_EQ(model.stats()->learned.ham, std::uint64_t(kProcesses * kMessages));
    // The table says what the database says.
    for (int n = 0; n < kProcesses * kMessages; ++n) {
        std::vector<Sample> samples;
        samples.push_back(spam(n));
        samples.push_back(ham(n));
        ASSERT_EQ(*model.forget(samples), 2u);
    }
    EXPECT_EQ(model.stats()->features, 0u);
    EXPECT_EQ(model.table().weight(feature_id("word:pills")), 0);
}

}  // namespace
}  // namespace gk::spam
