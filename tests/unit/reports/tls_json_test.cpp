// SPDX-License-Identifier: MIT
#include "common/reports/tls_json.hpp"

#include <gtest/gtest.h>

#include "common/base/text.hpp"

namespace gk::reports {
namespace {

// RFC 8460, appendix B.
constexpr std::string_view kOfTheRfc = R"({
  "organization-name": "Company-X",
  "date-range": {"start-datetime": "2016-04-01T00:00:00Z", "end-datetime": "2016-04-01T23:59:59Z"},
  "contact-info": "sts-reporting@company-x.example",
  "report-id": "5065427c-23d3-47ca-b6e0-946ea0e8c4be",
  "policies": [{
    "policy": {
      "policy-type": "sts",
      "policy-string": ["version: STSv1","mode: testing", "mx: *.mail.company-y.example","max_age: 86400"],
      "policy-domain": "company-y.example",
      "mx-host": "*.mail.company-y.example"
    },
    "summary": {"total-successful-session-count": 5326, "total-failure-session-count": 303},
    "failure-details": [{
      "result-type": "certificate-expired",
      "sending-mta-ip": "2001:db8:abcd:0012::1",
      "receiving-mx-hostname": "mx1.mail.company-y.example",
      "failed-session-count": 100
    }, {
      "result-type": "starttls-not-supported",
      "sending-mta-ip": "2001:db8:abcd:0013::1",
      "receiving-mx-hostname": "mx2.mail.company-y.example",
      "receiving-ip": "203.0.113.56",
      "failed-session-count": 200,
      "additional-information": "https://reports.company-x.example/report_info ? id = 5065427 c - 23 d3# StarttlsNotSupported "
    }, {
      "result-type": "validation-failure",
      "sending-mta-ip": "198.51.100.62",
      "receiving-ip": "203.0.113.58",
      "receiving-mx-hostname": "mx-backup.mail.company-y.example",
      "failed-session-count": 3,
      "failure-reason-code": "X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED"
    }]
  }]
})";

TEST(TlsReportJson, TheExampleOfTheRfcIsRead) {
    const auto report = parse_tls_report(kOfTheRfc, {});
    ASSERT_TRUE(report) << report.error().text;
    EXPECT_EQ(report->organization, "Company-X");
    EXPECT_EQ(report->begin_s, 1459468800);
    EXPECT_EQ(report->end_s, 1459555199);
    ASSERT_EQ(report->policies.size(), 1u);
    const auto& policy = report->policies[0];
    EXPECT_EQ(policy.type, "sts");
    EXPECT_EQ(policy.strings.size(), 4u);
    EXPECT_EQ(policy.mx_hosts, std::vector<std::string>{"*.mail.company-y.example"});
    EXPECT_EQ(policy.successes, 5326u);
    EXPECT_EQ(policy.failures, 303u);
    ASSERT_EQ(policy.details.size(), 3u);
    EXPECT_EQ(policy.details[1].receiving_ip, "203.0.113.56");
    EXPECT_EQ(policy.details[2].reason_code, "X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED");
    EXPECT_EQ(policy.details[2].count, 3u);
}

TEST(TlsReportJson, WhatIsWrittenIsReadBack) {
    const auto report = parse_tls_report(kOfTheRfc, {});
    ASSERT_TRUE(report);
    const auto again = parse_tls_report(format_tls_report(*report), {});
    ASSERT_TRUE(again) << again.error().text;
    EXPECT_EQ(*again, *report);
}

TEST(TlsReportJson, WhatReportersMakeOfItIsReadToo) {
    std::string json = text::replace_all(kOfTheRfc, "\"failed-session-count\": 3,", "\"failed-session-count\": \"3\",");
    json = text::replace_all(json, "\"total-failure-session-count\": 303", "\"total-failure-session-count\": null");
    json =
        "\xEF\xBB\xBF" + text::replace_all(json, "company-y.example\",\n      \"mx", "Company-Y.example\",\n      \"x");
    const auto report = parse_tls_report(json, {});
    ASSERT_TRUE(report) << report.error().text;
    EXPECT_EQ(report->policies[0].details[2].count, 3u);
    EXPECT_EQ(report->policies[0].failures, 0u);
    EXPECT_EQ(report->policies[0].domain, "company-y.example");
}

TEST(TlsReportJson, WhatIsNoReportIsRefusedWithTheReason) {
    EXPECT_EQ(parse_tls_report("{}", {}).error().text, "not a TLS report: there are no policies");
    EXPECT_FALSE(parse_tls_report(kOfTheRfc.substr(0, 500), {}));
    EXPECT_EQ(parse_tls_report(text::replace_all(kOfTheRfc, "report-id", "id"), {}).error().text,
              "the report lacks organization-name or report-id");
    EXPECT_EQ(parse_tls_report(text::replace_all(kOfTheRfc, "2016-04-01T00:00:00Z", "yesterday"), {}).error().text,
              "the report lacks start-datetime");
    EXPECT_EQ(parse_tls_report(text::replace_all(kOfTheRfc, "5326", "-1"), {}).error().text,
              "total-successful-session-count is no number of sessions");
    EXPECT_FALSE(parse_tls_report(text::replace_all(kOfTheRfc, "5326", "1e300"), {}));
    EXPECT_FALSE(parse_tls_report(text::replace_all(kOfTheRfc, "\"policy-type\": \"sts\",", ""), {}));
}

TEST(TlsReportJson, DepthSizeAndEntriesAreBounded) {
    EXPECT_FALSE(parse_tls_report("{\"policies\":" + std::string(100'000, '['), {}));
    EXPECT_NE(parse_tls_report(kOfTheRfc, {.size = 4000}).error().text.find("larger than"), std::string::npos);
    EXPECT_EQ(parse_tls_report(kOfTheRfc, {.records = 2}).error().text,
              "the report has more than 2 entries (reports.max_records)");
}

}  // namespace
}  // namespace gk::reports
