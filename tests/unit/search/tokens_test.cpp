// SPDX-License-Identifier: MIT
#include "common/search/tokens.hpp"

#include <gtest/gtest.h>

#include "common/base/text.hpp"

namespace gk::search {
namespace {

std::string show(std::string_view text, TokenUse use = TokenUse::Indexing) {
    std::string out;
    tokenize(text, use, [&](const Token& token) {
        if (!out.empty()) out += token.colocated ? "=" : " ";
        out += token.text;
        return true;
    });
    return out;
}

TEST(SearchTokens, FoldCaseAndAccents) {
    EXPECT_EQ(show("Ærø CAFÉ café Straße ŁÓDŹ Müller ＡＢＣ ﬁn"), "aero cafe cafe strasse lodz muller abc fin");
    EXPECT_EQ(show("cafe\u0301 naïve İstanbul ıssız"), "cafe naive istanbul issiz");
    EXPECT_EQ(show("ΣΊΣΥΦΟΣ σίσυφος Ёлка"), "σισυφοσ σισυφοσ елка");
    EXPECT_EQ(show("שָׁלוֹם مُحَمَّد"), "שלום محمد");
    EXPECT_EQ(show("soft\u00adhyphen zero\u200bwidth"), "softhyphen zero width");
}

TEST(SearchTokens, AddressesAndNumbersAreWordsInARow) {
    EXPECT_EQ(show("<Ann.Smith+x@mail.a.test>"), "ann smith x mail a test");
    EXPECT_EQ(show("INV-2026/0815 3rd x86_64 12:30"), "inv 2026 0815 3rd x86 64 12 30");
}

TEST(SearchTokens, ScriptsWithoutSpacesBecomePairs) {
    EXPECT_EQ(show("東京都"), "東京 京都=都");
    EXPECT_EQ(show("東京都", TokenUse::Querying), "東京 京都");
    EXPECT_EQ(show("東", TokenUse::Querying), "東");
    EXPECT_EQ(show("go東京go"), "go 東京=京 go");
    EXPECT_EQ(show("ｶﾅ カナ"), "カナ=ナ カナ=ナ");
    EXPECT_EQ(show("안녕하세요"), "안녕 녕하 하세 세요=요");
    EXPECT_EQ(show("日。本"), "日 本");
    EXPECT_TRUE(is_lone_letter("東"));
    EXPECT_FALSE(is_lone_letter("東京"));
    EXPECT_FALSE(is_lone_letter("a"));
    EXPECT_FALSE(is_lone_letter(""));
}

TEST(SearchTokens, AreBoundedAndAlwaysUtf8) {
    const std::string lots(10'000, 'x');
    EXPECT_EQ(show(lots).size(), kTokenBytes);
    std::string accents;
    for (int i = 0; i < 1000; ++i) accents += "ж";
    EXPECT_EQ(show(accents).size(), kTokenBytes);
    EXPECT_EQ(show("\xff\xfe a\xc3"), "a");
    EXPECT_EQ(show(""), "");
    EXPECT_EQ(show(" .,;!"), "");
}

TEST(SearchTokens, SayWhereTheyStand) {
    const std::string text = "Ein café, 東京";
    std::string out;
    tokenize(text, TokenUse::Indexing, [&](const Token& token) {
        out += '[' + text.substr(token.begin, token.end - token.begin) + ']';
        return true;
    });
    EXPECT_EQ(out, "[Ein][café][東京][京]");
}

}  // namespace
}  // namespace gk::search
