// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "tests/unit/sieve/case.hpp"

namespace gk::sieve::testing {
namespace {

std::vector<std::string> files() {
    const char* root = std::getenv("GK_SOURCE_DIR");
    std::vector<std::string> found;
    const std::filesystem::path folder = std::filesystem::path(root ? root : ".") / "tests/unit/sieve/cases";
    for (const auto& each : std::filesystem::directory_iterator(folder)) found.push_back(each.path().string());
    std::sort(found.begin(), found.end());
    return found;
}

class SieveCases : public ::testing::TestWithParam<std::string> {};

TEST_P(SieveCases, DoWhatTheySay) {
    const std::vector<Case> cases = read_cases(GetParam());
    ASSERT_FALSE(cases.empty());
    for (const Case& each : cases) {
        auto found = perform(each);
        EXPECT_TRUE(each.sections.count("result") || each.sections.count("problems")) << each.file << ':' << each.line;
        if (!each.sections.count("edited")) found.erase("edited");
        if (!each.sections.count("body")) found.erase("body");
        for (const char* section : {"result", "problems", "edited", "body"}) {
            const auto wanted = each.sections.find(section);
            const std::string text = wanted == each.sections.end() ? "" : wanted->second;
            std::string is = found[section];
            while (is.ends_with("\n\n")) is.pop_back();
            EXPECT_EQ(is, text) << each.file << ':' << each.line << ": " << each.name << ": " << section;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Files, SieveCases, ::testing::ValuesIn(files()), [](const auto& each) {
    std::string name = std::filesystem::path(each.param).stem().string();
    std::replace_if(
        name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
    return name;
});

}  // namespace
}  // namespace gk::sieve::testing
