// SPDX-License-Identifier: MIT
#include "common/message/delivery_report.hpp"

#include "common/base/text.hpp"

namespace gk::message {
namespace {

const std::string kReport =
    "From: MAILER-DAEMON@mx.b.test\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
    "--b\r\n\r\nIt failed.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
    "Original-Envelope-Id: QUEUEID1\r\nReporting-MTA: dns; mx.b.test\r\n\r\n"
    "Original-Recipient: rfc822; bob@b.test\r\nFinal-Recipient: rfc822;robert@c.test\r\nAction: Failed\r\n"
    "Status: 5.1.1 (no such user)\r\nDiagnostic-Code: smtp; 550 5.1.1\r\n no such user\r\n\r\n"
    "Final-Recipient: RFC822; <bea@b.test>\r\nAction: delayed\r\nStatus: 4.4.1\r\n\r\n"
    "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\nMessage-ID: <1@a.test>\r\n\r\nbody\r\n--b--\r\n";

TEST(DeliveryReport, IsTakenApart) {
    const auto report = parse_delivery_report(kReport);
    ASSERT_TRUE(report);
    EXPECT_EQ(report->envelope_id, "QUEUEID1");
    EXPECT_EQ(report->reporting_mta, "mx.b.test");
    EXPECT_EQ(report->message_id, "<1@a.test>");
    ASSERT_EQ(report->recipients.size(), 2u);
    EXPECT_EQ(report->recipients[0].original, "bob@b.test");
    EXPECT_EQ(report->recipients[0].final, "robert@c.test");
    EXPECT_EQ(report->recipients[0].action, "failed");
    EXPECT_EQ(report->recipients[0].status, "5.1.1");
    EXPECT_EQ(report->recipients[0].diagnostic, "550 5.1.1 no such user");
    EXPECT_EQ(report->recipients[1].final, "bea@b.test");
    EXPECT_EQ(report->recipients[1].original, "");
}

TEST(DeliveryReport, InternationalizedAndEncodedOnesToo) {
    const auto utf8 = text::replace_all(
        text::replace_all(kReport, "message/delivery-status",
                          "message/global-delivery-status\r\nContent-Transfer-Encoding: quoted-printable"),
        "rfc822; bob@", "utf-8; b=C3=B6b\\x{F6}@");
    const auto report = parse_delivery_report(text::replace_all(utf8, "message/rfc822", "text/rfc822-headers"));
    ASSERT_TRUE(report);
    EXPECT_EQ(report->recipients.at(0).original,
              "b\xC3\xB6"
              "b\xC3\xB6@b.test");
    EXPECT_EQ(report->message_id, "<1@a.test>");
}

TEST(DeliveryReport, OtherMailIsNone) {
    EXPECT_FALSE(parse_delivery_report("Subject: Undelivered Mail\r\n\r\n550 5.1.1 no such user\r\n"));
    EXPECT_FALSE(parse_delivery_report(text::replace_all(kReport, "message/delivery-status", "text/plain")));
    EXPECT_FALSE(parse_delivery_report(text::replace_all(kReport, "multipart/report", "multipart/mixed")));
    EXPECT_FALSE(parse_delivery_report(""));
}

TEST(DeliveryReport, IsBounded) {
    std::string many;
    for (int i = 0; i < 500; ++i)
        many += "\r\nFinal-Recipient: rfc822; x@b.test\r\nDiagnostic-Code: smtp; " + std::string(3000, 'y') + "\r\n";
    const auto at = kReport.find("\r\nOriginal-Recipient");
    const auto report = parse_delivery_report(kReport.substr(0, at) + many + kReport.substr(at));
    ASSERT_TRUE(report);
    EXPECT_LE(report->recipients.size(), kMostReported);
    EXPECT_LE(report->recipients[0].diagnostic.size(), 1000u);
}

}  // namespace
}  // namespace gk::message
