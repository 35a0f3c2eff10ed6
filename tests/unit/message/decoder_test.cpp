// SPDX-License-Identifier: MIT
#include "common/message/decoder.hpp"
#include "common/message/text.hpp"

#include "common/base/text.hpp"

namespace gk::message {
namespace {

std::string base64(std::string_view s) { return decode(s, Encoding::Base64); }
std::string unquote(std::string_view s) { return decode(s, Encoding::QuotedPrintable); }

TEST(Base64, Decodes) {
    EXPECT_EQ(base64("aGVsbG8="), "hello");
    EXPECT_EQ(base64("aGVs\r\nbG8=\r\n"), "hello");
    EXPECT_EQ(base64(""), "");
    std::string all;
    for (int i = 0; i < 1000; ++i) all += static_cast<char>(i * 7);
    EXPECT_EQ(base64(text::to_base64(all)), all);
}

TEST(Base64, PassesOverWhatIsMalformed) {
    EXPECT_EQ(base64("aG|Vs|bG8="), "hello");
    EXPECT_EQ(base64("aGVsbG8"), "hello");
    EXPECT_EQ(base64("aGVsbA"), "hell");
    EXPECT_EQ(base64("aGVsbG8=aGk="), "hellohi");
    EXPECT_EQ(base64("a"), "");
    EXPECT_EQ(base64("a===="), "");
    EXPECT_EQ(base64("\xFF\x80|||"), "");
    Decoder decoder(Encoding::Base64);
    std::string out;
    decoder.feed("aG|k=", out);
    decoder.finish(out);
    EXPECT_TRUE(decoder.saw_errors());
}

TEST(QuotedPrintable, Decodes) {
    EXPECT_EQ(unquote("a=3Db=C3=a9"), "a=bé");
    EXPECT_EQ(unquote("soft=\r\nbreak"), "softbreak");
    EXPECT_EQ(unquote("soft=  \nbreak"), "softbreak");
    EXPECT_EQ(unquote("trailing \t\r\nx "), "trailing\r\nx");
    EXPECT_EQ(unquote("trailing \nx"), "trailing\nx");
    EXPECT_EQ(unquote("a b\tc\rd"), "a b\tc\rd");
    EXPECT_EQ(unquote("end="), "end");
}

TEST(QuotedPrintable, LeavesWhatIsMalformed) {
    EXPECT_EQ(unquote("a=ZZb"), "a=ZZb");
    EXPECT_EQ(unquote("a=4"), "a=4");
    EXPECT_EQ(unquote("a=4\nb"), "a=4\nb");
    EXPECT_EQ(unquote("a= x"), "a= x");
    EXPECT_EQ(unquote("==41"), "=A");
    EXPECT_EQ(unquote(std::string(5000, ' ') + "x"), std::string(5000, ' ') + "x");
}

TEST(UuEncode, Decodes) {
    EXPECT_EQ(decode("text\nbegin 644 a.txt\n%:&5L;&\\\n`\nend\nmore\n", Encoding::UuEncode), "hello");
    EXPECT_EQ(decode("begin 644 a\r\n%:&5L;&\\\r\n", Encoding::UuEncode), "hello");
    EXPECT_EQ(decode("begin 644 a\nM", Encoding::UuEncode), "");
    EXPECT_EQ(decode("no begin", Encoding::UuEncode), "");
}

TEST(Decoder, GivesTheSameAtEverySplit) {
    const std::pair<Encoding, std::string_view> cases[] = {
        {Encoding::Base64, "aGVs\r\nbG|8=aGk=\n"},
        {Encoding::QuotedPrintable, "a=3D \t\r\nb=\r\nc= \nd  e=ZZ=\r=4\n = x \r"},
        {Encoding::UuEncode, "begin 644 a.txt\n%:&5L;&\\\n`\nend\n"},
        {Encoding::Identity, "abc"},
    };
    for (const auto& [encoding, bytes] : cases) {
        const std::string whole = decode(bytes, encoding);
        for (std::size_t a = 0; a <= bytes.size(); ++a)
            for (std::size_t b = a; b <= bytes.size(); ++b) {
                std::string out;
                Decoder decoder(encoding);
                decoder.feed(bytes.substr(0, a), out);
                decoder.feed(bytes.substr(a, b - a), out);
                decoder.feed(bytes.substr(b), out);
                decoder.finish(out);
                ASSERT_EQ(out, whole) << bytes << " cut at " << a << ' ' << b;
            }
    }
}

TEST(QuotedPrintable, EncodesForOurOwnMessages) {
    const std::string text = "From here\n.dot\ntrailing \nünï = " + std::string(200, 'x') + "\nend\t";
    const std::string encoded = encode_quoted_printable(text);
    EXPECT_EQ(decode(encoded, Encoding::QuotedPrintable), text::replace_all(text, "\n", "\r\n"));
    for (const auto line : text::split(encoded, '\n')) EXPECT_LE(line.size(), 77u);
    EXPECT_TRUE(encoded.starts_with("=46rom"));
    EXPECT_EQ(encode_quoted_printable("a\r\nb"), "a\r\nb");
}

TEST(Decoder, KnowsTheNames) {
    EXPECT_EQ(encoding_named(" Base64 "), Encoding::Base64);
    EXPECT_EQ(encoding_named("quoted-printable"), Encoding::QuotedPrintable);
    EXPECT_EQ(encoding_named("x-uuencode"), Encoding::UuEncode);
    EXPECT_EQ(encoding_named("8bit"), Encoding::Identity);
    EXPECT_TRUE(encoding_is_known(""));
    EXPECT_TRUE(encoding_is_known("BINARY"));
    EXPECT_FALSE(encoding_is_known("x-zip"));
}

std::string all_text(std::string_view file) {
    std::string out;
    read_text(file, scan(file).root(), [&](std::string_view s) { return out += s, true; });
    return out;
}

TEST(Text, IsDecodedInChunks) {
    EXPECT_EQ(all_text("Content-Type: text/plain; charset=koi8-r\nContent-Transfer-Encoding: base64\n\n8NLJ18XU\n"),
              "Привет");
    EXPECT_EQ(
        all_text(
            "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\ncaf=E9\n"),
        "café\n");
    std::string file = "Content-Type: text/plain; charset=utf-8\n\n", body;
    for (int i = 0; i < 60'000; ++i) body += "é€";
    EXPECT_EQ(all_text(file + body), body);
    int calls = 0;
    const std::string whole = file + body;
    read_text(whole, scan(whole).root(), [&](std::string_view) { return ++calls, false; });
    EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace gk::message
