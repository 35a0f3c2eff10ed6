// SPDX-License-Identifier: MIT
#include "common/message/preview.hpp"

#include <gtest/gtest.h>

namespace gk::message {
namespace {

std::string preview_of(std::string_view message) { return preview(message, scan(message)); }

std::string html(std::string_view body) {
    return preview_of("Content-Type: text/html; charset=utf-8\n\n" + std::string(body));
}

TEST(MessagePreview, IsTheFirstWordsInOneLine) {
    EXPECT_EQ(preview_of("Subject: x\n\n  Hello,\n\n\tworld. \n"), "Hello, world.");
    EXPECT_EQ(preview_of("Subject: x\n\n"), "");
    EXPECT_EQ(preview_of("Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n"
                         "caf=E9 =\nau lait"),
              "caf\xC3\xA9 au lait");
    EXPECT_EQ(preview_of("\n" + std::string(500, 'x')), std::string(200, 'x'));
    std::string words, wanted;
    for (int i = 0; i < 300; ++i) words += "\xC3\xA9 ";
    for (int i = 0; i < 100; ++i) wanted += i == 0 ? "\xC3\xA9" : " \xC3\xA9";
    EXPECT_EQ(preview_of("Content-Type: text/plain; charset=utf-8\n\n" + words), wanted);
}

TEST(MessagePreview, PassesOverWhatIsQuotedWhereThereIsMore) {
    EXPECT_EQ(preview_of("\nOn Monday Ann wrote:\n\n> Shall we?\n> I think so.\n\nYes.\n-- \nBen\n"), "Yes.");
    EXPECT_EQ(preview_of("\n> only\n>> this\n"), "only this");
    EXPECT_EQ(preview_of("\nTo do:\none\n"), "To do: one");
    EXPECT_EQ(html("<p>Yes.</p><blockquote>Shall <blockquote>we</blockquote> now?</blockquote> Ben"), "Yes. Ben");
    EXPECT_EQ(html("<blockquote>Shall we?</blockquote>"), "Shall we?");
}

TEST(MessagePreview, ReducesHtmlToItsText) {
    EXPECT_EQ(html("<html><head><title>T</title><style>p { x: '</p>' }</style></head><body>Ben &amp; <b>J</b>erry"
                   "<!-- > hidden --><br>a &lt; b &#233;&#xE9;</body>"),
              "Ben & Jerry a < b \xC3\xA9\xC3\xA9");
    EXPECT_EQ(html("&zwnj;&nbsp;&#8203; x"), "x");
    EXPECT_EQ(html("<script>never"), "");
    EXPECT_EQ(html("</blockquote></blockquote>x"), "x");
    EXPECT_EQ(html("<blockquote"), "");
}

TEST(MessagePreview, TakesTheFirstTextPartThatHasWords) {
    const auto mixed = [](std::string_view first, std::string_view second) {
        return preview_of("Content-Type: multipart/mixed; boundary=x\n\n--x\n" + std::string(first) + "\n--x\n" +
                          std::string(second) + "\n--x--\n");
    };
    EXPECT_EQ(mixed("\n \n", "Content-Type: text/html\n\n<b>two</b>"), "two");
    EXPECT_EQ(mixed("Content-Disposition: attachment\n\nfile", "\nwords"), "words");
    EXPECT_EQ(mixed("Content-Type: image/png\n\nPNG", "Content-Type: message/rfc822\n\nSubject: y\n\ninner"), "");
    EXPECT_EQ(preview_of("Content-Type: multipart/encrypted; boundary=x\n\n--x\n\nVersion: 1\n--x--\n"), "");
}

TEST(MessagePreview, LooksAtABoundedPart) {
    EXPECT_EQ(html("<style>" + std::string(1 << 20, 'x') + "</style>late"), "");
    EXPECT_LE(html(std::string(200'000, '<')).size(), 200u);
}

}  // namespace
}  // namespace gk::message
