// SPDX-License-Identifier: MIT
#include "common/imap/format/format.hpp"

#include "common/base/text.hpp"
#include "common/imap/format/match.hpp"
#include "common/imap/format/section.hpp"
#include "common/imap/search/columns.hpp"

namespace gk::imap {
namespace {

std::string quote(std::string_view s, bool utf8 = false) {
    std::string out;
    append_string(out, s, utf8);
    return out;
}

TEST(ImapString, IsQuotedOrALiteral) {
    EXPECT_EQ(quote("plain"), "\"plain\"");
    EXPECT_EQ(quote(""), "\"\"");
    EXPECT_EQ(quote("a\"b\\c"), "\"a\\\"b\\\\c\"");
    EXPECT_EQ(quote("é"), "{2}\r\né");
    EXPECT_EQ(quote("é", true), "\"é\"");
    EXPECT_EQ(quote("\xFF", true), "{1}\r\n\xFF");
    EXPECT_EQ(quote("a\nb"), "{3}\r\na\nb");
    EXPECT_EQ(quote(std::string_view("a\0b", 3)), "{3}\r\na?b");
    EXPECT_TRUE(quote(std::string(1001, 'x')).starts_with("{1001}\r\n"));
}

std::string envelope(std::string_view file, bool utf8 = false) {
    std::string out;
    append_envelope(out, message::scan(file).envelope(), utf8);
    return out;
}

TEST(ImapEnvelope, HasRfc3501sForm) {
    EXPECT_EQ(envelope("Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\nSubject: a \"b\"\nFrom: Terry Gray <gray@a.test>\n"
                       "To: imap@b.test\nCc: minutes@c.test, John Klensin <k@d.test>\nMessage-ID: <1@a.test>\n\n"),
              "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"a \\\"b\\\"\" ((\"Terry Gray\" NIL \"gray\" \"a.test\")) "
              "((\"Terry Gray\" NIL \"gray\" \"a.test\")) ((\"Terry Gray\" NIL \"gray\" \"a.test\")) ((NIL NIL "
              "\"imap\" \"b.test\")) "
              "((NIL NIL \"minutes\" \"c.test\")(\"John Klensin\" NIL \"k\" \"d.test\")) NIL NIL \"<1@a.test>\")");
    EXPECT_EQ(envelope(""), "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
    EXPECT_EQ(envelope("To: G: a@b.test;\nSender: s@a.test\nReply-To: \nFrom: X <@r.test:f@a.test>\nSubject:\n\n"),
              "(NIL \"\" ((\"X\" \"@r.test\" \"f\" \"a.test\")) ((NIL NIL \"s\" \"a.test\")) ((\"X\" \"@r.test\" \"f\" "
              "\"a.test\")) "
              "((NIL NIL \"G\" NIL)(NIL NIL \"a\" \"b.test\")(NIL NIL NIL NIL)) NIL NIL NIL NIL)");
    EXPECT_EQ(envelope("Subject: ä\nFrom: nobody\n\n", true),
              "(NIL \"ä\" ((NIL NIL \"nobody\" \"\")) ((NIL NIL \"nobody\" \"\")) ((NIL NIL \"nobody\" \"\")) NIL NIL "
              "NIL NIL NIL)");
}

std::string body(std::string_view file, bool extensions, const message::Limits& limits = {}) {
    std::string out;
    append_body(out, message::scan(file, message::LineEnds::Convert, limits), extensions);
    return out;
}

TEST(ImapBody, HasRfc3501sForm) {
    EXPECT_EQ(body("\nhello\n", false), R"(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 7 1))");
    EXPECT_EQ(body("Content-Type: image/png; name=a\nContent-ID: <i>\nContent-Description: "
                   "d\nContent-Transfer-Encoding: base64\n"
                   "Content-MD5: m\nContent-Disposition: attachment; filename=a\nContent-Language: "
                   "en\nContent-Location: l\n\nAA==\n",
                   true),
              R"(("image" "png" ("name" "a") "<i>" "d" "base64" 6 "m" ("attachment" ("filename" "a")) ("en") "l"))");
    EXPECT_EQ(
        body("Content-Type: multipart/mixed; boundary=x\n\n--x\n\na\n--x\nContent-Type: text/html; "
             "charset=utf-8\n\nb\n--x--\n",
             false),
        R"((("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0)("text" "html" ("charset" "utf-8") NIL NIL "7bit" 1 0) "mixed"))");
    EXPECT_EQ(
        body("Content-Type: multipart/mixed; boundary=x\n\n--x\n\na\n--x--\n", true),
        R"((("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0 NIL NIL NIL NIL) "mixed" ("boundary" "x") NIL NIL NIL))");
    EXPECT_EQ(body("Content-Type: message/rfc822\n\nSubject: s\n\nb\n", true),
              R"(("message" "rfc822" NIL NIL NIL "7bit" 17 (NIL "s" NIL NIL NIL NIL NIL NIL NIL NIL) )"
              R"(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 1 NIL NIL NIL NIL) 3 NIL NIL NIL NIL))");
}

