// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "common/charset/charset.hpp"

namespace gk::charset {
namespace {

TEST(Collation, IsTitlecaseDecomposed) {
    EXPECT_EQ(collation_key("Plans [2] z{"), "PLANS [2] Z{");
    EXPECT_EQ(collation_key("\xC3\xA4"), "A\xCC\x88");                // ä
    EXPECT_EQ(collation_key("\xC3\x84"), "A\xCC\x88");                // Ä
    EXPECT_EQ(collation_key("A\xCC\x88"), "A\xCC\x88");               // decomposed already
    EXPECT_EQ(collation_key("\xC3\x9F"), "\xC3\x9F");                 // ß has no titlecase of one character
    EXPECT_EQ(collation_key("\xC7\x86"), collation_key("\xC7\x84"));  // ǆ and Ǆ meet in ǅ
    EXPECT_EQ(collation_key("\xD0\xBF"), "\xD0\x9F");                 // п
    EXPECT_EQ(collation_key("\xEF\xBC\xA1"), "A");                    // fullwidth A
    EXPECT_EQ(collation_key("\xED\x95\x9C"), "\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB");  // 한
    EXPECT_EQ(collation_key("\xEA\xB0\x80"), "\xE1\x84\x80\xE1\x85\xA1");              // 가, without a final
    EXPECT_EQ(collation_key("a\xFFz"), "A\xEF\xBF\xBDZ");
    EXPECT_LT(collation_key("cafe"), collation_key("caf\xC3\xA9"));
    EXPECT_LT(collation_key("caf\xC3\xA9"), collation_key("cafz"));
}

}  // namespace
}  // namespace gk::charset
