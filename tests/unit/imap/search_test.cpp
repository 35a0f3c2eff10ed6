// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <random>

#include "common/base/text.hpp"
#include "common/charset/charset.hpp"
#include "common/imap/format/match.hpp"
#include "common/imap/grammar/parser.hpp"
#include "common/message/header.hpp"
#include "common/message/text.hpp"

namespace gk::imap {
namespace {

TEST(ImapNeedle, FindsWhatAPlainLoopFinds) {
    std::mt19937 random(5267);
    const std::string_view letters = "abAB[`@ {k:=";
    const auto word = [&](std::size_t length) {
        std::string s;
        while (s.size() < length) s += letters[random() % letters.size()];
        return s;
    };
    for (int round = 0; round < 20'000; ++round) {
        const std::string hay = word(random() % 70), looked_for = word(1 + random() % 4);
        const bool there = text::lower(hay).find(text::lower(looked_for)) != std::string::npos;
        const Needle needle(looked_for);
        ASSERT_EQ(needle.in_ascii(hay), there) << hay << " / " << looked_for;
        ASSERT_EQ(needle.in(hay), there) << hay << " / " << looked_for;
        ASSERT_TRUE(!there || needle.may_be_in(hay)) << hay << " / " << looked_for;
    }
}

TEST(ImapNeedle, FoldsWhatIsNoAscii) {
    EXPECT_TRUE(
        Needle("kelvin").in("\xE2\x84\xAA"
                            "elvin"));
    EXPECT_TRUE(Needle("\xE2\x84\xAA").in("K"));
    EXPECT_TRUE(Needle("s").in("\xC5\xBF"));
    EXPECT_FALSE(Needle("t").in("\xC5\xBF"));
    EXPECT_TRUE(is_all_ascii(std::string(100, 'x')));
    for (std::size_t at = 0; at < 40; ++at) {
        std::string s(40, 'x');
        s[at] = '\x80';
        EXPECT_FALSE(is_all_ascii(s)) << at;
    }
}

// The meaning of TEXT, as plainly as it can be written: everything decoded, everything folded, then one look.
bool plainly(const message::Structure& structure, std::string_view file, const std::string& looked_for) {
    const std::string folded = charset::fold_case(looked_for);
    const auto has = [&](std::string_view utf8) {
        return charset::fold_case(charset::valid_utf8(utf8)).find(folded) != std::string::npos;
    };
    for (const message::Part& part : structure.parts) {
        message::FieldReader reader(file.substr(part.header_begin, part.body_begin - part.header_begin));
        for (message::Field field; reader.next(field);)
            if (has(std::string(field.name) + ": " + message::decode_text(field.value))) return true;
        if (part.kind != message::Part::Kind::Leaf || part.type != "text") continue;
        std::string all;
        message::read_text(file, part, [&](std::string_view utf8) {
            all += utf8;
            return true;
        });
        if (has(all)) return true;
    }
    return false;
}

TEST(ImapSearch, ItsShortcutsChangeNoAnswer) {
    const std::string part = "--b\r\nContent-Type: text/plain; charset=";
    const std::string messages[] = {
        "Subject: plain words here\n folded over\nX:tight\n\nBody of ASCII\nsecond line\n",
        "Subject: =?utf-8?q?K=C3=B6ln?= and =?koi8-r?b?8NLJ18XU?=\n\nx\n",
        "Subject: Gr\xC3\xBC\xC3\x9F"
        "e\nFrom: \"J\xF6rg\" <j@a.test>\n\nx\n",
        "Content-Type: text/plain; charset=utf-8\n\n\xE2\x84\xAA"
        "elvin and \xC5\xBFhip, \xC3\xA4 broken \xC3 tail\n",
        "Content-Type: text/plain; charset=iso-8859-1\n\nF\xFC"
        "r ship and kelvin\n",
        "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nsoft =\nbreak, "
        "=C5=BFhip =3D =E2=84=AA\n",
        "Content-Type: text/plain; charset=us-ascii\nContent-Transfer-Encoding: base64\n\nU2hpcCBhbmQga2VsdmluCg==\n",
        "Content-Type: text/plain; charset=iso-2022-jp\n\n\x1B$B%F%9%H\x1B(B ship\n",
        "Content-Type: text/plain; charset=shift_jis\n\n\x83\x65\x83\x58\x83\x67 ship\n",
        "Content-Type: text/plain; charset=utf-7\n\nH+APY-he +AEs-elvin\n",
        "Content-Type: multipart/mixed; boundary=b\n\n" + part + "utf-8\n\n\xC3\xA4pfel\n" + part +
            "utf-8\nContent-Transfer-Encoding: base64\n\nw4RQRkVM\n--b\nContent-Type: image/png; name=\"ship.png\"\n\n"
            "binary\n--b--\n",
    };
    const std::string needles[] = {"ship",    "SHIP",  "kelvin", "k",          "s",        "plain words", "here folded",
                                   "words\n", "tight", "x: t",   "X:tight",    "köln and", "привет",      "grüße",
                                   "jörg",    "ſhip",  "für",    "soft break", "=",        "äpfel",       "テスト",
                                   "eXe",     "höhe",  "e",      "subject:",   ".png",     "binary",      "\xC3\xA4 b"};
    for (const std::string& message : messages) {
        const auto structure = message::scan(message);
        for (const std::string& looked_for : needles)
            EXPECT_EQ(matches_text(structure, message, Needle(looked_for)), plainly(structure, message, looked_for))
                << looked_for << " in\n"
                << message;
    }
}

TEST(ImapSearch, IsBoundedHoweverDeepOrLong) {
    std::string nested = "a SEARCH ";
    for (int i = 0; i < 1000; ++i) nested += i % 2 == 0 ? "NOT " : "OR SEEN ";
    EXPECT_FALSE(parse_command(nested + "ALL"));
    std::string brackets = "a SEARCH " + std::string(1000, '(') + "ALL" + std::string(1000, ')');
    EXPECT_FALSE(parse_command(brackets));
    std::string many = "a SEARCH ALL";
    for (int i = 0; i < 6000; ++i) many += " SEEN";
    EXPECT_FALSE(parse_command(many));
    const std::string large(1u << 20, 'x');
    const auto search = parse_command(fmt::format("a SEARCH TEXT {{{}+}}\r\n{}", large.size(), large));
    ASSERT_TRUE(search);
    const std::string message = "Subject: x\n\n" + large + "\n";
    EXPECT_TRUE(matches_text(message::scan(message), message, Needle(large)));
    EXPECT_FALSE(matches_text(message::scan(message), message, Needle(large + "y")));
}

}  // namespace
}  // namespace gk::imap