TEST(ImapBody, ShowsNothingItDoesNotTakeApart) {
    EXPECT_EQ(body("Content-Type: multipart/mixed; boundary=x\n\nnone\n", false),
              R"((("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0) "mixed"))");
    EXPECT_EQ(
        body("Content-Type: multipart/mixed; boundary=x\n\n", true),
        R"((("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL) "mixed" ("boundary" "x") NIL NIL NIL))");
    EXPECT_TRUE(body("Content-Type: multipart/mixed\n\nx", false).starts_with(R"(("text" "plain")"));
    EXPECT_TRUE(body("Content-Type: multipart/mixed; boundary=x\n\n--x\n", false, {.depth = 0})
                    .starts_with(R"(("application" "octet-stream")"));
    EXPECT_TRUE(body("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nQQ==\n", false)
                    .starts_with(R"(("application" "octet-stream" NIL NIL NIL "base64")"));
}

TEST(ImapBody, NestsWithoutRecursion) {
    std::string file;
    for (int i = 0; i < 90; ++i) {
        const std::string b = "b" + std::to_string(i);
        file += "Content-Type: multipart/mixed; boundary=" + b + "\n\n--" + b + "\n";
    }
    const std::string out = body(file + "\nleaf\n", true);
    EXPECT_EQ(std::count(out.begin(), out.end(), '('), std::count(out.begin(), out.end(), ')'));
}

TEST(ImapDate, FormatsAndParsesInternalDates) {
    std::string out;
    append_internal_date(out, from_unix_s(837596665));
    EXPECT_EQ(out, "\"17-Jul-1996 09:44:25 +0000\"");
    out.clear();
    append_internal_date(out, from_unix_s(0));
    EXPECT_EQ(out, "\" 1-Jan-1970 00:00:00 +0000\"");
    EXPECT_EQ(to_unix_s(*parse_internal_date("17-Jul-1996 02:44:25 -0700")), 837596665);
    EXPECT_EQ(to_unix_s(*parse_internal_date(" 1-jan-1970 00:00:00 +0000")), 0);
    EXPECT_EQ(to_unix_s(*parse_internal_date("1-Jan-1970 00:00:00 +0000")), 0);
    for (const std::string_view bad :
         {"", "17-Jul-1996", "32-Jul-1996 02:44:25 -0700", "17-Xyz-1996 02:44:25 -0700", "17-Jul-1996 25:44:25 -0700",
          "17-Jul-1996 02:44:25 00700", "0x-Jul-1996 02:44:25 -0700", "7-Jul-1996 02:44:25 -070"})
        EXPECT_FALSE(parse_internal_date(bad)) << bad;
}

