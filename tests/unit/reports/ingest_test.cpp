// SPDX-License-Identifier: MIT
#include "common/reports/ingest.hpp"

#include <sys/stat.h>

#include "common/base/text.hpp"
#include "common/reports/compose.hpp"
#include "common/reports/mailbox.hpp"
#include "common/reports/tls_json.hpp"
#include "tests/unit/reports/fixture.hpp"

namespace gk::reports {
namespace {

using Outcome = Ingested::Outcome;

const TimePoint kNow = *parse_rfc3339("2026-11-28T01:00:00Z");

TlsReport some_tls() {
    TlsReport report;
    report.organization = "C";
    report.contact = "tls@c.test";
    report.report_id = "77@c.test";
    report.begin_s = 1795737600;
    report.end_s = 1795823999;
    TlsPolicy policy;
    policy.type = "sts";
    policy.domain = "a.test";
    policy.strings = {"version: STSv1", "mode: enforce"};
    policy.successes = 5;
    policy.failures = 2;
    policy.details = {{"certificate-expired", "192.0.2.1", "mx.a.test", "", "192.0.2.2", 2, "", "X509"}};
    report.policies = {policy};
    return report;
}

std::string as_message(Kind kind, std::string_view gzip) {
    ReportName name;
    name.kind = kind;
    name.submitter = "b.test";
    name.domain = "a.test";
    name.begin_s = 1795737600;
    name.end_s = 1795823999;
    name.report_id = "0123";
    return compose_report(name, {"reports@b.test", "B & \"Sons\" \xC3\xA4"}, "d@a.test", "A report.\r\n", gzip, kNow);
}

class Ingest : public InDirectory {
protected:
    void SetUp() override {
        InDirectory::SetUp();
        auto store = Store::open(dir_ + "/reports.db");
        ASSERT_TRUE(store) << store.error().text;
        store_.emplace(std::move(*store));
    }
    std::vector<Ingested> take(std::string_view bytes, const ParseLimits& limits = {}) {
        auto taken = ingest(bytes, limits, *store_, kNow);
        EXPECT_TRUE(taken) << taken.error().text;
        return taken ? *taken : std::vector<Ingested>{};
    }
    std::vector<SourceSum> sources(const Choice& choice = {}) {
        std::vector<SourceSum> sums;
        EXPECT_TRUE(store_->sources(choice, [&](const SourceSum& sum) { sums.push_back(sum); }));
        return sums;
    }
    std::optional<Store> store_;
};

TEST_F(Ingest, AMessageGivesItsReportOnceAndKnowsItAgain) {
    const std::string message = as_message(Kind::Dmarc, gzipped(some_xml()));
    const auto first = take(message);
    ASSERT_EQ(first.size(), 1u);
    EXPECT_EQ(first[0].outcome, Outcome::Stored) << first[0].error;
    EXPECT_EQ(first[0].name, "b.test!a.test!1795737600!1795823999!0123.xml.gz");
    EXPECT_EQ(first[0].organization, "B & Sons <mail>");
    EXPECT_EQ(take(message).at(0).outcome, Outcome::Duplicate);
    EXPECT_EQ(take(some_xml()).at(0).outcome, Outcome::Duplicate);  // in another coat
    const auto sums = sources();
    ASSERT_EQ(sums.size(), 1u);
    EXPECT_EQ(sums[0].source_ip, "2001:db8::1");
    EXPECT_EQ(sums[0].messages, 12);
    EXPECT_EQ(sums[0].passed, 12);
    EXPECT_EQ(sums[0].dkim, 0);
    EXPECT_EQ(sums[0].spf, 12);
    EXPECT_EQ(sums[0].quarantine, 12);
    EXPECT_EQ(sums[0].overridden, 12);
    EXPECT_EQ(sums[0].names, "a.test/s1, esp.test/k, bounce.a.test");
}

TEST_F(Ingest, TheSameIdOfAnotherReporterIsAnotherReport) {
    take(some_xml());
    EXPECT_EQ(take(text::replace_all(some_xml(), "Sons", "Daughters")).at(0).outcome, Outcome::Stored);
    EXPECT_EQ(sources().at(0).messages, 24);
    EXPECT_EQ(sources().at(0).reports, 2);
}

TEST_F(Ingest, TlsReportsAreStoredBesideThemAndReadBackWhole) {
    const auto taken = take(as_message(Kind::Tls, gzipped(format_tls_report(some_tls()))));
    ASSERT_EQ(taken.size(), 1u);
    EXPECT_EQ(taken[0].outcome, Outcome::Stored) << taken[0].error;
    EXPECT_EQ(take(format_tls_report(some_tls())).at(0).outcome, Outcome::Duplicate);
    std::int64_t id = 0;
    ASSERT_TRUE(store_->list({}, Kind::Tls, [&](const Received& r) {
        id = r.id;
        EXPECT_EQ(r.messages, 7);
    }));
    const auto report = store_->tls_report(id);
    ASSERT_TRUE(report && *report);
    EXPECT_EQ(**report, some_tls());
    std::vector<TlsFailureSum> failures;
    ASSERT_TRUE(store_->tls_failures({.domain = "a.test"}, [&](const TlsFailureSum& sum) { failures.push_back(sum); }));
    ASSERT_EQ(failures.size(), 1u);
    EXPECT_EQ(failures[0].sessions, 2);
}

TEST_F(Ingest, WhatIsBrokenLeavesNothingBehind) {
    const std::string xml = some_xml();
    const std::pair<std::string, std::string> all[] = {
        {xml.substr(0, xml.size() - 20), "not well-formed XML: line 65: unclosed token"},
        {text::replace_all(xml, "<count>12<", "<count>x<"), "'x' is no count of messages"},
        {gzipped(xml).substr(0, 200), "the gzip file is cut off"},
        {gzipped(gzipped(xml)), "an archive in an archive is no report"},
        {"{\"policies\":[]}", "the report lacks organization-name or report-id"},
        {gzipped("plain words"), "neither a DMARC aggregate report nor a TLS report"}};
    for (const auto& [bad, why] : all) {
        const auto taken = take(bad);
        ASSERT_EQ(taken.size(), 1u);
        EXPECT_EQ(taken[0].outcome, Outcome::Refused);
        EXPECT_EQ(taken[0].error, why);
    }
    EXPECT_TRUE(sources().empty());
    ASSERT_TRUE(store_->list({}, std::nullopt, [](const Received&) { FAIL(); }));
    EXPECT_EQ(take(xml).at(0).outcome, Outcome::Stored);
}

TEST_F(Ingest, AMessageWithoutAReportGivesNothing) {
    EXPECT_TRUE(take("From: a@a.test\r\nSubject: hello\r\n\r\nHow are you?\r\n").empty());
    EXPECT_TRUE(take("").empty());
}

TEST_F(Ingest, ForwardedReportsAndSeveralInOneMessageAreFound) {
    const std::string inner = as_message(Kind::Dmarc, gzipped(some_xml()));
    const std::string outer =
        "From: a@a.test\nContent-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: message/rfc822\n\n" +
        text::replace_all(inner, "\r\n", "\n") + "\n--x\nContent-Type: application/octet-stream; name=\"r.json\"\n\n" +
        format_tls_report(some_tls()) + "\n--x--\n";
    const auto taken = take(outer);
    ASSERT_EQ(taken.size(), 2u);
    EXPECT_EQ(taken[0].outcome, Outcome::Stored) << taken[0].error;
    EXPECT_EQ(taken[1].outcome, Outcome::Stored) << taken[1].error;
    EXPECT_EQ(taken[1].kind, Kind::Tls);
}

TEST_F(Ingest, AReportOfAMillionRecordsIsStoredOrRefusedInBoundedMemory) {
    const std::string record = format_record(some_record());
    Gzip gzip;
    gzip.write(format_begin(some_head()));
    for (int i = 0; i < 1'000'000; ++i) gzip.write(record);
    gzip.write(format_end());
    const auto taken = take(gzip.finish());
    ASSERT_EQ(taken.size(), 1u);
    EXPECT_EQ(taken[0].outcome, Outcome::Refused);
    EXPECT_EQ(taken[0].error, "the report is larger than 64.0 MB when unpacked (reports.max_size)");
    EXPECT_TRUE(sources().empty());
}

TEST_F(Ingest, DomainsAndTimesAreChosen) {
    take(some_xml());
    EXPECT_EQ(sources({.domain = "a.test"}).size(), 1u);
    EXPECT_EQ(sources({.domain = "test"}).size(), 1u);
    EXPECT_EQ(sources({.domain = "t"}).size(), 0u);
    EXPECT_EQ(sources({.domain = "b.test"}).size(), 0u);
    EXPECT_EQ(sources({.domain = "", .since_s = 1795823999}).size(), 1u);
    EXPECT_EQ(sources({.domain = "", .since_s = 1795824000}).size(), 0u);
}

TEST_F(Ingest, OldReportsAreRemovedWithTheirRecords) {
    take(some_xml());
    take(format_tls_report(some_tls()));
    EXPECT_EQ(*store_->remove_received_before(1795823999), 0);
    EXPECT_EQ(*store_->remove_received_before(1795824000), 2);
    EXPECT_TRUE(sources().empty());
    EXPECT_EQ(take(some_xml()).at(0).outcome, Outcome::Stored);
    EXPECT_EQ(sources().at(0).messages, 12);
}

TEST_F(Ingest, AMailboxIsReadByAnotherProcessAndNotChanged) {
    const std::string mailbox = dir_ + "/Maildir";
    for (const char* name : {"tmp", "new", "cur"}) ASSERT_TRUE(os::make_directories(mailbox + "/" + name));
    ASSERT_TRUE(os::append_file(mailbox + "/new/1.M1.host", "Subject: one\n\n", false));
    ASSERT_TRUE(os::append_file(mailbox + "/cur/2.M2.host:2,S", "Subject: two\n\n", false));
    ASSERT_TRUE(os::append_file(mailbox + "/cur/3.M3.host:2,", std::string(5000, 'x'), false));
    ASSERT_EQ(::symlink("/etc/passwd", (mailbox + "/cur/4.M4.host:2,").c_str()), 0);
    auto reader = MailboxReader::start(mailbox, 4000);
    ASSERT_TRUE(reader) << reader.error().text;
    std::map<std::string, std::string> seen;
    const auto done = reader->read([](const std::string& name) { return name != "1.M1.host"; },
                                   [&](const std::string& name, const std::string& bytes) {
                                       seen[name] = bytes;
                                       return ok();
                                   });
    ASSERT_TRUE(done) << done.error().text;
    EXPECT_EQ(seen, (std::map<std::string, std::string>{{"2.M2.host", "Subject: two\n\n"}, {"3.M3.host", ""}}));
    EXPECT_TRUE(os::exists(mailbox + "/new/1.M1.host"));
}

TEST(ReportMessage, HasTheSubjectNamesAndFieldsOfTheRfcs) {
    const std::string dmarc = as_message(Kind::Dmarc, "x"), tls = as_message(Kind::Tls, "x");
    EXPECT_NE(dmarc.find("\r\nSubject: Report Domain: a.test\r\n Submitter: b.test\r\n Report-ID: <0123@b.test>\r\n"),
              std::string::npos);
    EXPECT_NE(dmarc.find("filename=\"b.test!a.test!1795737600!1795823999!0123.xml.gz\""), std::string::npos);
    EXPECT_NE(dmarc.find("\r\nContent-Type: application/gzip\r\n"), std::string::npos);
    EXPECT_NE(tls.find("\r\nContent-Type: multipart/report; report-type=\"tlsrpt\"; boundary="), std::string::npos);
    EXPECT_NE(tls.find("\r\nTLS-Report-Domain: a.test\r\nTLS-Report-Submitter: b.test\r\nTLS-Required: No\r\n"),
              std::string::npos);
    EXPECT_NE(tls.find("\r\nContent-Type: application/tlsrpt+gzip\r\n"), std::string::npos);
    for (const auto& message : {dmarc, tls}) {
        EXPECT_TRUE(is_report(message));
        EXPECT_TRUE(text::is_ascii(message));
        for (const auto line : text::split(message, '\n')) EXPECT_LE(line.size(), 99u) << line;
    }
    EXPECT_EQ(report_id_of(Kind::Dmarc, "R@b.test", "a.test", 1), report_id_of(Kind::Dmarc, "r@b.test", "A.test", 1));
    EXPECT_NE(report_id_of(Kind::Dmarc, "r@b.test", "a.test", 1), report_id_of(Kind::Tls, "r@b.test", "a.test", 1));
}

}  // namespace
}  // namespace gk::reports
