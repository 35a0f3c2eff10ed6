// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <cstdio>

#include "cmd/gk-dns-check/arguments.hpp"
#include "common/base/log.hpp"
#include "common/base/text.hpp"
#include "common/cli/cli.hpp"

namespace gk::dns_check_tool {

using namespace dnscheck;

namespace {

constexpr std::size_t kMaxShown = 4000;

std::string_view colour(Severity severity) {
    if (!cli::use_colour()) return "";
    return severity == Severity::Error ? "\033[31m" : severity == Severity::Warning ? "\033[33m" : "\033[36m";
}
std::string_view plain() { return cli::use_colour() ? "\033[0m" : ""; }

std::string strings(const std::vector<std::string>& list) {
    std::vector<std::string> quoted;
    for (const auto& each : list) quoted.push_back(log::json_string(each));
    return '[' + text::join(quoted, ",") + ']';
}

void print_json(const Finding& finding) {
    std::vector<std::string> records, changes;
    for (const auto& change : finding.changes) {
        if (change.op == Change::Op::Add) records.push_back(zone_line(change.record));
        changes.push_back(change_json(change, {}));
    }
    fmt::print(R"({{"id":"{}","severity":"{}","domain":{},"name":{},"is":{},"should":{},"why":{},"records":{},)"
               R"("changes":[{}]}})"
               "\n",
               finding.kind->id, severity_name(finding.kind->severity), log::json_string(finding.domain),
               log::json_string(finding.name), log::json_string(finding.is), log::json_string(finding.should),
               log::json_string(finding.kind->why), strings(records), text::join(changes, ","));
}

void print_text(const Finding& finding) {
    fmt::print("{}{:<8}{} {}  {}\n", colour(finding.kind->severity), severity_name(finding.kind->severity), plain(),
               finding.kind->id, finding.name);
    fmt::print("  is:     {}\n  should: {}\n  why:    {}\n", finding.is, finding.should, finding.kind->why);
    for (const auto& change : finding.changes)
        fmt::print("  {} {}\n", change.op == Change::Op::Add ? '+' : '-',
                   text::printable(zone_line(change.record), kMaxShown));
}

}  // namespace

void print_kinds(bool json) {
    cli::Rows rows(json, {"id", "severity", "meaning", "why"});
    for (const auto& kind : kinds())
        rows.add({std::string(kind.id), std::string(severity_name(kind.severity)), std::string(kind.meaning),
                  std::string(kind.why)});
}

void print_report(const Report& report, bool json) {
    std::string domain;
    for (const auto& finding : report.findings) {
        if (json) {
            print_json(finding);
            continue;
        }
        if (finding.domain != domain) fmt::print("{}{}\n", domain.empty() ? "" : "\n", finding.domain);
        domain = finding.domain;
        print_text(finding);
    }
    if (!json) return;
    for (const auto& each : report.unknown)
        fmt::print(R"({{"id":"unknown","severity":"unknown","domain":{},"name":{},"is":{}}})"
                   "\n",
                   log::json_string(each.domain), log::json_string(each.name), log::json_string(each.error));
}

void print_summary(const Report& report) {
    std::fflush(stdout);
    std::size_t counts[3] = {};
    for (const auto& finding : report.findings) ++counts[static_cast<std::size_t>(finding.kind->severity)];
    for (const auto& each : report.unknown)
        fmt::print(stderr, "gk-dns-check: could not tell {}: {}\n", each.name, each.error);
    if (report.findings.empty() && report.unknown.empty()) fmt::print(stderr, "gk-dns-check: all is well\n");
    else
        fmt::print(stderr, "gk-dns-check: errors {}, warnings {}, advice {}, could not tell {}\n", counts[2], counts[1],
                   counts[0], report.unknown.size());
}

void print_zone(const Report& report) {
    const auto changes = report.changes();
    for (const auto& change : changes)
        if (change.op == Change::Op::Delete)
            fmt::print("; remove: {}\n", text::printable(zone_line(change.record), kMaxShown));
    for (const auto& change : changes)
        if (change.op == Change::Op::Add) fmt::print("{}\n", zone_line(change.record));
}

int exit_code(const Report& report) {
    if (report.any(Severity::Warning)) return 1;
    return report.unknown.empty() ? 0 : 75;
}

}  // namespace gk::dns_check_tool