TEST(ImapSection, ParsesAndFormats) {
    for (const char* spec :
         {"", "1", "1.2.3", "HEADER", "TEXT", "1.MIME", "2.HEADER", "2.1.TEXT", "HEADER.FIELDS (From To)",
          "1.HEADER.FIELDS.NOT (X \"a b\")", "HEADER.FIELDS (\"a\\\"]\")"}) {
        const auto section = parse_section(spec);
        ASSERT_TRUE(section) << spec;
        EXPECT_EQ(format_section(*section), spec);
    }
    EXPECT_EQ(format_section(*parse_section("header.fields (\"From\")")), "HEADER.FIELDS (From)");
    for (const char* bad :
         {"0", "01", "1.", ".1", "1.0", "MIME", "x", "HEADER.FIELDS", "HEADER.FIELDS ()", "HEADER.FIELDS (a",
          "HEADER.FIELDS (a  b)", "HEADER (a)", "TEXT x", "1 2", "99999999999", "HEADER.FIELDS (\"a)",
          "HEADER.FIELDS (\"a\"b)", "HEADER.FIELDS (\"a\\", "HEADER.FIELDS (\"\")"})
        EXPECT_FALSE(parse_section(bad)) << bad;
    std::string deep = "1";
    for (int i = 0; i < 2000; ++i) deep += ".1";
    EXPECT_FALSE(parse_section(deep));
}

constexpr std::string_view kFile =
    "From: Ann\nTo: Bob\nContent-Type: multipart/mixed; boundary=x\n\npre\n"
    "--x\n\none\ntwo\n"
    "--x\nContent-Type: message/rfc822\n\nSubject: in\nContent-Type: multipart/mixed; boundary=y\n\n--y\nA: "
    "b\n\ninner\n--y--\n"
    "--x\nContent-Type: message/rfc822\n\nSubject: leaf\n\nlast\n--x--\n";

std::string section(std::string_view spec, std::string_view file = kFile,
                    std::optional<Partial> partial = std::nullopt) {
    const auto structure = message::scan(file);
    const auto content = find_section(structure, file, *parse_section(spec), partial);
    if (!content) return "NIL";
    std::string out = read_all(*content, file);
    EXPECT_EQ(out.size(), content->octets) << spec;
    return out;
}

TEST(ImapSection, FindsParts) {
    EXPECT_EQ(section(""), text::replace_all(kFile, "\n", "\r\n"));
    EXPECT_EQ(section("HEADER"), "From: Ann\r\nTo: Bob\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n");
    EXPECT_TRUE(section("TEXT").starts_with("pre\r\n--x\r\n"));
    EXPECT_EQ(section("1"), "one\r\ntwo");
    EXPECT_EQ(section("1.MIME"), "\r\n");
    EXPECT_EQ(section("1.1"), "NIL");
    EXPECT_EQ(section("1.HEADER"), "NIL");
    EXPECT_EQ(section("1.TEXT"), "NIL");
    EXPECT_EQ(section("2.MIME"), "Content-Type: message/rfc822\r\n\r\n");
    EXPECT_EQ(section("2.HEADER"), "Subject: in\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n");
    EXPECT_EQ(section("2.TEXT"), "--y\r\nA: b\r\n\r\ninner\r\n--y--");
    EXPECT_EQ(section("2.1"), "inner");
    EXPECT_EQ(section("2.1.MIME"), "A: b\r\n\r\n");
    EXPECT_EQ(section("2.2"), "NIL");
    EXPECT_EQ(section("3"), "Subject: leaf\r\n\r\nlast");
    EXPECT_EQ(section("3.1"), "last");
    EXPECT_EQ(section("3.1.1"), "NIL");
    EXPECT_EQ(section("3.2"), "NIL");
    EXPECT_EQ(section("4"), "NIL");
    EXPECT_EQ(section("1", "A: b\n\nbody\n"), "body\r\n");
    EXPECT_EQ(section("1.MIME", "A: b\n\nbody\n"), "A: b\r\n\r\n");
    EXPECT_EQ(section("2", "A: b\n\nbody\n"), "NIL");
    EXPECT_EQ(section("1.1", "Content-Type: message/rfc822\n\nA: b\n\nbody"), "body");
    EXPECT_EQ(section("1.HEADER", "Content-Type: message/rfc822\n\nA: b\n\nbody"), "A: b\r\n\r\n");
}

