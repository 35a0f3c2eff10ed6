// SPDX-License-Identifier: MIT
#include "common/cli/cli.hpp"

#include <unistd.h>

namespace gk::cli {
namespace {

// A tool like ours, with the place its values go to.
struct Sample {
    bool json = false, dry_run = false;
    std::string root = "/", sender;
    std::vector<std::string> ids;
    std::string ran;
    Tool tool{.name = "gk-sample",
              .summary = "show how a tool is described",
              .options = {{"-j,--json", &json, "one JSON object per line"}, {"--root", &root, "where gk lives", "DIR"}},
              .commands = {{.name = "list",
                            .summary = "list what waits",
                            .options = {{"--sender", &sender, "only this sender", "ADDRESS"}},
                            .run =
                                [this] {
                                    ran = "list";
                                    return 0;
                                }},
                           {.name = "delete",
                            .summary = "delete some",
                            .options = {{"--dry-run", &dry_run, "only say what would happen"}},
                            .operands = {{"id", &ids, "what to delete"}},
                            .run =
                                [this] {
                                    ran = "delete";
                                    return 1;
                                }}},
              .examples = {"gk-sample list --json"}};

    struct Said {
        int code;
        std::string out, err;
    };
    Said run(std::vector<std::string> words) {
        words.insert(words.begin(), "gk-sample");
        std::vector<char*> argv;
        for (auto& word : words) argv.push_back(word.data());
        ::testing::internal::CaptureStdout();
        ::testing::internal::CaptureStderr();
        const int code = cli::run(tool, static_cast<int>(argv.size()), argv.data());
        std::fflush(stdout);
        return {code, ::testing::internal::GetCapturedStdout(), ::testing::internal::GetCapturedStderr()};
    }
};

TEST(CommandLine, RunsTheVerbWithItsOptionsAndOperands) {
    Sample s;
    EXPECT_EQ(s.run({"delete", "--dry-run", "a", "b", "--json"}).code, 1);
    EXPECT_EQ(s.ran, "delete");
    EXPECT_TRUE(s.dry_run);
    EXPECT_TRUE(s.json);
    EXPECT_EQ(s.ids, (std::vector<std::string>{"a", "b"}));
}

TEST(CommandLine, TakesTheToolsOptionsBeforeTheVerbToo) {
    Sample s;
    EXPECT_EQ(s.run({"--root", "/x", "list", "--sender", "a@b"}).code, 0);
    EXPECT_EQ(s.root, "/x");
    EXPECT_EQ(s.sender, "a@b");
}

TEST(CommandLine, TakesALoneDashAsAnOperand) {
    Sample s;
    EXPECT_EQ(s.run({"delete", "-"}).code, 1);
    EXPECT_EQ(s.ids, std::vector<std::string>{"-"});
}

TEST(CommandLine, AnswersAWrongOptionWithUsageAndTheNearestSpelling) {
    Sample s;
    const auto said = s.run({"list", "--sendr", "x"});
    EXPECT_EQ(said.code, 64);
    EXPECT_NE(said.err.find("unknown option '--sendr'; did you mean '--sender'?"), std::string::npos) << said.err;
    EXPECT_TRUE(s.ran.empty());
}

TEST(CommandLine, AnswersAWrongVerbWithTheNearest) {
    Sample s;
    const auto said = s.run({"lsit"});
    EXPECT_EQ(said.code, 64);
    EXPECT_NE(said.err.find("unknown command 'lsit'; did you mean 'list'?"), std::string::npos) << said.err;
}

TEST(CommandLine, SaysWhichOperandIsMissing) {
    Sample s;
    const auto said = s.run({"delete"});
    EXPECT_EQ(said.code, 64);
    EXPECT_NE(said.err.find("operand ID is missing"), std::string::npos) << said.err;
}

TEST(CommandLine, SaysThatACommandIsMissing) {
    Sample s;
    const auto said = s.run({});
    EXPECT_EQ(said.code, 64);
    EXPECT_NE(said.err.find("a command is missing: one of list, delete"), std::string::npos) << said.err;
}

TEST(CommandLine, RendersHelpCompletionAndPagesFromOneDescription) {
    Sample s;
    EXPECT_NE(s.run({"--help"}).out.find("gk-sample list --json"), std::string::npos);
    EXPECT_NE(s.run({"delete", "--help"}).out.find("--dry-run"), std::string::npos);
    for (const char* shell : {"bash", "zsh", "fish"}) {
        const auto said = s.run({"__complete", shell});
        EXPECT_EQ(said.code, 0);
        EXPECT_NE(said.out.find("dry-run"), std::string::npos) << shell;
    }
    const auto page = s.run({"__mdoc"}).out;
    EXPECT_NE(page.find(".Ss delete ID …"), std::string::npos) << page;
    EXPECT_NE(page.find(".It Fl j , Fl -json"), std::string::npos) << page;
    EXPECT_EQ(s.run({"--version"}).out, "gk-sample " GK_VERSION "\n");
}

TEST(Rows, PrintsOneJsonObjectALineWithTypes) {
    ::testing::internal::CaptureStdout();
    {
        Rows rows(true, {"id", "size", "held"});
        rows.add({std::string("a\"b"), std::int64_t{7}, true});
    }
    std::fflush(stdout);
    EXPECT_EQ(::testing::internal::GetCapturedStdout(), "{\"id\":\"a\\\"b\",\"size\":7,\"held\":true}\n");
}

TEST(Rows, KeepsColumnsApartWhateverTheCellsHold) {
    ::testing::internal::CaptureStdout();
    {
        Rows rows(false, {"id", "name"});
        rows.add({std::string("1"), std::string("a\tb\nc")});
    }
    std::fflush(stdout);
    EXPECT_EQ(::testing::internal::GetCapturedStdout(), "1\ta b c\n");
}

TEST(ExitCodes, FollowSysexits) {
    EXPECT_EQ(exit_code(Errc::Temporary), 75);
    EXPECT_EQ(exit_code(Errc::Denied), 77);
    EXPECT_EQ(exit_code(Errc::Config), 78);
    EXPECT_EQ(exit_code(Errc::BadInput), 65);
}

}  // namespace
}  // namespace gk::cli
