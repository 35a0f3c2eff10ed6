// SPDX-License-Identifier: MIT
#include "cmd/gk-tlsrpt/show.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/cli/cli.hpp"
#include "common/reports/tls_json.hpp"

namespace gk::tlsrpt_tool {

using namespace reports;

namespace {

std::string policy_words(std::string_view type) {
    if (type == "sts") return "by MTA-STS";
    if (type == "tlsa") return "by DANE";
    if (type == "no-policy-found") return "without a policy";
    return text::printable(type, 40);
}

void print(const TlsSum& sum, const std::vector<TlsFailureSum>& failures) {
    const std::int64_t sessions = sum.successes + sum.failures;
    fmt::print("{} {}: {}, {} failed, in {}\n", text::printable(sum.domain), policy_words(sum.policy_type),
               counted(sessions, "session"), sum.failures == 0 ? "none" : std::to_string(sum.failures),
               counted(sum.reports, "report"));
    for (const auto& failure : failures) {
        if (failure.domain != sum.domain || failure.policy_type != sum.policy_type) continue;
        fmt::print("  {:>8}  {}", failure.sessions, text::printable(failure.result));
        if (!failure.receiving_mx.empty()) fmt::print(" at {}", text::printable(failure.receiving_mx));
        if (!failure.reason_code.empty()) fmt::print(" ({})", text::printable(failure.reason_code));
        fmt::print("\n");
    }
}

}  // namespace

int report(const ToolArguments& a) {
    const auto choice = choice_of(a);
    if (!choice) return cli::usage(choice.error().text);
    auto store = open_for_report(a);
    if (!store) return cli::fail(store.error());
    std::vector<TlsSum> sums;
    std::vector<TlsFailureSum> failures;
    if (auto done = store->tls_sums(*choice, [&](const TlsSum& sum) { sums.push_back(sum); }); !done)
        return cli::fail(done.error());
    if (auto done = store->tls_failures(*choice, [&](const TlsFailureSum& sum) { failures.push_back(sum); }); !done)
        return cli::fail(done.error());
    if (sums.empty()) fmt::print(stderr, "no report says anything of that\n");
    if (a.json) {
        cli::Rows rows(true, {"domain", "policy_type", "successes", "failures", "reports"});
        for (const auto& sum : sums) rows.add({sum.domain, sum.policy_type, sum.successes, sum.failures, sum.reports});
        cli::Rows detail(true, {"domain", "policy_type", "result", "receiving_mx", "reason_code", "sessions"});
        for (const auto& f : failures)
            detail.add({f.domain, f.policy_type, f.result, f.receiving_mx, f.reason_code, f.sessions});
    } else {
        for (const auto& sum : sums) print(sum, failures);
    }
    return sums.empty() ? 1 : 0;
}

int show(const ToolArguments& a, const std::string& id) {
    const auto number = text::to_int(id);
    if (!number)
        return cli::usage(
            fmt::format("'{}' is no number of a report: see gk-tlsrpt received", text::printable(id, 40)));
    auto store = open_for_report(a);
    if (!store) return cli::fail(store.error());
    const auto report = store->tls_report(*number);
    if (!report) return cli::fail(report.error());
    if (!*report) return cli::fail(Error{Errc::NotFound, fmt::format("there is no TLS report {}", *number), 0});
    if (a.json) {
        fmt::print("{}\n", format_tls_report(**report));
        return 0;
    }
    const TlsReport& r = **report;
    fmt::print("{} <{}> for {} to {}\n", text::printable(r.organization), text::printable(r.contact),
               day_text(r.begin_s), day_text(r.end_s));
    for (const auto& policy : r.policies) {
        fmt::print("{} {}: {} good, {} failed\n", text::printable(policy.domain), policy_words(policy.type),
                   counted(static_cast<std::int64_t>(policy.successes), "session"), policy.failures);
        for (const auto& line : policy.strings) fmt::print("  | {}\n", text::printable(line, 500));
        for (const auto& failure : policy.details) {
            fmt::print("  {:>8}  {} at {} [{}] from [{}]", failure.count, text::printable(failure.result),
                       text::printable(failure.receiving_mx), text::printable(failure.receiving_ip),
                       text::printable(failure.sending_ip));
            if (!failure.reason_code.empty()) fmt::print(" ({})", text::printable(failure.reason_code));
            if (!failure.additional.empty()) fmt::print(": {}", text::printable(failure.additional));
            fmt::print("\n");
        }
    }
    return 0;
}

}  // namespace gk::tlsrpt_tool