TEST(ImapSection, FiltersHeaderFields) {
    EXPECT_EQ(section("HEADER.FIELDS (to from)"), "From: Ann\r\nTo: Bob\r\n\r\n");
    EXPECT_EQ(section("HEADER.FIELDS (nothing)"), "\r\n");
    EXPECT_EQ(section("HEADER.FIELDS.NOT (From Content-Type)"), "To: Bob\r\n\r\n");
    EXPECT_EQ(section("2.HEADER.FIELDS (SUBJECT)"), "Subject: in\r\n\r\n");
    EXPECT_EQ(section("HEADER.FIELDS (A)", "A: x\n\ty\nB: z\nA: q"), "A: x\r\n\ty\r\nA: q\r\n\r\n");
    EXPECT_EQ(section("HEADER.FIELDS (To)", kFile, Partial{2, 5}), ": Bob");
    EXPECT_EQ(section("HEADER.FIELDS (To)", kFile, Partial{100, 5}), "");
}

TEST(ImapSection, PartialsCutTheWireForm) {
    for (const std::string_view file : {kFile, std::string_view("A: b\r\n\r\na\r\nb\n\nc\r\r\n\r"),
                                        std::string_view("\n\n\n\n"), std::string_view("A: b\n\n\r\n\r\n\n")}) {
        const std::string whole = section("", file);
        for (std::size_t offset = 0; offset <= whole.size() + 1; ++offset)
            for (const std::size_t length : {0ul, 1ul, 2ul, 3ul, 7ul, 1000ul})
                ASSERT_EQ(section("", file, Partial{offset, length}),
                          offset > whole.size() ? "" : whole.substr(offset, length))
                    << offset << '.' << length;
    }
    const std::string stored = "A: b\r\n\r\na\nb\r\n";
    const auto structure = message::scan(stored, message::LineEnds::AsStored);
    EXPECT_EQ(read_all(*find_section(structure, stored, {}, Partial{7, 4}), stored), stored.substr(7, 4));
    EXPECT_EQ(read_all(*find_section(structure, stored, *parse_section("HEADER.FIELDS (a)")), stored), "A: b\r\n\r\n");
}

TEST(ImapSection, ScansAgainWhereTheFileIsAnother) {
    const auto structure = message::scan("A: b\n\na longer body than that\n");
    const auto content = find_section(structure, "A: b\n\nx", *parse_section("1"));
    EXPECT_EQ(content->octets, 1u);
    EXPECT_EQ(read_all(*content, "A: b\n\nx"), "x");
}

TEST(CrlfWriter, GivesTheSameAtEverySplit) {
    const std::string_view in = "a\nb\r\n\n\r\r\nc\r";
    for (std::size_t cut = 0; cut <= in.size(); ++cut) {
        std::string out;
        CrlfWriter writer;
        writer.feed(in.substr(0, cut), out);
        writer.feed(in.substr(cut), out);
        EXPECT_EQ(out, "a\r\nb\r\n\r\n\r\r\nc\r") << cut;
    }
}

constexpr std::string_view kSearched =
    "From: =?utf-8?q?J=C3=B6rg?= Doe <joerg@a.test>\nTo: Bob <bob@b.test>\nSubject: =?koi8-r?B?8NLJ18XU?=\nX-Note: "
    "ABC\n"
    "Date: 1 Jan 2000 00:30 +0100\nContent-Type: multipart/mixed; boundary=x\n\n"
    "--x\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nDas Caf=E9 ist "
    "o=\nffen\n"
    "--x\nContent-Type: application/pdf; name=secret.pdf\nContent-Transfer-Encoding: base64\n\naGVsbG8=\n"
    "--x\nContent-Type: message/rfc822\n\nSubject: enclosed\n\ninner text\n--x--\n";

