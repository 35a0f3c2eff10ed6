// SPDX-License-Identifier: MIT
#include "tests/unit/reports/fixture.hpp"

#include "common/base/text.hpp"

namespace gk::reports {
namespace {

TEST(AggregateXml, WhatIsWrittenIsReadBack) {
    const auto parsed = parse(some_xml());
    ASSERT_TRUE(parsed.head) << parsed.head.error().text;
    EXPECT_EQ(*parsed.head, some_head());
    EXPECT_EQ(parsed.records, std::vector{some_record()});
}

TEST(AggregateXml, PiecesOfAnySizeGiveTheSame) {
    for (const std::size_t piece : {1u, 7u, 64u}) {
        const auto parsed = parse(some_xml(), {}, piece);
        ASSERT_TRUE(parsed.head) << parsed.head.error().text;
        EXPECT_EQ(*parsed.head, some_head());
        EXPECT_EQ(parsed.records, std::vector{some_record()});
    }
}

TEST(AggregateXml, ElementsStandInTheOrderOfTheRfc) {
    const std::string xml = some_xml();
    std::size_t at = 0;
    for (const char* name : {"<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">",
                             "<version>1.0<",
                             "<report_metadata>",
                             "<org_name>",
                             "<email>",
                             "<report_id>",
                             "<date_range>",
                             "<begin>",
                             "<end>",
                             "<generator>",
                             "<policy_published>",
                             "<domain>",
                             "<record>",
                             "<row>",
                             "<source_ip>",
                             "<count>",
                             "<policy_evaluated>",
                             "<disposition>",
                             "<dkim>",
                             "<spf>",
                             "<reason>",
                             "<identifiers>",
                             "<auth_results>",
                             "<dkim>",
                             "<spf>",
                             "</record>",
                             "</feedback>"}) {
        const auto found = xml.find(name, at);
        ASSERT_NE(found, std::string::npos) << name;
        at = found + 1;
    }
}

TEST(AggregateXml, NothingInAValueBecomesMarkupOrBreaksTheXml) {
    AggregateRecord record = some_record();
    record.header_from = "<!--]]>&lt;&\x01\x1b\xff\xef\xbf\xbf.test";
    record.reasons = {{"local_policy", std::string(5000, '<')}};
    const auto parsed = parse(some_xml({record}));
    ASSERT_TRUE(parsed.head) << parsed.head.error().text;
    EXPECT_EQ(parsed.records[0].header_from, "<!--]]>&lt;&  \xEF\xBF\xBD.test");
}

TEST(AggregateXml, WordsThatTheSchemaDoesNotKnowAreReplaced) {
    AggregateRecord record = some_record();
    record.disposition = "discard";
    record.reasons = {{"sampled_out", ""}};
    record.dkim[0].result = "invalid";
    record.spf[0].result = "hardfail";
    const auto parsed = parse(some_xml({record}));
    ASSERT_TRUE(parsed.head);
    EXPECT_EQ(parsed.records[0].disposition, "none");
    EXPECT_EQ(parsed.records[0].reasons[0].type, "other");
    EXPECT_EQ(parsed.records[0].dkim[0].result, "neutral");
    EXPECT_EQ(parsed.records[0].spf[0].result, "none");
}

// The form of RFC 7489, appendix C, as AOL wrote it, with a declared encoding and a prefix.
TEST(AggregateXml, OlderReportsAreRead) {
    const auto parsed = parse(
        "\n <?xml version=\"1.0\" encoding=\"windows-1252\"?>\n"
        "<d:feedback xmlns:d='http://dmarc.org/dmarc-xml/0.1'><d:report_metadata><d:org_name>Caf\xe9 \x96 "
        "Post</d:org_name>"
        "<d:email>p@b.test</d:email><d:report_id>a.test_1504828800</d:report_id><d:date_range><d:begin>1504742400</"
        "d:begin>"
        "<d:end> 1504828800 </d:end></d:date_range></d:report_metadata><d:policy_published><d:domain>A.test</d:domain>"
        "<d:adkim>r</d:adkim><d:p>reject</d:p><d:pct>100</d:pct></d:policy_published><d:record><d:row>"
        "<d:source_ip>192.0.2.7</d:source_ip><d:count>1</d:count><d:policy_evaluated><d:disposition>none</"
        "d:disposition>"
        "<d:dkim>pass</d:dkim><d:spf>fail</d:spf></d:policy_evaluated></d:row><d:identifiers><d:header_from>A.test</"
        "d:header_from>"
        "</d:identifiers><d:auth_results><d:dkim><d:domain>a.test</d:domain><d:result>pass</d:result></d:dkim></"
        "d:auth_results>"
        "<x:count>99</x:count></d:record></d:feedback>");
    ASSERT_TRUE(parsed.head) << parsed.head.error().text;
    EXPECT_EQ(parsed.head->organization, "Caf\xC3\xA9 \xE2\x80\x93 Post");
    EXPECT_EQ(parsed.head->domain, "a.test");
    EXPECT_EQ(parsed.head->end_s, 1504828800);
    ASSERT_EQ(parsed.records.size(), 1u);
    EXPECT_EQ(parsed.records[0].count, 1u);
    EXPECT_TRUE(parsed.records[0].dkim_aligned);
    EXPECT_EQ(parsed.records[0].header_from, "a.test");
}

TEST(AggregateXml, ExtensionsArePassedOver) {
    const std::string xml = text::replace_all(some_xml(), "  </record>",
                                              "<ext:row "
                                              "xmlns:ext='urn:x'><source_ip>203.0.113.9</source_ip><count>7</count></"
                                              "ext:row><extra><count>8</count></extra></record>");
    const auto parsed = parse(xml);
    ASSERT_TRUE(parsed.head) << parsed.head.error().text;
    EXPECT_EQ(parsed.records, std::vector{some_record()});
}

TEST(AggregateXml, DocumentTypesAndEntitiesAreRefusedAtOnce) {
    std::string laughs = "<?xml version=\"1.0\"?><!DOCTYPE feedback [<!ENTITY a \"ha\">";
    for (char c = 'b'; c < 'l'; ++c)
        laughs += fmt::format("<!ENTITY {} \"&{};&{};&{};&{};&{};&{};&{};&{};\">", c, c - 1, c - 1, c - 1, c - 1, c - 1,
                              c - 1, c - 1, c - 1);
    const auto parsed = parse(laughs + "]><feedback>&k;</feedback>");
    ASSERT_FALSE(parsed.head);
    EXPECT_NE(parsed.head.error().text.find("document type"), std::string::npos) << parsed.head.error().text;
    EXPECT_FALSE(parse("<!DOCTYPE feedback SYSTEM \"file:///etc/passwd\"><feedback/>").head);
}

TEST(AggregateXml, DepthRecordsAndTokensAreBounded) {
    std::string deep = "<feedback>";
    for (int i = 0; i < 100'000; ++i) deep += "<a>";
    EXPECT_EQ(parse(deep).head.error().text, "elements are nested deeper than 32");
    EXPECT_NE(
        parse(some_xml({some_record(), some_record()}), {.records = 1}).head.error().text.find("more than 1 records"),
        std::string::npos);
    EXPECT_EQ(parse("<feedback><!--" + std::string(4'000'000, 'x')).head.error().text,
              "the report has a tag or comment of absurd length");
    EXPECT_EQ(parse("<feedback a='" + std::string(4'000'000, 'x')).head.error().text,
              "the report has a tag or comment of absurd length");
}

TEST(AggregateXml, AValueWithoutEndIsCut) {
    const auto parsed = parse(text::replace_all(some_xml(), "<email>", "<email>" + std::string(3'000'000, 'x')));
    ASSERT_TRUE(parsed.head);
    EXPECT_EQ(parsed.head->email, std::string(1000, 'x'));
}

TEST(AggregateXml, SignaturesOfOneRecordAreBounded) {
    AggregateRecord record = some_record();
    record.dkim.assign(500, {"a.test", "s", "pass"});
    const auto parsed = parse(some_xml({record}));
    ASSERT_TRUE(parsed.head) << parsed.head.error().text;
    EXPECT_EQ(parsed.records[0].dkim.size(), 100u);
    EXPECT_EQ(parsed.records[0].spf, record.spf);
}

TEST(AggregateXml, WhatIsNoReportIsRefusedWithTheReason) {
    const std::string xml = some_xml();
    EXPECT_EQ(parse("<html></html>").head.error().text,
              "not a DMARC aggregate report: the root element is not feedback");
    EXPECT_NE(parse(xml.substr(0, xml.size() / 2)).head.error().text.find("not well-formed XML"), std::string::npos);
    EXPECT_EQ(parse("<feedback></feedback>").head.error().text, "the report lacks org_name");
    EXPECT_EQ(parse(text::replace_all(xml, "<count>12<", "<count>-1<")).head.error().text,
              "'-1' is no count of messages");
    EXPECT_EQ(parse(text::replace_all(xml, "<count>12</count>", "")).head.error().text,
              "a record without source_ip or count");
    EXPECT_EQ(parse(text::replace_all(xml, "<begin>1795737600", "<begin>99999999999999999999")).head.error().text,
              "'99999999999999999999' is no time of a report");
    EXPECT_FALSE(parse("").head);
    EXPECT_FALSE(parse("<?xml version='1.0' encoding='x-none'?><feedback/>").head);
}

TEST(AggregateXml, TheErrorOfTheOneWhoTakesRecordsEndsTheReading) {
    AggregateParser parser({}, [](AggregateRecord) { return fail(Errc::Temporary, "disk full"); });
    EXPECT_EQ(parser.feed(some_xml()).error().code, Errc::Temporary);
    EXPECT_EQ(parser.finish().error().text, "disk full");
}

}  // namespace
}  // namespace gk::reports
