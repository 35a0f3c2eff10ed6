// SPDX-License-Identifier: MIT
#include "common/message/transport.hpp"

#include "common/base/text.hpp"
#include "common/message/decoder.hpp"

namespace gk::message {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string converted(std::string_view message, Transport transport = Transport::SevenBit) {
    std::string out;
    const auto done = convert(message, transport, [&](std::string_view piece) -> Status {
        out += piece;
        return ok();
    });
    return done ? out : "impossible: " + done.error().text;
}

// The decoded contents of all leaves, one after the other.
std::vector<std::string> contents(std::string_view message) {
    const auto structure = scan(message, LineEnds::AsStored);
    std::vector<std::string> all;
    for (const auto& part : structure.parts)
        if (part.kind == Part::Kind::Leaf)
            all.push_back(decode(message.substr(part.body_begin, part.body_end - part.body_begin),
                                 encoding_named(part.encoding)));
    return all;
}

bool is_seven_bit(const std::string& message) {
    for (const auto line : text::split(message, '\n'))
        if (line.size() > 999) return false;
    return text::is_ascii(message) && message.find('\0') == std::string::npos;
}

const std::string kNested =
    "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=out\r\n"
    "Content-Transfer-Encoding: 8bit\r\n\r\npre\xC3\xA4mble\r\n"
    "--out\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    "Gr\xC3\xBC\xC3\x9F"
    "e = hello \r\n.dot\r\n\r\n"
    "--out\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    "Subject: inner\r\nContent-Type: multipart/alternative; boundary=\"in\"\r\n\r\n"
    "--in\r\n\r\nplain ascii\r\n"
    "--in\r\nContent-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: "
    "8BIT\r\n\r\n<p>\xE4\xF6\xFC\xE4\xF6\xFC</p>"
    "\r\n--in--\r\n"
    "\r\n--out\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\nAAEC\r\n"
    "--out\r\nContent-Type: application/x-thing\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xFF\xFE\r\nx\r\n"
    "--out--\r\nepilogue\r\n";

TEST(Convert, WritesEachPartThatNeedsItInSevenBits) {
    const auto out = converted(kNested);
    EXPECT_TRUE(is_seven_bit(out)) << out;
    EXPECT_EQ(contents(out), contents(kNested));
    EXPECT_THAT(out, HasSubstr("boundary=out\r\nContent-Transfer-Encoding: 7bit\r\n\r\npre??mble\r\n"));
    EXPECT_THAT(out, HasSubstr("Gr=C3=BC=C3=9Fe =3D hello=20\r\n=2Edot\r\n"));
    EXPECT_THAT(out, HasSubstr("message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\nSubject: inner"));
    EXPECT_THAT(out, HasSubstr("--in\r\n\r\nplain ascii\r\n"));
    EXPECT_THAT(out, HasSubstr("application/x-thing\r\nContent-Transfer-Encoding: base64\r\n\r\n//4NCng=\r\n--out--"));
    EXPECT_EQ(converted(out), out);
}

TEST(Convert, KeepsWhatIsInSevenBitsAlready) {
    const std::string message = "Subject: x\r\n\r\nplain\r\n.\r\n";
    EXPECT_EQ(converted(message), message);
    EXPECT_FALSE(demands_of(message).eight_bit);
}

TEST(Convert, NamesTheCharsetOfWhatIsNoMimeUnknown) {
    EXPECT_EQ(converted("Subject: x\r\n\r\n\xE4 is said here\r\n"),
              "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n"
              "Content-Transfer-Encoding: quoted-printable\r\n\r\n=E4 is said here\r\n");
}

TEST(Convert, LeavesSignedAndEncryptedPartsAlone) {
    const std::string begin =
        "Content-Type: multipart/signed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n--b\r\n"
        "Content-Transfer-Encoding: 8bit\r\n\r\n";
    const std::string end = "\r\n--b\r\nContent-Type: application/pgp-signature\r\n\r\nxx\r\n--b--\r\n";
    EXPECT_THAT(converted(begin + "\xC3\xA4" + end), HasSubstr("impossible: a signed or encrypted part"));
    const auto plain = converted(begin + "a" + end);
    EXPECT_THAT(
        plain, HasSubstr("Content-Transfer-Encoding: 7bit\r\n\r\n--b\r\nContent-Transfer-Encoding: 8bit\r\n\r\na\r\n"));
    // Beside an 8-bit part it stays too.
    const auto beside = converted("Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n" + begin + "a" + end +
                                  "--o\r\n\r\n\xC3\xA4 and more text\r\n--o--\r\n");
    EXPECT_THAT(beside, HasSubstr("--b\r\nContent-Transfer-Encoding: 8bit\r\n\r\na\r\n--b\r\n"));
    EXPECT_THAT(beside, HasSubstr("=C3=A4 and more text\r\n--o--"));
}

TEST(Convert, RefusesWhatNoEncodingMends) {
    for (const char* message :
         {"Subject: \xC3\xA4\r\n\r\n\xC3\xA4\r\n", "Content-Type: message/partial; id=1; number=1\r\n\r\n\xC3\xA4\r\n",
          "Content-Type: multipart/mixed\r\n\r\n\xC3\xA4\r\n",
          "Content-Type: message/rfc822\r\n\r\nSubject: \xC3\xA4\r\n\r\nx\r\n",
          "Content-Transfer-Encoding: base64\r\n\r\n\xC3\xA4\r\n",
          "Content-Transfer-Encoding: x-own\r\n\r\n\xC3\xA4\r\n"})
        EXPECT_THAT(converted(message), HasSubstr("impossible: ")) << message;
}

TEST(Convert, EncodesAnInternationalizedMessageWithinAsOne) {
    const std::string inner =
        "Subject: Gr\xC3\xBC\xC3\x9F"
        "e aus Berlin und anderswo\r\n\r\nhello\r\n";
    const std::string message =
        "Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: message/global\r\n\r\n" + inner +
        "\r\n--o--\r\n";
    EXPECT_FALSE(demands_of(message).utf8_header);
    const auto out = converted(message);
    EXPECT_THAT(out, HasSubstr("message/global\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nSubject: Gr=C3"));
    EXPECT_TRUE(is_seven_bit(out));
    EXPECT_EQ(contents(out).at(0), inner);
}

TEST(Convert, BinaryBecomesBase64AndTheRestStaysEightBit) {
    const std::string image("\x89PNG\r\n\x1a\n\0\0\r", 11);
    const std::string message =
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=o\r\nContent-Transfer-Encoding: "
        "binary\r\n\r\n--o\r\n"
        "Content-Transfer-Encoding: binary\r\nContent-Type: image/png\r\n\r\n" +
        image +
        "\r\n--o\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: binary\r\n\r\n\xC3\xA4 "
        "stays\r\n--o--\r\n";
    EXPECT_TRUE(demands_of(message).binary);
    const auto eight = converted(message, Transport::EightBit);
    EXPECT_FALSE(demands_of(eight).binary);
    EXPECT_THAT(eight, HasSubstr("boundary=o\r\nContent-Transfer-Encoding: 8bit\r\n"));
    EXPECT_THAT(eight, HasSubstr("charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xC3\xA4 stays"));
    EXPECT_EQ(contents(eight), contents(message));
    const auto seven = converted(message);
    EXPECT_TRUE(is_seven_bit(seven));
    EXPECT_EQ(contents(seven), contents(message));
}

TEST(Convert, LongLinesAndLargePartsKeepTheirContent) {
    std::string text = "\xC3\xA4" + std::string(100'000, 'x') + " \r\n";
    for (int i = 0; i < 3000; ++i) text += "line " + std::to_string(i) + " with \xC3\xB6\t\r\n";
    const std::string head = "MIME-Version: 1.0\r\nContent-Type: ";
    for (const std::string type : {"text/plain", "application/x-y"}) {
        const auto message = head + type + "\r\n\r\n" + text;
        const auto out = converted(message);
        EXPECT_TRUE(is_seven_bit(out));
        EXPECT_EQ(contents(out), contents(message)) << type;
    }
    // At the end of a message that lacks its last line end nothing is added.
    EXPECT_EQ(contents(converted(head + "text/plain\r\n\r\n\xC3\xA4 end without one")).at(0),
              "\xC3\xA4 end without one");
}

}  // namespace
}  // namespace gk::message
