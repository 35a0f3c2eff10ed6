// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include <fmt/format.h>

#include "common/dnscheck/finding.hpp"
#include "common/os/file.hpp"

namespace gk::dnscheck {
namespace {

TEST(DnsCheckPage, ListsEveryKindOfFindingWithItsSeverity) {
    const char* source = std::getenv("GK_SOURCE_DIR");
    if (!source) GTEST_SKIP() << "GK_SOURCE_DIR is not set";
    const auto page = os::read_file(std::string(source) + "/man/gk-dns-check.1");
    ASSERT_TRUE(page) << page.error().text;
    for (const auto& kind : kinds())
        EXPECT_NE(page->find(fmt::format(".It Cm {} Pq {}\n", kind.id, severity_name(kind.severity))),
                  std::string::npos)
            << kind.id;
}

TEST(DnsCheckKinds, HaveIdsOfTheirOwnAndSayWhy) {
    std::set<std::string_view> ids;
    for (const auto& kind : kinds()) {
        EXPECT_TRUE(ids.insert(kind.id).second) << kind.id;
        EXPECT_TRUE(kind.why.ends_with('.')) << kind.id;
        EXPECT_FALSE(kind.meaning.ends_with('.')) << kind.id;
    }
}

}  // namespace
}  // namespace gk::dnscheck
