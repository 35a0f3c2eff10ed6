// SPDX-License-Identifier: MIT
#include "common/message/header.hpp"
#include "common/message/structure.hpp"

#include "common/base/text.hpp"

namespace gk::message {
namespace {

std::string crlf(std::string_view s) { return text::replace_all(s, "\n", "\r\n"); }

std::string body_of(std::string_view file, const Part& part) {
    return std::string(file.substr(part.body_begin, part.body_end - part.body_begin));
}

// "0 multipart/mixed [1 text/plain][2 …": kinds, types and bodies of all parts in one line.
std::string show(std::string_view file) {
    const Structure s = scan(file);
    std::string out;
    for (const Part& part : s.parts) {
        out += std::string(part.depth, ' ') + part.type + "/" + part.subtype;
        if (part.kind == Part::Kind::Leaf) out += " \"" + text::replace_all(body_of(file, part), "\n", "~") + "\"";
        out += "\n";
    }
    return out;
}

constexpr std::string_view kMixed =
    "From: Ann <ann@a.test>\nSubject: hi\nContent-Type: multipart/mixed; boundary=\"=_outer\"\n\npreamble\n"
    "--=_outer\n\none\n"
    "--=_outer\nContent-Type: multipart/alternative; boundary==_inner\n\n"
    "--=_inner\nContent-Type: text/plain; charset=utf-8\n\ntwo\nlines\n"
    "--=_inner\nContent-Type: text/html\nContent-Transfer-Encoding: BASE64\n\nPGI+\n"
    "--=_inner--\n"
    "--=_outer\nContent-Type: message/rfc822\n\nSubject: inside\n\nbody\n\n"
    "--=_outer--\nepilogue\n";

TEST(Scan, FindsTheTree) {
    EXPECT_EQ(show(kMixed),
              "multipart/mixed\n"
              " text/plain \"one\"\n"
              " multipart/alternative\n"
              "  text/plain \"two~lines\"\n"
              "  text/html \"PGI+\"\n"
              " message/rfc822\n"
              "  text/plain \"body~\"\n");
    const Structure s = scan(kMixed);
    EXPECT_EQ(s.parts[4].encoding, "base64");
    EXPECT_EQ(s.envelopes.size(), 2u);
    EXPECT_EQ(*s.envelope().subject, "hi");
    EXPECT_EQ(*s.envelopes[s.parts[6].envelope].subject, "inside");
    EXPECT_EQ(s.parts[3].body_lines, 1u);
    EXPECT_EQ(s.parts[5].body_lines, 3u);
    EXPECT_EQ(part_number(s, 0), "");
    EXPECT_EQ(part_number(s, 4), "2.2");
    EXPECT_EQ(part_number(s, 6), "3.1");
}

TEST(Scan, CountsOctetsAsOnTheWire) {
    const std::string wire = crlf(kMixed);
    const Structure lf = scan(kMixed), full = scan(wire);
    EXPECT_EQ(lf.octets(), wire.size());
    EXPECT_EQ(full.octets(), wire.size());
    ASSERT_EQ(lf.parts.size(), full.parts.size());
    for (std::size_t i = 0; i < lf.parts.size(); ++i) {
        const Part &a = lf.parts[i], &b = full.parts[i];
        EXPECT_EQ(a.header_octets, b.header_octets) << i;
        EXPECT_EQ(a.body_octets, b.body_octets) << i;
        EXPECT_EQ(b.body_octets, b.body_end - b.body_begin) << i;
        EXPECT_EQ(b.header_octets, b.body_begin - b.header_begin) << i;
        EXPECT_EQ(a.body_lines, b.body_lines) << i;
    }
    const std::string mixed = "A: b\r\n\r\none\ntwo\r\n";
    EXPECT_EQ(scan(mixed).octets(), mixed.size() + 1);
    EXPECT_EQ(scan(mixed, LineEnds::AsStored).octets(), mixed.size());
}

TEST(Scan, AnyBytesAreSomeMessage) {
    EXPECT_EQ(show(""), "text/plain \"\"\n");
    EXPECT_EQ(show("\n"), "text/plain \"\"\n");
    EXPECT_EQ(show("no header here"), "text/plain \"\"\n");
    EXPECT_EQ(show("\nbody"), "text/plain \"body\"\n");
    EXPECT_EQ(show("From ann@a.test Sat Jan  1 10:00:00 2026\nSubject: x\n\nb"), "text/plain \"b\"\n");
    const Structure s = scan(std::string("Sub\0ject: x\nSubject: a\0b\n\nb\0c", 29));
    EXPECT_EQ(*s.envelope().subject, std::string("a\0b", 3));
    EXPECT_EQ(*scan("Subject: caf\xE9\n\n").envelope().subject, "caf\xE9");
    EXPECT_EQ(show("Content-Type: nonsense\n\nx"), "text/plain \"x\"\n");
    EXPECT_EQ(show("Content-Type: text\n\nx"), "text/plain \"x\"\n");
    EXPECT_EQ(show("Content-Type: a b/c(d)\n\nx"), "ab/c \"x\"\n");
    EXPECT_EQ(show("Content-Type: te[xt/c\n\nx"), "text/plain \"x\"\n");
}

TEST(Scan, LivesWithMissingBoundaries) {
    EXPECT_EQ(show("Content-Type: multipart/mixed\n\n--x\n\na\n"), "multipart/mixed \"--x~~a~\"\n");
    EXPECT_EQ(show("Content-Type: multipart/mixed; boundary=\"\"\n\na\n"), "multipart/mixed \"a~\"\n");
    EXPECT_EQ(show("Content-Type: multipart/mixed; boundary=x\n\nnothing\n"), "multipart/mixed\n");
    // The close delimiter never comes.
    EXPECT_EQ(show("Content-Type: multipart/mixed; boundary=x\n\n--x\n\na\n--x\n\nb\n"),
              "multipart/mixed\n text/plain \"a\"\n text/plain \"b~\"\n");
    // The outer boundary ends what the inner one did not.
    EXPECT_EQ(show("Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: multipart/mixed; "
                   "boundary=y\n\n--y\n\na\n--x\n\nb\n--x--"),
              "multipart/mixed\n multipart/mixed\n  text/plain \"a\"\n text/plain \"b\"\n");
    // A part that is cut short within its header.
    EXPECT_EQ(show("Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/html\n--x\n\nb\n--x--"),
              "multipart/mixed\n text/html \"\"\n text/plain \"b\"\n");
    EXPECT_EQ(show("Content-Type: multipart/mixed; boundary=x\n\n--x\n--x--\n"), "multipart/mixed\n text/plain \"\"\n");
    EXPECT_EQ(show("Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: message/rfc822\n--x--\n"),
              "multipart/mixed\n message/rfc822 \"\"\n");
}

TEST(Scan, PartsLieInOneAnother) {
    for (const std::string_view file :
         {"Content-Type: multipart/digest; boundary=x\n\n--x\n\nSubject: a\nb\n--x\n\n--x--",
          "Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: multipart/mixed; boundary=y\n\n--y\n"
          "Content-Type: multipart/mixed; boundary=z\n\n--x\n\n",
          "Content-Type: multipart/mixed; boundary=x\n\n--x\n--x\nContent-Type: message/rfc822\n\n--x"}) {
        const Structure s = scan(file);
        for (std::size_t i = 1; i < s.parts.size(); ++i) {
            const Part &part = s.parts[i], &parent = s.parts[part.parent];
            EXPECT_GE(part.header_begin, parent.body_begin) << file;
            EXPECT_LE(part.body_end, parent.body_end) << file;
            EXPECT_LE(part.header_octets + part.body_octets, parent.body_octets) << file;
        }
    }
}

TEST(Scan, TellsDelimitersApart) {
    // One boundary begins with the other; padding may follow; other text may not.
    EXPECT_EQ(show("Content-Type: multipart/mixed; boundary=x\n\n--x \t\nContent-Type: multipart/mixed; boundary=xy\n\n"
                   "--xy\n\na\n--x-\n--xz\n--xy--\n--x--  \n--x\n"),
              "multipart/mixed\n multipart/mixed\n  text/plain \"a~--x-~--xz\"\n");
    // The same boundary twice: the inner part's.
    EXPECT_EQ(show("Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: multipart/mixed; "
                   "boundary=x\n\n--x\n\na\n--x--\n--x\n\nb\n--x--"),
              "multipart/mixed\n multipart/mixed\n  text/plain \"a\"\n text/plain \"b\"\n");
    EXPECT_EQ(show("Content-Type: multipart/mixed; boundary*=us-ascii''x%79\n\n--xy\n\na\n--xy--"),
              "multipart/mixed\n text/plain \"a\"\n");
}

TEST(Scan, DigestPartsAreMessages) {
    EXPECT_EQ(show("Content-Type: multipart/digest; boundary=x\n\n--x\n\nSubject: a\n\nb\n--x\nContent-Type: "
                   "text/plain\n\nc\n--x--"),
              "multipart/digest\n message/rfc822\n  text/plain \"b\"\n text/plain \"c\"\n");
}

TEST(Scan, EncodedMessagesAreLeaves) {
    EXPECT_EQ(show("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdA==\n"),
              "message/rfc822 \"U3ViamVjdA==~\"\n");
    EXPECT_EQ(show("Content-Type: message/rfc822\n\nContent-Type: message/global\n\nA: b\n\nc"),
              "message/rfc822\n message/global\n  text/plain \"c\"\n");
    EXPECT_EQ(show("Content-Type: message/rfc822\n\n"), "message/rfc822\n text/plain \"\"\n");
}

TEST(Scan, StopsAtTheDepthLimit) {
    std::string file;
    for (int i = 0; i < 1000; ++i) {
        const std::string b = "b" + std::to_string(i);
        file += "Content-Type: multipart/mixed; boundary=" + b + "\n\n--" + b + "\n";
    }
    file += "\nleaf\n";
    const Structure s = scan(file);
    EXPECT_EQ(s.parts.size(), 101u);
    EXPECT_TRUE(s.parts.back().opaque);
    EXPECT_EQ(s.parts.back().kind, Part::Kind::Leaf);
    EXPECT_EQ(s.parts.back().body_end, file.size());

    std::string messages;
    for (int i = 0; i < 100'000; ++i) messages += "Content-Type: message/rfc822\n\n";
    EXPECT_EQ(scan(messages).parts.size(), 101u);
}

TEST(Scan, StopsAtThePartLimit) {
    std::string file = "Content-Type: multipart/mixed; boundary=x\n\n";
    for (int i = 0; i < 20'000; ++i) file += "--x\n\nb\n";
    const Structure s = scan(file);
    EXPECT_EQ(s.parts.size(), 10'000u);
    EXPECT_TRUE(s.parts.back().opaque);
    EXPECT_EQ(s.parts.back().body_end, file.size());
    EXPECT_EQ(s.octets(), crlf(file).size());
    const Structure small = scan("Content-Type: message/rfc822\n\nA: b\n\nc", LineEnds::Convert, {.parts = 1});
    EXPECT_EQ(small.parts.size(), 1u);
    EXPECT_EQ(small.parts[0].kind, Part::Kind::Leaf);
}

TEST(Scan, StopsReadingFieldsAtTheHeaderLimits) {
    std::string file = "Subject: early\n";
    while (file.size() < (1u << 20)) file += "X-Filler: " + std::string(100, 'x') + "\n";
    file += "To: late@a.test\nContent-Type: text/plain\n\nbody\n";
    const Structure s = scan(file);
    EXPECT_EQ(*s.envelope().subject, "early");
    EXPECT_TRUE(s.envelope().to.empty());
    EXPECT_TRUE(s.root().opaque);
    EXPECT_EQ(body_of(file, s.root()), "body\n");

    const std::string line = "Subject: " + std::string(100'000, 's') + "\n\nb";
    EXPECT_LE(scan(line).envelope().subject->size(), 64u << 10);
    EXPECT_FALSE(scan(line).root().opaque);
}

TEST(Scan, BoundsTheMemoryOfDetails) {
    std::string file = "Content-Type: multipart/mixed; boundary=x\n\n";
    std::string parameters;
    for (int i = 0; i < 400; ++i) parameters += ";p" + std::to_string(i) + "=v";
    for (int i = 0; i < 50; ++i)
        file += "--x\nContent-Type: text/plain; charset=utf-8" + parameters + "\nContent-Description: d\n\nb\n";
    const Structure s = scan(file, LineEnds::Convert, {.details = 100'000});
    EXPECT_EQ(s.parts[1].parameters.size(), 401u);
    EXPECT_EQ(s.parts.back().parameters.size(), 1u);
    EXPECT_FALSE(s.parts.back().description);
    EXPECT_EQ(s.parts.back().type, "text");
}

TEST(Scan, ReadsThePartsFields) {
    const Structure s = scan(
        "Content-Type: image/PNG; name=\"a b.png\"; X=y (comment)\nContent-ID: <1@a>\nContent-Description: a\n "
        "picture\n"
        "Content-MD5: Q2hlY2s=\nContent-Disposition: ATTACHMENT; filename=a.png; size=3\nContent-Language: de, en (x)\n"
        "Content-Location: http://a.test/\nContent-Transfer-Encoding:  Base64 (c)\nContent-ID: <2@a>\n\n");
    const Part& p = s.root();
    EXPECT_TRUE(p.is("image", "png"));
    EXPECT_EQ(raw_parameter(p.parameters, "NAME"), "a b.png");
    EXPECT_EQ(raw_parameter(p.parameters, "x"), "y");
    EXPECT_EQ(*p.id, "<1@a>");
    EXPECT_EQ(*p.description, "a picture");
    EXPECT_EQ(*p.md5, "Q2hlY2s=");
    EXPECT_EQ(*p.disposition, "attachment");
    EXPECT_EQ(raw_parameter(p.disposition_parameters, "size"), "3");
    EXPECT_EQ(p.languages, (std::vector<std::string>{"de", "en"}));
    EXPECT_EQ(*p.location, "http://a.test/");
    EXPECT_EQ(p.encoding, "base64");
    EXPECT_EQ(file_name(p), "a.png");
    EXPECT_EQ(part_number(s, 0), "1");
}

TEST(Scan, ReadsTheEnvelope) {
    const Envelope e = parse_envelope(
        "Date: Sun, 22 Nov 2026 09:30:37 +0000\r\nSUBJECT: =?utf-8?q?h=C3=A9?=\r\n folded\r\nFrom: Ann <ann@a.test>\r\n"
        "Sender: s@a.test\r\nReply-To: r@a.test\r\nTo: a@a.test\r\nTo: b@b.test\r\nCc: c@c.test\r\nBcc : d@d.test\r\n"
        "In-Reply-To: <1@a>\r\nMessage-Id: <2@a>\r\nSubject: second\r\nno colon\r\n\r\nTo: no@a.test\r\n");
    EXPECT_EQ(*e.date, "Sun, 22 Nov 2026 09:30:37 +0000");
    EXPECT_EQ(*e.subject, "=?utf-8?q?h=C3=A9?= folded");
    EXPECT_EQ(e.to.size(), 2u);
    EXPECT_EQ(e.cc.size(), 1u);
    EXPECT_EQ(e.bcc.size(), 1u);
    EXPECT_EQ(e.sender[0].local_part, "s");
    EXPECT_EQ(*e.in_reply_to, "<1@a>");
    EXPECT_EQ(*e.message_id, "<2@a>");
    EXPECT_FALSE(parse_envelope("").subject);
}

TEST(Serialise, GivesBackWhatItTook) {
    for (const std::string_view file : {kMixed, std::string_view(""), std::string_view("To: G: a@b.test;\n\nx")}) {
        const Structure s = scan(file, LineEnds::AsStored);
        const std::string bytes = serialise(s);
        const auto back = deserialise(bytes);
        ASSERT_TRUE(back);
        EXPECT_EQ(serialise(*back), bytes);
        EXPECT_EQ(back->parts.size(), s.parts.size());
        EXPECT_EQ(back->envelope().subject, s.envelope().subject);
        EXPECT_EQ(back->envelope().to, s.envelope().to);
        EXPECT_EQ(back->line_ends, LineEnds::AsStored);
    }
}

TEST(Serialise, RefusesDamage) {
    const std::string bytes = serialise(scan(kMixed));
    EXPECT_FALSE(deserialise(""));
    EXPECT_FALSE(deserialise("\x09" + bytes.substr(1)));
    EXPECT_FALSE(deserialise(bytes + "x"));
    for (std::size_t n = 0; n < bytes.size(); ++n) EXPECT_FALSE(deserialise(bytes.substr(0, n))) << n;
    for (std::size_t i = 0; i < bytes.size(); ++i)
        for (const unsigned char flip : {0x01, 0x80, 0xFF}) {
            std::string damaged = bytes;
            damaged[i] = static_cast<char>(static_cast<unsigned char>(damaged[i]) ^ flip);
            if (const auto s = deserialise(damaged)) {
                for (std::uint32_t p = 0; p < s->parts.size(); ++p) part_number(*s, p);
            }
        }
}

}  // namespace
}  // namespace gk::message
