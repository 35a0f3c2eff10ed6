// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/base/time.hpp"

// What reports to others are made of: one observation is one line of JSON, appended to the file of its UTC day in
// spool/reports by the daemon that saw it, and read by `gk-dmarc send` and `gk-tlsrpt send` when the day is over.
// Values are the words of the RFCs; what is empty was not there, and is left out of the line.
namespace gk::reports {

struct OverrideReason {  // RFC 9990, 3.1.1.13
    std::string type;    // local_policy, mailing_list, other, policy_test_mode, trusted_forwarder
    std::string comment;
    bool operator==(const OverrideReason&) const = default;
};

struct DkimObserved {
    std::string domain, selector;  // d=, s=
    std::string result;            // RFC 8601, 2.7.1
    bool operator==(const DkimObserved&) const = default;
};

struct SpfObserved {
    std::string domain;
    std::string scope = "mfrom";  // mfrom, helo
    std::string result;           // RFC 8601, 2.7.2
    bool operator==(const SpfObserved&) const = default;
};

// One message to whose From domain a DMARC record applied. Where recipients of one message are in several domains,
// one observation for each of these.
struct DmarcObservation {
    TimePoint at{};                                  // unset: now
    std::string source_ip;                           // of the client: "192.0.2.1", "2001:db8::1"
    std::string envelope_from, envelope_to;          // domains; a null reverse-path has none
    std::string header_from;                         // the From field's domain, in A-labels
    std::string policy_domain;                       // where the record was found
    std::string organizational_domain;               // of the policy domain: who may be reported to without asking
    std::string p, sp, np, adkim, aspf;              // as published; empty: the tag was not there
    std::string t, fo;                               // t: y, n
    std::string discovery_method;                    // treewalk, psl
    std::string disposition;                         // what was done: none, pass, quarantine, reject
    bool dkim_aligned = false, spf_aligned = false;  // passed, and in alignment
    std::vector<OverrideReason> reasons;
    std::vector<DkimObserved> dkim;  // those that count first: what does not fit into a line is left out from the end
    std::optional<SpfObserved> spf;
    std::vector<std::string> rua;  // URIs as published, "!10m" included
    bool is_report = false;        // see is_report
    bool operator==(const DmarcObservation&) const = default;
};

// One session, or attempt at one, with a host of a policy domain (RFC 8460, 4.3 and 4.4).
struct TlsObservation {
    TimePoint at{};                        // unset: now
    std::string policy_domain;             // the recipients' domain, in A-labels, whatever the policy's type
    std::string policy_type;               // sts, tlsa, no-policy-found
    std::vector<std::string> policy;       // lines of the MTA-STS policy, or TLSA records as text
    std::vector<std::string> mx_patterns;  // mx-host: the policy's mx lines
    std::string result;                    // success, or a result type of RFC 8460, 4.3: starttls-not-supported …
    std::string sending_ip;                // ours
    std::string receiving_mx, receiving_ip, receiving_helo;
    std::string reason_code;       // failure-reason-code
    std::string additional;        // additional-information
    std::vector<std::string> rua;  // URIs of _smtp._tls.DOMAIN where known; empty: `send` looks them up
    bool is_report = false;        // see is_report
    bool operator==(const TlsObservation&) const = default;
};

// Whether the message with this header block is a DMARC or TLS report. Reports are counted, but a day that saw nothing
// else of a domain is no reason for one: two servers would tell each other of their reports for ever.
bool is_report(std::string_view header_block);

constexpr std::size_t kLineLimit = 4096;  // with its LF

// The line, LF included, of at most kLineLimit bytes: strings are cut, and entries of lists left out from the end,
// until it fits. Bytes that are not UTF-8, and control characters, are escaped. BadInput where what a report cannot do
// without is missing: source_ip, header_from, policy_domain, disposition; policy_domain, policy_type, result.
Result<std::string> format(const DmarcObservation& observation);
Result<std::string> format(const TlsObservation& observation);

// Appends the line to DIR/dmarc-YYYYMMDD.jsonl or DIR/tlsrpt-YYYYMMDD.jsonl of its UTC day, in one write that those of
// other threads and processes do not mix with; DIR (spool/reports) is made if missing. Not synced: a report may miss
// what was seen in the seconds before a power loss. Any thread. An error is the caller's to log and forget: mail does
// not wait for statistics. Where DIR is empty nobody sends such reports, and nothing is written.
Status append(const std::string& reports_dir, const DmarcObservation& observation);
Status append(const std::string& reports_dir, const TlsObservation& observation);

// One line, with or without its LF. BadInput for anything that `format` does not write.
Result<DmarcObservation> parse_dmarc(std::string_view line);
Result<TlsObservation> parse_tls(std::string_view line);

struct LinesRead {
    std::uint64_t good = 0;
    std::uint64_t bad = 0;  // torn, too long or not ours: passed over
};

// Reads a file of lines, of which only one is in memory. EACH may end the reading with an error. NotFound where the
// file is not there.
Result<LinesRead> read_dmarc(const std::string& path, const std::function<Status(DmarcObservation)>& each);
Result<LinesRead> read_tls(const std::string& path, const std::function<Status(TlsObservation)>& each);

enum class Kind { Dmarc, Tls };
std::string file_name(Kind kind, std::int64_t day);  // days since 1970-01-01: "dmarc-20261128.jsonl"

struct DayFile {
    std::int64_t day;  // days since 1970-01-01
    std::string path;
};
// The files of KIND, oldest first; empty where the directory is not there.
Result<std::vector<DayFile>> day_files(const std::string& reports_dir, Kind kind);

}  // namespace gk::reports
