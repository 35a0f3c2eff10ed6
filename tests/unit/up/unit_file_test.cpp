// SPDX-License-Identifier: MIT
#include "common/up/unit_file.hpp"

#include <gtest/gtest.h>

using namespace gk::up;

TEST(UnitFile, ReadsSectionsAssignmentsAndComments) {
    const auto unit = UnitFile::parse(
        "# comment\n[Unit]\nDescription = x y \n; more\n\n[Service]\nExecStart=/usr/bin/gk-x serve\n", "gk-x.service");
    ASSERT_TRUE(unit);
    EXPECT_EQ(unit->find("Unit", "Description"), "x y");
    EXPECT_EQ(unit->find("Service", "ExecStart"), "/usr/bin/gk-x serve");
    EXPECT_FALSE(unit->find("Unit", "ExecStart"));
    EXPECT_TRUE(unit->has_section("Service"));
    EXPECT_FALSE(unit->has_section("Socket"));
}

TEST(UnitFile, JoinsLinesAndSkipsCommentsBetweenThem) {
    const auto unit = UnitFile::parse("[S]\nA=one \\\n# not this\n  two\nB=three\\", "x");
    ASSERT_TRUE(unit);
    EXPECT_EQ(unit->words("S", "A"), (std::vector<std::string>{"one", "two"}));
    EXPECT_EQ(unit->find("S", "B"), "three\\");
}

TEST(UnitFile, EmptyAssignmentEmptiesAList) {
    const auto unit = UnitFile::parse("[S]\nA=1 2\nA=3\nB=1\nB=\nC=1\nC=\nC=2\n", "x");
    EXPECT_EQ(unit->words("S", "A"), (std::vector<std::string>{"1", "2", "3"}));
    EXPECT_FALSE(unit->find("S", "B"));
    EXPECT_EQ(unit->all("S", "C"), std::vector<std::string>{"2"});
}

TEST(UnitFile, NamesTheLineOfAMistake) {
    EXPECT_EQ(UnitFile::parse("[S]\nA=1\nnonsense\n", "gk-x.service").error().text,
              "gk-x.service:3: no assignment: 'nonsense'");
    EXPECT_EQ(UnitFile::parse("A=1\n", "x").error().text, "x:1: an assignment before the first section");
    EXPECT_FALSE(UnitFile::parse("[S\n", "x"));
    EXPECT_FALSE(UnitFile::parse("[]\n", "x"));
    EXPECT_FALSE(UnitFile::parse("=1\n", "x"));
    EXPECT_FALSE(UnitFile::parse(std::string(2 << 20, 'x'), "x"));
    EXPECT_FALSE(UnitFile::parse(std::string_view("[S]\nA=\0\n", 8), "x"));
}

TEST(TimeSpan, IsReadAsSystemdDoes) {
    EXPECT_EQ(parse_time_span("60"), 60'000'000u);
    EXPECT_EQ(parse_time_span("1min 30s"), 90'000'000u);
    EXPECT_EQ(parse_time_span("500ms"), 500'000u);
    EXPECT_EQ(parse_time_span("2h5m"), 7'500'000'000u);
    EXPECT_EQ(parse_time_span("infinity"), UINT64_MAX);
    for (const char* wrong : {"", "x", "5 parsecs", "-1", "99999999999999999999", "18446744073709551615h"})
        EXPECT_FALSE(parse_time_span(wrong)) << wrong;
}

TEST(CommandLine, IsSplitAsExecStartDoes) {
    EXPECT_EQ(split_command("/a b  \"c d\" 'e \" f' g\\ h \"\""),
              (std::vector<std::string>{"/a", "b", "c d", "e \" f", "g h", ""}));
    EXPECT_FALSE(split_command("\"open"));
    EXPECT_FALSE(split_command("end\\"));
    EXPECT_TRUE(split_command("")->empty());
}
