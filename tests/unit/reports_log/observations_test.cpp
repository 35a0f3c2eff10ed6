// SPDX-License-Identifier: MIT
#include "common/reports_log/observations.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>
#include <thread>

#include "common/base/ids.hpp"
#include "common/base/text.hpp"
#include "common/os/file.hpp"

namespace gk::reports {
namespace {

class Observations : public testing::Test {
protected:
    void SetUp() override { ASSERT_TRUE(os::make_directories(dir_)); }
    void TearDown() override { (void)os::remove_tree(dir_); }
    std::string dir_ = testing::TempDir() + "/reports-" + new_id();
};

TimePoint at(std::string_view time) { return *parse_rfc3339(time); }

DmarcObservation seen() {
    DmarcObservation o;
    o.at = at("2026-11-27T23:59:59.250Z");
    o.source_ip = "192.0.2.1";
    o.envelope_from = "bounces.a.test";
    o.envelope_to = "b.test";
    o.header_from = "news.a.test";
    o.policy_domain = o.organizational_domain = "a.test";
    o.p = "reject";
    o.sp = "quarantine";
    o.np = "none";
    o.adkim = "r";
    o.aspf = "s";
    o.t = "n";
    o.fo = "1:d";
    o.discovery_method = "treewalk";
    o.disposition = "none";
    o.dkim_aligned = true;
    o.reasons = {{"local_policy", "arc=pass, \"list\""}, {"other", ""}};
    o.dkim = {{"a.test", "s1", "pass"}, {"esp.test", "k", "fail"}};
    o.spf = {"bounces.a.test", "mfrom", "softfail"};
    o.rua = {"mailto:d@a.test!10m", "mailto:x@r.test"};
    o.is_report = true;
    return o;
}

TlsObservation tried() {
    TlsObservation o;
    o.at = at("2026-11-28T00:00:00Z");
    o.policy_domain = "b.test";
    o.policy_type = "sts";
    o.policy = {"version: STSv1", "mode: enforce", "mx: *.b.test"};
    o.mx_patterns = {"*.b.test"};
    o.result = "certificate-expired";
    o.sending_ip = "192.0.2.2";
    o.receiving_mx = "mx.b.test";
    o.receiving_ip = "2001:db8::5";
    o.receiving_helo = "mx1.b.test";
    o.reason_code = "X509_V_ERR_CERT_HAS_EXPIRED";
    o.additional = "certificate has expired";
    o.rua = {"https://t.b.test/v1"};
    return o;
}

std::vector<DmarcObservation> all_of(const std::string& path, LinesRead* read = nullptr) {
    std::vector<DmarcObservation> all;
    const auto done = read_dmarc(path, [&](DmarcObservation o) {
        all.push_back(std::move(o));
        return ok();
    });
    EXPECT_TRUE(done) << done.error().text;
    if (read != nullptr && done) *read = *done;
    return all;
}

TEST_F(Observations, NothingIsWrittenWhereNobodySendsReports) { EXPECT_TRUE(append("", seen())); }

TEST_F(Observations, ALinkOrAPipeInTheDaysPlaceIsNotWrittenTo) {
    const std::string path = dir_ + "/dmarc-20261127.jsonl", elsewhere = dir_ + "/elsewhere";
    ASSERT_EQ(::symlink(elsewhere.c_str(), path.c_str()), 0);
    EXPECT_FALSE(append(dir_, seen()));
    EXPECT_FALSE(os::exists(elsewhere));
    ASSERT_TRUE(os::unlink(path));
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    EXPECT_FALSE(append(dir_, seen()));
    const os::Fd reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    ASSERT_TRUE(reader);
    EXPECT_EQ(append(dir_, seen()).error().code, Errc::BadInput);
    ASSERT_TRUE(os::unlink(path));
    EXPECT_TRUE(append(dir_, seen()));
}

TEST_F(Observations, WhatIsAppendedIsReadBackFromTheFileOfItsUtcDay) {
    ASSERT_TRUE(append(dir_, seen()));
    ASSERT_TRUE(append(dir_, tried()));
    EXPECT_EQ(all_of(dir_ + "/dmarc-20261127.jsonl"), std::vector{seen()});
    std::vector<TlsObservation> sessions;
    ASSERT_TRUE(read_tls(dir_ + "/tlsrpt-20261128.jsonl", [&](TlsObservation o) {
        sessions.push_back(std::move(o));
        return ok();
    }));
    EXPECT_EQ(sessions, std::vector{tried()});
}

TEST_F(Observations, DayFilesAreListedOldestFirstAndForeignNamesPassedOver) {
    for (const char* name : {"dmarc-20261128.jsonl", "dmarc-20251231.jsonl", "dmarc-20261328.jsonl",
                             "tlsrpt-20261128.jsonl", "dmarc-2026112.jsonl", "dmarc-20261128.jsonl.tmp"})
        ASSERT_TRUE(os::append_file(dir_ + "/" + name, "", false));
    const auto files = day_files(dir_, Kind::Dmarc);
    ASSERT_TRUE(files);
    ASSERT_EQ(files->size(), 2u);
    EXPECT_EQ((*files)[0].path, dir_ + "/dmarc-20251231.jsonl");
    EXPECT_EQ((*files)[1].day, 20785);
    EXPECT_EQ(file_name(Kind::Dmarc, 20785), "dmarc-20261128.jsonl");
    EXPECT_TRUE(day_files(dir_ + "/none", Kind::Tls)->empty());
}

TEST_F(Observations, ADirectoryThatIsMissingIsMade) {
    ASSERT_TRUE(append(dir_ + "/spool/reports", seen()));
    EXPECT_EQ(all_of(dir_ + "/spool/reports/dmarc-20261127.jsonl").size(), 1u);
}

TEST_F(Observations, AnErrorIsReturnedWhereNothingCanBeWritten) {
    ASSERT_TRUE(os::append_file(dir_ + "/file", "", false));
    EXPECT_FALSE(append(dir_ + "/file/reports", seen()));
}

TEST_F(Observations, ATornLastLineAndForeignLinesArePassedOverAndCounted) {
    const std::string path = dir_ + "/dmarc-20261127.jsonl";
    const std::string line = *format(seen());
    ASSERT_TRUE(os::append_file(
        path, line + "{}\nnot json\n" + std::string(100'000, 'x') + "\n" + line + line.substr(0, 100), false));
    LinesRead read;
    EXPECT_EQ(all_of(path, &read).size(), 2u);
    EXPECT_EQ(read.good, 2u);
    EXPECT_EQ(read.bad, 4u);
}

TEST_F(Observations, WhatIsAppendedAfterATornLineCostsOneLineAtMost) {
    const std::string path = dir_ + "/dmarc-20261127.jsonl";
    ASSERT_TRUE(os::append_file(path, format(seen())->substr(0, 50), false));
    ASSERT_TRUE(append(dir_, seen()));
    ASSERT_TRUE(append(dir_, seen()));
    EXPECT_EQ(all_of(path).size(), 1u);
}

TEST_F(Observations, LinesOfManyThreadsDoNotMix) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&] {
            for (int n = 0; n < 100; ++n) EXPECT_TRUE(append(dir_, seen()));
        });
    for (auto& thread : threads) thread.join();
    LinesRead read;
    EXPECT_EQ(all_of(dir_ + "/dmarc-20261127.jsonl", &read).size(), 400u);
    EXPECT_EQ(read.bad, 0u);
}

TEST_F(Observations, NothingThatAClientSaysMakesALineLongOrTwo) {
    DmarcObservation o = seen();
    const std::string hostile = std::string(3000, '"') + "\n\r\x01\xff\\\xc3";
    o.envelope_from = o.envelope_to = o.header_from = hostile;
    o.reasons.assign(500, {"local_policy", hostile});
    o.dkim.assign(5000, {hostile, hostile, "fail"});
    o.rua.assign(5000, "mailto:" + std::string(400, 'x') + "@a.test");
    const auto line = format(o);
    ASSERT_TRUE(line) << line.error().text;
    EXPECT_LE(line->size(), kLineLimit);
    EXPECT_EQ(line->find('\n'), line->size() - 1);
    EXPECT_TRUE(text::is_utf8(*line));
    ASSERT_TRUE(parse_dmarc(*line));

    TlsObservation t = tried();
    t.policy.assign(1000, hostile);
    t.mx_patterns.assign(1000, hostile);
    t.receiving_mx = t.receiving_helo = t.additional = t.reason_code = hostile;
    const auto tls = format(t);
    ASSERT_TRUE(tls) << tls.error().text;
    EXPECT_LE(tls->size(), kLineLimit);
    ASSERT_TRUE(parse_tls(*tls));
}

TEST_F(Observations, SignaturesAreLeftOutFromTheEndAndAddressesLast) {
    DmarcObservation o = seen();
    for (int i = 0; i < 90; ++i) o.dkim.push_back({"esp.test", "selector" + std::to_string(i), "fail"});
    const auto back = parse_dmarc(*format(o));
    ASSERT_TRUE(back);
    EXPECT_LT(back->dkim.size(), o.dkim.size());
    EXPECT_EQ(back->dkim[0], o.dkim[0]);
    EXPECT_EQ(back->rua, o.rua);
    EXPECT_EQ(back->reasons, o.reasons);
}

TEST_F(Observations, AnAddressThatWouldBeCutIsLeftOut) {
    DmarcObservation o = seen();
    o.rua = {"mailto:" + std::string(600, 'x') + "@a.test", "mailto:d\n@a.test", "mailto:d@a.test"};
    EXPECT_EQ(parse_dmarc(*format(o))->rua, std::vector<std::string>{"mailto:d@a.test"});
}

TEST_F(Observations, AReportIsKnownByItsHeader) {
    EXPECT_TRUE(is_report("Subject: Report Domain: a.test\r\n Submitter: mx.b.test\r\n Report-ID: <1@b.test>\r\n\r\n"));
    EXPECT_TRUE(is_report("Subject: Hello\nTLS-Report-Domain: a.test\n\n"));
    EXPECT_FALSE(is_report("Subject: Report Domain: what is it?\n\nTLS-Report-Domain: a.test\n"));
    EXPECT_FALSE(is_report(""));
}

TEST_F(Observations, WhatAReportCannotDoWithoutIsRequired) {
    DmarcObservation o = seen();
    o.policy_domain.clear();
    EXPECT_EQ(format(o).error().code, Errc::BadInput);
    TlsObservation t = tried();
    t.result.clear();
    EXPECT_EQ(format(t).error().code, Errc::BadInput);
}

TEST_F(Observations, MembersOfAnotherTypeMakeALineBad) {
    const std::string good = *format(seen());
    ASSERT_TRUE(parse_dmarc(good));
    EXPECT_FALSE(parse_dmarc(text::replace_all(good, "\"192.0.2.1\"", "7")));
    EXPECT_FALSE(parse_dmarc(text::replace_all(good, "\"v\":1", "\"v\":2")));
    EXPECT_FALSE(parse_dmarc(text::replace_all(good, "[\"mailto", "[[],\"mailto")));
    EXPECT_FALSE(parse_dmarc("[" + std::string(2000, '[')));
}

}  // namespace
}  // namespace gk::reports
