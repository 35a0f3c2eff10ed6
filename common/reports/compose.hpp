// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "common/base/time.hpp"
#include "common/reports_log/observations.hpp"

// Reports as messages, and their names.
namespace gk::reports {

struct ReportName {
    Kind kind = Kind::Dmarc;
    std::string submitter;  // the domain that reports: that of the sender's address
    std::string domain;     // the policy domain
    std::int64_t begin_s = 0, end_s = 0;
    std::string report_id;  // letters and digits

    // "mx.b.test!a.test!1795737600!1795823999!ID.xml.gz" (RFC 9990, 3.5.2; RFC 8460, 5.1)
    std::string file_name() const;
    // "Report Domain: a.test Submitter: mx.b.test Report-ID: <ID@mx.b.test>"
    std::string subject() const;
};

struct Sender {
    std::string address;       // reports.sender
    std::string organization;  // for people
};

// The message to one address; the same report gives the same message. GZIP is the packed report.
std::string compose_report(const ReportName& name, const Sender& sender, std::string_view to, std::string_view summary,
                           std::string_view gzip, TimePoint when);

// The same id for the same report, so that one that is sent again is known for what it is.
std::string report_id_of(Kind kind, std::string_view sender, std::string_view domain, std::int64_t day);

}  // namespace gk::reports
