// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include "common/base/ids.hpp"
#include "common/os/file.hpp"
#include "common/reports/aggregate_xml.hpp"
#include "common/reports/unpack.hpp"

namespace gk::reports {

class InDirectory : public testing::Test {
protected:
    void SetUp() override { ASSERT_TRUE(os::make_directories(dir_)); }
    void TearDown() override { (void)os::remove_tree(dir_); }
    std::string dir_ = testing::TempDir() + "/reports-" + new_id();
};

inline AggregateHead some_head() {
    AggregateHead head;
    head.organization = "B & Sons <mail>";
    head.email = "postmaster@b.test";
    head.extra_contact = "https://b.test/dmarc";
    head.report_id = "0123@b.test";
    head.begin_s = 1795737600;
    head.end_s = 1795823999;
    head.generator = "gk";
    head.domain = "a.test";
    head.discovery_method = "treewalk";
    head.p = "reject";
    head.sp = "quarantine";
    head.np = "none";
    head.adkim = "r";
    head.aspf = "s";
    head.testing = "n";
    head.fo = "1:d";
    return head;
}

inline AggregateRecord some_record() {
    AggregateRecord record;
    record.source_ip = "2001:db8::1";
    record.count = 12;
    record.disposition = "quarantine";
    record.spf_aligned = true;
    record.reasons = {{"local_policy", "arc=pass & \"trusted\""}, {"other", ""}};
    record.header_from = "news.a.test";
    record.envelope_from = "bounce.a.test";
    record.envelope_to = "b.test";
    record.dkim = {{"a.test", "s1", "pass"}, {"esp.test", "k", "fail"}};
    record.spf = {{"bounce.a.test", "mfrom", "pass"}};
    return record;
}

inline std::string some_xml(const std::vector<AggregateRecord>& records = {some_record()}) {
    std::string xml = format_begin(some_head());
    for (const auto& record : records) xml += format_record(record);
    return xml + format_end();
}

inline std::string gzipped(std::string_view bytes) {
    Gzip gzip;
    gzip.write(bytes);
    return gzip.finish();
}

struct Parsed {
    Result<AggregateHead> head = fail(Errc::Bug, "not parsed");
    std::vector<AggregateRecord> records;
};

inline Parsed parse(std::string_view xml, const ParseLimits& limits = {}, std::size_t piece = 1 << 16) {
    Parsed parsed;
    AggregateParser parser(limits, [&](AggregateRecord record) {
        parsed.records.push_back(std::move(record));
        return ok();
    });
    for (; !xml.empty(); xml.remove_prefix(std::min(piece, xml.size())))
        if (auto fed = parser.feed(xml.substr(0, piece)); !fed) {
            parsed.head = fail(fed.error());
            return parsed;
        }
    parsed.head = parser.finish();
    return parsed;
}

}  // namespace gk::reports
