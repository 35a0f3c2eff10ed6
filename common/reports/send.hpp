// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "common/config/config.hpp"
#include "common/mailauth/dns_source.hpp"
#include "common/reports/store.hpp"

// Sends what is due: for each finished UTC day of observations, a report for each policy domain to each address that it
// names, into the spool or by HTTPS.
//
// A day is never lost and nothing is sent twice, whatever ends the program: each report to each address has a row in
// reports.db; its message is written and synced in spool/reports/outbox, then the row says so, then one rename puts it
// into the spool. Where the outbox has no file for such a row, the rename was done. (An HTTPS request that was under
// way is sent again: its report-id tells the receiver.) The day's file is put aside when all its rows are final.
namespace gk::reports {

struct SendSettings {
    static Result<SendSettings> from(const config::Config& config);

    std::string sender;  // empty: nothing is sent
    std::string contact, organization;
    bool dmarc = true, tls = true;
    std::uint64_t max_message = 10u << 20;
    std::size_t rows = 200'000;
    std::int64_t keep_observations_s = 7 * 86400;
    std::int64_t keep_s = 400 * 86400;
    bool https_private = false;
    // Of a run, which begins with the oldest day; what is left then waits for the next run. And of the answers that we
    // wait for, by DNS and HTTPS, about one domain.
    std::chrono::seconds run_time{30 * 60}, domain_time{60};
    std::string spool;      // the spool
    std::string directory;  // spool/reports
    std::string database;   // reports.db
};

// What became of one report to one address; for people, and for `--json`.
struct SendLine {
    Outgoing outgoing;
    std::string file_name;
    std::size_t size = 0;  // of the message
    bool dry = false;      // it was only looked at
};

struct SendTotals {
    std::uint64_t sent = 0, skipped = 0, retry = 0;
    std::uint64_t bad_lines = 0;
    std::uint64_t without_report = 0;  // observations of more policy domains than there is room for
};

// DRY changes nothing, and says what would be sent; REPORT gets the XML or JSON of each, unpacked, where it is set.
// Errors: Config (no sender), Temporary (another send is running, disk …).
using OnLine = std::function<void(const SendLine&)>;
using OnReport = std::function<void(const SendLine&, std::string_view report)>;
Result<SendTotals> send_reports(Kind kind, const SendSettings& settings, mailauth::DnsSource& dns, TimePoint now,
                                bool dry, const OnLine& on_line, const OnReport& on_report = {});

}  // namespace gk::reports
