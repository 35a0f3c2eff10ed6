// SPDX-License-Identifier: MIT
#include "common/message/header.hpp"

#include "common/base/text.hpp"

namespace gk::message {
namespace {

TEST(Fields, AreReadOneByOne) {
    const std::string_view block = "A: 1\r\nB : 2\n\tmore\nbroken\nC:3\n\nD: 4\n";
    FieldReader reader(block);
    Field f;
    ASSERT_TRUE(reader.next(f));
    EXPECT_EQ(f.name, "A");
    EXPECT_EQ(f.value, " 1");
    EXPECT_EQ(f.whole, "A: 1\r\n");
    ASSERT_TRUE(reader.next(f));
    EXPECT_EQ(f.name, "B");
    EXPECT_EQ(f.value, " 2\n\tmore");
    ASSERT_TRUE(reader.next(f));
    EXPECT_EQ(f.name, "");
    EXPECT_EQ(f.value, "broken");
    ASSERT_TRUE(reader.next(f));
    EXPECT_EQ(f.value, "3");
    EXPECT_FALSE(reader.next(f));
    EXPECT_FALSE(reader.next(f));
    EXPECT_EQ(header_length(block), block.find("D:"));
    EXPECT_EQ(header_length("A: b"), 4u);
    EXPECT_EQ(*find_field(block, "b"), " 2\n\tmore");
    EXPECT_FALSE(find_field(block, "D"));
    EXPECT_EQ(count_fields("A: 1\na: 2\nB: 3\n", "A"), 2u);
}

TEST(Fields, Unfold) {
    EXPECT_EQ(unfold(" a\r\n b\n\tc \r\n"), "a b\tc");
    EXPECT_EQ(unfold("a\rb"), "a\rb");
    EXPECT_EQ(unfold("abcdef", 3), "abc");
    EXPECT_EQ(unfold(""), "");
}

TEST(Words, DecodeAsRfc2047Says) {
    EXPECT_EQ(decode_words("=?ISO-8859-1?Q?a?="), "a");
    EXPECT_EQ(decode_words("=?ISO-8859-1?Q?a?= b"), "a b");
    EXPECT_EQ(decode_words("=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?="), "ab");
    EXPECT_EQ(decode_words("=?ISO-8859-1?Q?a?=  \r\n  =?ISO-8859-1?Q?b?="), "ab");
    EXPECT_EQ(decode_words("=?ISO-8859-1?Q?a_b?="), "a b");
    EXPECT_EQ(decode_words("=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?="), "a b");
    EXPECT_EQ(decode_words("=?US-ASCII*EN?Q?Keith_Moore?= <m@a>"), "Keith Moore <m@a>");
    EXPECT_EQ(decode_words("=?utf-8?b?w6nDqQ==?="), "éé");
    EXPECT_EQ(decode_words("=?koi8-r?B?8NLJ18XU?="), "Привет");
    EXPECT_EQ(decode_words("x=?utf-8?q?=C3=A9?=y"), "xéy");
    EXPECT_EQ(decode_words("plain = text ?="), "plain = text ?=");
}

TEST(Words, LiveWithWhatSendersGetWrong) {
    EXPECT_EQ(decode_words("=?utf-8?B?w6k?="), "é");                  // padding forgotten
    EXPECT_EQ(decode_words("=?utf-8?Q?=C3?= =?utf-8?Q?=A9?="), "é");  // a character split over two words
    EXPECT_EQ(decode_words("=?utf-8?Q?a b?="), "a b");
    EXPECT_EQ(decode_words("=?utf-8?Q?a=ZZ=4?="), "a=ZZ=4");
    EXPECT_EQ(decode_words("=?utf-8?X?a?="), "=?utf-8?X?a?=");
    EXPECT_EQ(decode_words("=?utf-8?Q?a"), "=?utf-8?Q?a");
    EXPECT_EQ(decode_words("=??Q?a?="), "=??Q?a?=");
    EXPECT_EQ(decode_words("=?"), "=?");
    EXPECT_EQ(decode_words("=?no-such?Q?=FF?="), "\xEF\xBF\xBD");
}

TEST(Words, TextIsFitForPeople) {
    EXPECT_EQ(decode_text(" caf\xE9\r\n x"), "café x");
    EXPECT_EQ(decode_text("é =?utf-8?q?a=0D=0AX:_y=00?="), "é a  X: y ");
    const std::string hostile(200'000, '=');
    EXPECT_EQ(decode_text(hostile), hostile);
    std::string words;
    for (int i = 0; i < 40'000; ++i) words += "=?a?q?";
    EXPECT_LE(decode_text(words).size(), words.size() * 3);
}

TEST(Words, EncodeForOurOwnHeaders) {
    EXPECT_EQ(encode_words("plain text"), "plain text");
    EXPECT_EQ(decode_words(encode_words("é=?x")), "é=?x");
    std::string longer;
    for (int i = 0; i < 50; ++i) longer += "日本";
    const std::string encoded = encode_words(longer);
    EXPECT_EQ(decode_words(encoded), longer);
    for (const auto word : text::words(encoded)) EXPECT_LE(word.size(), 75u);
    EXPECT_EQ(decode_words(encode_words("a\r\nb")), "a\r\nb");
}

TEST(Comments, AreDropped) {
    EXPECT_EQ(without_comments("a (b (c) \\) d) e"), "a   e");
    EXPECT_EQ(without_comments("\"(a)\" \\b"), "\"(a)\" \\b");
    EXPECT_EQ(without_comments("a (unclosed"), "a ");
    EXPECT_EQ(without_comments("\"a\\\"(\" )"), "\"a\\\"(\" )");
}

std::string show(std::string_view value) {
    const Structured s = parse_structured(value);
    std::string out = s.value;
    for (const Parameter& p : s.parameters) out += "|" + p.name + "=" + p.value;
    return out;
}

TEST(Structured, ReadsParameters) {
    EXPECT_EQ(show(" text/plain; charset=UTF-8"), "text/plain|charset=UTF-8");
    EXPECT_EQ(show("TEXT / HTML ; Charset = \"utf-8\" ; x=y;"), "text/html|charset=utf-8|x=y");
    EXPECT_EQ(show("text/plain (a; b=c); x=y (d) ;z"), "text/plain|x=y|z=");
    EXPECT_EQ(show("a/b; n=\"x\\\"y;z\\\\\""), "a/b|n=x\"y;z\\");
    EXPECT_EQ(show("a/b; n=my file.pdf ; m=1"), "a/b|n=my file.pdf|m=1");
    EXPECT_EQ(show("a/b; n=report(1).pdf"), "a/b|n=report(1).pdf");
    EXPECT_EQ(show("a/b; n=\"unclosed; x=y"), "a/b|n=unclosed; x=y");
    EXPECT_EQ(show("a/b;\r\n\tn=\"folded\r\n value\""), "a/b|n=folded value");
    EXPECT_EQ(show("a/b;;=v;n"), "a/b|n=");
    EXPECT_EQ(show("(unclosed"), "");
    EXPECT_EQ(show("(x\\"), "");
    std::string many = "a/b";
    for (int i = 0; i < 5000; ++i) many += ";a";
    EXPECT_EQ(parse_structured(many).parameters.size(), 1000u);
}

std::optional<std::string> filename(std::string_view value) {
    return find_parameter(parse_structured(value).parameters, "filename");
}

TEST(Parameter, DecodesRfc2231) {
    EXPECT_EQ(filename("a; filename=x"), "x");
    EXPECT_EQ(filename("a"), std::nullopt);
    EXPECT_EQ(filename("a; filename*=utf-8'en'%C3%A9%20x"), "é x");
    EXPECT_EQ(filename("a; filename=plain; filename*=utf-8''%C3%A9"), "é");
    EXPECT_EQ(filename("a; filename*1=b; filename*0=a; filename*2*=%20c"), "ab c");
    EXPECT_EQ(filename("a; filename*0*=iso-8859-1'fr'caf; filename*1*=%E9; filename*2=%E9"), "café%E9");
    EXPECT_EQ(filename("a; filename*0=a; filename*2=c"), "a");
    EXPECT_EQ(filename("a; filename*1=b; filename=p"), "p");
    EXPECT_EQ(filename("a; filename*=no-quotes"), "no-quotes");
    EXPECT_EQ(filename("a; filename*=one'quote"), "one'quote");
    EXPECT_EQ(filename("a; filename*=x''%zz%4"), "%zz%4");
    EXPECT_EQ(filename("a; filename*x=b"), std::nullopt);
    EXPECT_EQ(filename("a; filename=\"=?utf-8?q?=C3=A9?=\""), "é");
    EXPECT_EQ(filename("a; filename=caf\xE9"), "café");
    Part part;
    part.parameters = {{"name", "n"}};
    EXPECT_EQ(file_name(part), "n");
}

}  // namespace
}  // namespace gk::message
