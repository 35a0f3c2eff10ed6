// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/reports_log/observations.hpp"

// Reports as values, whether gk wrote them or others did. Text from others is UTF-8, without control characters, and
// cut.
namespace gk::reports {

// DMARC aggregate reports (RFC 9990; RFC 7489, appendix C, for older ones).
struct AggregateHead {
    std::string organization, email, extra_contact, report_id;
    std::int64_t begin_s = 0, end_s = 0;
    std::string error, generator;

    // policy_published; empty: not said
    std::string domain, discovery_method;
    std::string p, sp, np, adkim, aspf, testing, fo;
    bool operator==(const AggregateHead&) const = default;
};

struct AggregateRecord {
    std::string source_ip;
    std::uint64_t count = 0;
    std::string disposition;
    bool dkim_aligned = false, spf_aligned = false;
    std::vector<OverrideReason> reasons;
    std::string header_from, envelope_from, envelope_to;
    std::vector<DkimObserved> dkim;
    std::vector<SpfObserved> spf;
    bool operator==(const AggregateRecord&) const = default;
};

// SMTP TLS reports (RFC 8460, 4.4).
struct TlsFailure {
    std::string result, sending_ip, receiving_mx, receiving_helo, receiving_ip;
    std::uint64_t count = 0;
    std::string additional, reason_code;
    bool operator==(const TlsFailure&) const = default;
};

struct TlsPolicy {
    std::string type, domain;
    std::vector<std::string> strings, mx_hosts;
    std::uint64_t successes = 0, failures = 0;
    std::vector<TlsFailure> details;
    bool operator==(const TlsPolicy&) const = default;
};

struct TlsReport {
    std::string organization, contact, report_id;
    std::int64_t begin_s = 0, end_s = 0;
    std::vector<TlsPolicy> policies;
    bool operator==(const TlsReport&) const = default;
};

// What a report from outside may cost; see the settings reports.max_….
struct ParseLimits {
    std::uint64_t size = 64u << 20;     // of the report, unpacked
    std::uint64_t ratio = 500;          // unpacked to packed, past the first megabyte
    std::uint64_t records = 1'000'000;  // of one report; for TLS, failure details and policies together
    std::size_t text = 1000;            // octets of one value; the rest is dropped
    unsigned depth = 32;                // elements in elements
};

// TEXT as reports keep it: valid UTF-8, no control characters, at most LIMIT octets.
std::string clean(std::string_view text, std::size_t limit = 1000);

}  // namespace gk::reports
