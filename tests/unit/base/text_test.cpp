// SPDX-License-Identifier: MIT
#include "common/base/text.hpp"

namespace gk::text {
namespace {

TEST(Text, ComparesWithoutAsciiCaseOnly) {
    EXPECT_TRUE(equals_nocase("Content-TYPE", "content-type"));
    EXPECT_FALSE(equals_nocase("a", "ab"));
    EXPECT_FALSE(equals_nocase("\xC3\x84", "\xC3\xA4"));
    EXPECT_TRUE(starts_with_nocase("MAIL from:", "mail FROM:"));
    EXPECT_EQ(find_nocase("xxFoO", "foo"), 2u);
    EXPECT_EQ(find_nocase("xx", "foo"), std::string_view::npos);
    EXPECT_EQ(find_nocase("", ""), 0u);
}

TEST(Text, SplitsAndKeepsEmptyParts) {
    EXPECT_EQ(split("a,,b,", ',').size(), 4u);
    EXPECT_EQ(split("", ',').size(), 1u);
    EXPECT_EQ(words("  a \t b\r\n").size(), 2u);
    EXPECT_EQ(trim(" \r\n x y \t"), "x y");
    EXPECT_EQ(join({"a", "b"}, ", "), "a, b");
    EXPECT_EQ(replace_all("aaa", "a", "bb"), "bbbbbb");
}

TEST(Text, ReadsOnlyWholeNumbersThatFit) {
    EXPECT_EQ(to_uint("18446744073709551615"), UINT64_MAX);
    for (const char* bad : {"18446744073709551616", "", "-1", "+1", "1 ", " 1", "0x1", "1a"})
        EXPECT_FALSE(to_uint(bad)) << bad;
    EXPECT_EQ(to_int("-12"), -12);
    EXPECT_FALSE(to_int("--1"));
}

TEST(Text, ReadsBase64AsRfc4648Prints) {
    // RFC 4648, section 10
    for (const auto& [plain, coded] : std::vector<std::pair<std::string, std::string>>{{"", ""},
                                                                                       {"f", "Zg=="},
                                                                                       {"fo", "Zm8="},
                                                                                       {"foo", "Zm9v"},
                                                                                       {"foob", "Zm9vYg=="},
                                                                                       {"fooba", "Zm9vYmE="},
                                                                                       {"foobar", "Zm9vYmFy"}}) {
        EXPECT_EQ(to_base64(plain), coded);
        EXPECT_EQ(from_base64(coded), plain);
    }
    for (const char* bad : {"Zg", "Zg=", "Z===", "Zh==", "Zm9=", "Zm 9", "=Zg=", "Zm9v|"})
        EXPECT_FALSE(from_base64(bad)) << bad;
}

TEST(Text, ReadsHexAndPercentBack) {
    const std::string bytes("\x00\xff%a \t", 6);
    EXPECT_EQ(from_hex(to_hex(bytes)), bytes);
    EXPECT_FALSE(from_hex("abc"));
    EXPECT_FALSE(from_hex("zz"));
    EXPECT_EQ(percent_decode(percent_encode(bytes)), bytes);
    EXPECT_EQ(percent_encode("a\tb"), "a%09b");
    EXPECT_FALSE(percent_decode("%4"));
    EXPECT_FALSE(percent_decode("%zz"));
}

TEST(Text, ShowsHostileBytesHarmlessly) {
    EXPECT_EQ(printable("a\x1b[31m\n\\"), "a\\x1b[31m\\x0a\\\\");
    EXPECT_EQ(printable("abcdef", 3), "abc…");
}

TEST(Text, KnowsUtf8FromWhatLooksLikeIt) {
    EXPECT_TRUE(is_utf8("plain \xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80"));
    for (const char* bad :
         {"\xC0\xAF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xC3", "\x80", "\xF8\x88\x80\x80\x80"})
        EXPECT_FALSE(is_utf8(bad));
}

TEST(Text, ReadsSizesAndDurationsAsPeopleWriteThem) {
    EXPECT_EQ(to_size("10MB"), 10u << 20);
    EXPECT_EQ(to_size("64k"), 64u << 10);
    EXPECT_EQ(to_size("1GiB"), 1u << 30);
    EXPECT_EQ(to_size("500"), 500u);
    for (const char* bad : {"", "MB", "1XB", "99999999999999999999", "18446744073709551615k", "-1"})
        EXPECT_FALSE(to_size(bad)) << bad;
    EXPECT_EQ(to_duration_s("1h30m"), 5400);
    EXPECT_EQ(to_duration_s("45"), 45);
    EXPECT_EQ(to_duration_s("1w"), 604800);
    for (const char* bad : {"", "h", "1y", "1h-5m"}) EXPECT_FALSE(to_duration_s(bad)) << bad;
    EXPECT_EQ(format_size(999), "999 B");
    EXPECT_EQ(format_size(1536), "1.5 kB");
}

TEST(Text, SuggestsOnlyWhatIsNear) {
    EXPECT_EQ(nearest("max_szie", {"max_size", "hostname"}), "max_size");
    EXPECT_FALSE(nearest("completely", {"different", "words"}));
}

}  // namespace
}  // namespace gk::text