TEST(ImapSearch, MatchesHeadersDecoded) {
    EXPECT_TRUE(matches_header(kSearched, "subject", Needle("привет")));
    EXPECT_TRUE(matches_header(kSearched, "subject", Needle("\xD0\xD2\xC9", "koi8-r")));
    EXPECT_TRUE(matches_header(kSearched, "x-note", Needle("bc")));
    EXPECT_TRUE(matches_header(kSearched, "X-Note", Needle("")));
    EXPECT_FALSE(matches_header(kSearched, "X-None", Needle("")));
    EXPECT_FALSE(matches_header(kSearched, "X-Note", Needle("abcd")));
}

TEST(ImapSearch, MatchesEnvelopesAsHeaders) {
    const auto e = message::scan(kSearched).envelope();
    EXPECT_EQ(matches_envelope(e, "from", Needle("JÖRG DOE")), true);
    EXPECT_EQ(matches_envelope(e, "From", Needle("joerg@A.test")), true);
    EXPECT_EQ(matches_envelope(e, "TO", Needle("bob <bob@")), true);
    EXPECT_EQ(matches_envelope(e, "Subject", Needle("Привет")), true);
    EXPECT_EQ(matches_envelope(e, "Date", Needle("2000")), true);
    for (const char* field : {"Cc", "Bcc", "Sender", "Reply-To", "In-Reply-To", "Message-ID"})
        EXPECT_EQ(matches_envelope(e, field, Needle("")), false) << field;
    EXPECT_EQ(matches_envelope(e, "X-Note", Needle("abc")), std::nullopt);
    const auto group = message::scan("To: Friends: a@b.test;\n\n").envelope();
    EXPECT_EQ(matches_envelope(group, "To", Needle("friends")), true);
}

TEST(ImapSearch, MatchesBodiesDecoded) {
    const auto s = message::scan(kSearched);
    EXPECT_TRUE(matches_body(s, kSearched, Needle("CAFÉ IST OFFEN")));
    EXPECT_TRUE(matches_body(s, kSearched, Needle("inner TEXT")));
    EXPECT_TRUE(matches_body(s, kSearched, Needle("enclosed")));
    EXPECT_TRUE(matches_body(s, kSearched, Needle("secret.pdf")));
    EXPECT_TRUE(matches_body(s, kSearched, Needle("")));
    EXPECT_FALSE(matches_body(s, kSearched, Needle("hello")));
    EXPECT_FALSE(matches_body(s, kSearched, Needle("bob@b.test")));
    EXPECT_TRUE(matches_text(s, kSearched, Needle("bob@b.test")));
    EXPECT_TRUE(matches_text(s, kSearched, Needle("café")));
    EXPECT_FALSE(matches_text(s, kSearched, Needle("nowhere")));
}

TEST(ImapSearch, FindsMatchesOverTheSeamOfChunks) {
    for (std::size_t before = 65'530; before < 65'540; ++before) {
        const std::string file = "\n" + std::string(before, 'x') + "Néedle" + std::string(100, 'y');
        EXPECT_TRUE(matches_body(message::scan(file), file, Needle("nÉEDLE"))) << before;
    }
}

TEST(ImapSearch, ComparesTheSendersDay) {
    ASSERT_TRUE(sent(message::scan(kSearched).envelope()));
    EXPECT_EQ(sent(message::scan(kSearched).envelope())->day, parse_search_date("1-Jan-2000"));
    EXPECT_FALSE(sent(message::scan("").envelope()));
    EXPECT_FALSE(sent(message::scan("Date: x\n\n").envelope()));
    EXPECT_EQ(parse_search_date("01-feb-1970"), 31);
    for (const char* bad :
         {"", "1-Feb", "32-Feb-1994", "1-Foo-1994", "1-Feb-94", "x-Feb-1994", "0-Feb-1994", "1-anf-1994"})
        EXPECT_EQ(parse_search_date(bad), std::nullopt) << bad;
}

}  // namespace
}  // namespace gk::imap
