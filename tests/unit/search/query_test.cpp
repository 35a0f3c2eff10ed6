// SPDX-License-Identifier: MIT
#include "common/search/query.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace gk::search {
namespace {

using Kind = Query::Kind;

std::string show(const Query& q) {
    const auto all = [&](std::string out) {
        for (const auto& child : q.children) out += ' ' + show(child);
        return out + ')';
    };
    switch (q.kind) {
        case Kind::And: return all("(and");
        case Kind::Or: return all("(or");
        case Kind::Not: return all("(not");
        case Kind::Text: return fmt::format("{}:{}{}", q.phrase.columns, q.phrase.text, q.phrase.prefix ? "*" : "");
        case Kind::Mailbox: return "in=" + q.text;
        case Kind::Flag: return fmt::format("{}{}", q.set ? "" : "!", q.flag);
        case Kind::Keyword: return "kw=" + q.text;
        case Kind::Before: return fmt::format("<{}", q.number);
        case Kind::Since: return fmt::format(">={}", q.number);
        case Kind::Larger: return fmt::format("larger={}", q.number);
        case Kind::Smaller: return fmt::format("smaller={}", q.number);
        case Kind::Attachment: return "attachment";
    }
    return "?";
}

std::string parsed(std::string_view query) {
    const auto q = parse_query(query, 1'000'000'000);
    return q ? show(*q) : "! " + q.error().text;
}

TEST(SearchQuery, ReadsWordsPhrasesAndGroups) {
    EXPECT_EQ(parsed("hello"), "255:hello");
    EXPECT_EQ(parsed("  hello   world "), "(and 255:hello 255:world)");
    EXPECT_EQ(parsed("hello AND world"), "(and 255:hello 255:world)");
    EXPECT_EQ(parsed("\"exact phrase\" -word"), "(and 255:exact phrase (not 255:word))");
    EXPECT_EQ(parsed("a (b OR c d) NOT e"), "(and 255:a (or 255:b (and 255:c 255:d)) (not 255:e))");
    EXPECT_EQ(parsed("a OR b OR c"), "(or 255:a 255:b 255:c)");
    EXPECT_EQ(parsed("inv*"), "255:inv*");
    EXPECT_EQ(parsed("e-mail -(a b)"), "(and 255:e-mail (not (and 255:a 255:b)))");
    EXPECT_EQ(parsed("or and not"), "(and 255:or 255:and 255:not)");
    EXPECT_EQ(parsed("http://a.test/x 12:30"), "(and 255:http://a.test/x 255:12:30)");
}

TEST(SearchQuery, ReadsFields) {
    EXPECT_EQ(parsed("from:ann to:bob cc:c1 bcc:d1"), "(and 2:ann 28:bob 8:c1 16:d1)");
    EXPECT_EQ(parsed("subject:\"two words\" filename:x.pdf body:z9 header:list"),
              "(and 1:two words 64:x.pdf 128:z9 32:list)");
    EXPECT_EQ(parsed("Subject:(a OR b)"), "(or 1:a 1:b)");
    EXPECT_EQ(parsed("in:inbox in:\"Sent Items\" in:Lists/*"), "(and in=INBOX in=Sent Items in=Lists/*)");
    EXPECT_EQ(parsed("is:unread is:READ is:flagged -is:draft"), "(and !1 1 4 (not 16))");
    EXPECT_EQ(parsed("has:attachment keyword:$Forwarded"), "(and attachment kw=$Forwarded)");
    EXPECT_EQ(parsed("larger:1M smaller:500"), "(and larger=1048576 smaller=500)");
}

TEST(SearchQuery, ReadsDatesInUtc) {
    EXPECT_EQ(parsed("after:2026"), ">=1767225600");
    EXPECT_EQ(parsed("before:2026-01-02"), "<1767312000");
    EXPECT_EQ(parsed("on:2026-01"), "(and >=1767225600 <1769904000)");
    EXPECT_EQ(parsed("on:2025-12"), "(and >=1764547200 <1767225600)");
    EXPECT_EQ(parsed("after:1d"), ">=999913600");
    EXPECT_EQ(parsed("after:yesterday"),
              "! 'yesterday' is no date such as 2026, 2026-01 or 2026-01-31, and no age such as 30d");
    EXPECT_EQ(parsed("on:7d"), "! '7d' is no date such as 2026, 2026-01 or 2026-01-31");
    EXPECT_EQ(parsed("after:2026-13"),
              "! '2026-13' is no date such as 2026, 2026-01 or 2026-01-31, and no age such as 30d");
}

TEST(SearchQuery, SaysWhatIsWrong) {
    EXPECT_EQ(parsed(""), "! nothing to look for");
    EXPECT_EQ(parsed("   "), "! nothing to look for");
    EXPECT_EQ(parsed("(a"), "! a '(' that is not closed");
    EXPECT_EQ(parsed("a)"), "! a ')' without '('");
    EXPECT_EQ(parsed("()"), "! nothing to look for between parentheses or beside 'OR'");
    EXPECT_EQ(parsed("a OR"), "! nothing to look for");
    EXPECT_EQ(parsed("AND a"), "! 'AND' wants something on both sides");
    EXPECT_EQ(parsed("NOT"), "! 'NOT' wants something after it");
    EXPECT_EQ(parsed("\"open"), "! a '\"' that is not closed");
    EXPECT_EQ(parsed("form:ann"), "! there is no field 'form'; did you mean 'from:'?");
    EXPECT_EQ(parsed("from:"), "! 'from:' wants something after it");
    EXPECT_EQ(
        parsed("is:x"),
        "! 'is:x' is not known; there is read, unread, flagged, unflagged, answered, unanswered, draft and deleted");
    EXPECT_EQ(parsed("has:wings"), "! 'has:wings' is not known; there is 'has:attachment'");
    EXPECT_EQ(parsed("larger:much"), "! 'much' is no size such as 500k or 1MB");
    EXPECT_EQ(parsed("!!!"), "! '!!!' has no letter and no digit to look for");
    EXPECT_EQ(parsed("\xff"), "! the query is not UTF-8");
    EXPECT_EQ(parsed(std::string(5000, 'a')), "! a query of more than 4096 bytes");
    std::string deep;
    for (int i = 0; i < 100; ++i) deep += "(";
    EXPECT_EQ(parsed(deep + "a"), "! a query that is nested too deeply");
    std::string negated;
    for (int i = 0; i < 100; ++i) negated += "-";
    EXPECT_EQ(parsed(negated + "a"), "! a query that is nested too deeply");
    std::string many;
    for (int i = 0; i < 200; ++i) many += "a ";
    EXPECT_EQ(parsed(many), "! a query of more than 100 terms");
}

TEST(SearchQuery, BecomesExpressionsThatNobodyCanBreakOutOf) {
    EXPECT_EQ(expression_for({kSubject | kBody, "a \"quoted\" word", false}),
              "{ subject body} : \"a \"\"quoted\"\" word\"");
    EXPECT_EQ(expression_for({kAllColumns, "inv", true}), "\"inv\" *");
    EXPECT_EQ(expression_for({kAllColumns, "東", false}), "\"東\" *");
    EXPECT_EQ(expression_for({kAllColumns, "...", false}), "");
    EXPECT_EQ(expression_for_words(kAllColumns, "a"), "(\"a\")");
    EXPECT_EQ(expression_for_words(kSubject, "IMAP  break !"),
              "({ subject} : \"IMAP\" *) AND ({ subject} : \"break\" *)");
}

}  // namespace
}  // namespace gk::search
