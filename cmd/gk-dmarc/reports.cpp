// SPDX-License-Identifier: MIT
#include "cmd/gk-dmarc/commands.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/reports/tool.hpp"

namespace gk::dmarc_tool {

using namespace reports;

namespace {

// "97.2 %"; all and none only where that is so.
std::string share(std::int64_t part, std::int64_t whole) {
    if (whole == 0 || part == whole) return "100 %";
    if (part == 0) return "0 %";
    const double percent = std::clamp(100.0 * static_cast<double>(part) / static_cast<double>(whole), 0.1, 99.9);
    return fmt::format("{:.1f} %", percent);
}

// What became of a source's messages, in words.
std::string story(const SourceSum& sum) {
    const std::int64_t failed = sum.messages - sum.passed;
    std::string out = failed == 0              ? "all pass"
                      : failed == sum.messages ? (sum.messages == 1 ? "fails" : "all fail")
                                               : fmt::format("{} fail", failed);
    if (sum.passed > 0) {
        const auto by = [&](std::int64_t count) {
            return count == sum.messages ? std::string("all") : std::to_string(count);
        };
        out += fmt::format(" (DKIM {}, SPF {})", by(sum.dkim), by(sum.spf));
    }
    if (sum.quarantine > 0) out += fmt::format(", {} quarantined", sum.quarantine);
    if (sum.reject > 0) out += fmt::format(", {} rejected", sum.reject);
    if (sum.overridden > 0) out += fmt::format(", {} by an exception of the receiver", sum.overridden);
    return out;
}

void print_domain(const std::vector<SourceSum>& sums) {
    std::int64_t messages = 0, passed = 0;
    for (const auto& sum : sums) {
        messages += sum.messages;
        passed += sum.passed;
    }
    fmt::print("{}: {}, {} pass DMARC, from {}\n", text::printable(sums.front().domain), counted(messages, "message"),
               share(passed, messages), counted(static_cast<std::int64_t>(sums.size()), "source"));
    std::size_t width = 0;
    for (const auto& sum : sums) width = std::max(width, sum.source_ip.size());
    for (const auto& sum : sums) {
        fmt::print("  {:{}}  {:>8}  {}", text::printable(sum.source_ip), width, sum.messages, story(sum));
        if (sum.header_from != sum.domain) fmt::print("; as {}", text::printable(sum.header_from));
        if (!sum.names.empty()) fmt::print("; seen {}", text::printable(sum.names));
        fmt::print("\n");
    }
}

int report(const ToolArguments& a) {
    const auto choice = choice_of(a);
    if (!choice) return cli::usage(choice.error().text);
    auto store = open_for_report(a);
    if (!store) return cli::fail(store.error());
    cli::Rows rows(true, {"domain", "header_from", "source_ip", "messages", "passed", "dkim_aligned", "spf_aligned",
                          "delivered", "quarantined", "rejected", "overridden", "reports", "names"});
    std::vector<SourceSum> sums;  // of one domain
    bool any = false;
    const auto listed = store->sources(*choice, [&](const SourceSum& sum) {
        any = true;
        if (a.json) {
            rows.add({sum.domain, sum.header_from, sum.source_ip, sum.messages, sum.passed, sum.dkim, sum.spf, sum.none,
                      sum.quarantine, sum.reject, sum.overridden, sum.reports, sum.names});
            return;
        }
        if (!sums.empty() && sums.front().domain != sum.domain) {
            print_domain(sums);
            sums.clear();
        }
        sums.push_back(sum);
    });
    if (!listed) return cli::fail(listed.error());
    if (!sums.empty()) print_domain(sums);
    if (!any) fmt::print(stderr, "no report says anything of that\n");
    return any ? 0 : 1;
}

}  // namespace

std::vector<cli::Command> report_commands(const Common& common) {
    static ToolArguments a;
    const auto with = [&common](int (*run)(const ToolArguments&)) {
        return [&common, run] {
            a.dns = common.dns;
            a.json = common.json;
            return run(a);
        };
    };
    const cli::Option since{"--since", &a.since, "only of reports whose period ended since: 2026-11-27, 30d", "TIME"};
    const cli::Option domain{"-d,--domain", &a.domain, "only of this domain and what lies below", "DOMAIN"};
    return {
        {.name = "send",
         .summary = "send aggregate reports for the days that are over",
         .options = {{"-n,--dry-run", &a.dry_run, "say what would be sent, and send nothing"},
                     {"--print", &a.print, "write the XML of what would be sent, and send nothing"}},
         .run = with([](const ToolArguments& arguments) { return reports::send_command(Kind::Dmarc, arguments); })},
        {.name = "ingest",
         .summary = "take in reports that others sent, as messages or files",
         .options = {{"-a,--account", &a.account, "from the mailbox of this account: what is new there", "ADDRESS"},
                     {"-m,--mailbox", &a.mailbox, "that mailbox, in place of INBOX", "NAME"}},
         .operands = {{"file", &a.files,
                       "a message, or a report itself, packed or not; standard input where none is given", false}},
         .run = with(reports::ingest_command)},
        {.name = "report",
         .summary = "say what the reports say of each source of our mail",
         .options = {domain, since},
         .run = with(report)},
        {.name = "received",
         .summary = "list the reports that came in",
         .options = {domain, since},
         .run = with([](const ToolArguments& arguments) { return reports::received_command(Kind::Dmarc, arguments); })},
        {.name = "sent",
         .summary = "list the reports that were sent, and why others were not",
         .run = with([](const ToolArguments& arguments) { return reports::sent_command(Kind::Dmarc, arguments); })}};
}

}  // namespace gk::dmarc_tool
