// SPDX-License-Identifier: MIT
#include "common/message/html_text.hpp"

#include <gtest/gtest.h>

#include "common/base/text.hpp"

namespace gk::message {
namespace {

TEST(HtmlText, KeepsWhatAReaderSees) {
    EXPECT_EQ(html_to_text("<html><head><title>Offer</title><style>p{color:red}</style></head><body><p>Dear "
                           "<b>Ann</b>,</p><p>wo<i>rd</i></p></body></html>"),
              "Offer\nDear Ann,\nword");
    EXPECT_EQ(html_to_text("a<br>b<BR/>c<hr>d"), "a\nb\nc\nd");
    EXPECT_EQ(html_to_text("<table><tr><td>1</td><td>2</td></tr><tr><td>3</td></tr></table>"), "1 2\n3");
    EXPECT_EQ(html_to_text("  many \n\t spaces  "), "many spaces");
    EXPECT_EQ(html_to_text("<img src=x alt=\"a  picture > of it\">after"), "a picture > of it after");
}

TEST(HtmlText, ResolvesCharacterReferences) {
    EXPECT_EQ(html_to_text("caf&eacute; &amp; &#233;&#xE9; &euro;5&nbsp;x&hellip;"), "café & éé €5 x…");
    EXPECT_EQ(html_to_text("AT&T &unknown; &; &#; &#x; R&D"), "AT&T &unknown; &; &#; &#x; R&D");
    EXPECT_EQ(html_to_text("&#0;&#x110000;&#55296;&#99999999999999;"), "\ufffd\ufffd\ufffd\ufffd");
    EXPECT_EQ(html_to_text("&lt;b&gt;not a tag&lt;/b&gt;"), "<b>not a tag</b>");
    EXPECT_EQ(html_to_text("&copy 2026"), "© 2026");
}

TEST(HtmlText, PassesOverWhatNobodyReads) {
    EXPECT_EQ(html_to_text("a<script>var x = '<p>no</p>';</script>b"), "ab");
    EXPECT_EQ(html_to_text("a<SCRIPT>if (1 </ 2) no</sCript >b"), "ab");
    EXPECT_EQ(html_to_text("a<!-- <p>no</p> -->b<!-->c<!DOCTYPE html>d<?xml no?>e"), "abcde");
    EXPECT_EQ(html_to_text("a<script>never ends"), "a");
    EXPECT_EQ(html_to_text("a<!-- never ends"), "a");
    EXPECT_EQ(html_to_text("a<p title='>'>b<p title=\"never ends>c"), "a\nb");
    EXPECT_EQ(html_to_text("1 < 2, 3 <4 and <"), "1 < 2, 3 <4 and <");
}

TEST(HtmlText, IsBoundedAndCutsBetweenCharacters) {
    EXPECT_EQ(html_to_text("ééé", 5), "éé");
    EXPECT_EQ(html_to_text("abc", 0), "");
    for (const char* hostile : {"<", "<p ", "<!--", "&", "<a '", "</script>", "<script></", "&#", "<img alt=\""}) {
        std::string html;
        while (html.size() < 2'000'000) html += hostile;
        EXPECT_TRUE(text::is_utf8(html_to_text(html, 10'000))) << hostile;
    }
}

}  // namespace
}  // namespace gk::message
