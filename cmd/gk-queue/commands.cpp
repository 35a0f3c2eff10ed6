// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <algorithm>
#include <boost/json.hpp>

#include "cmd/gk-queue/gk_queue.hpp"
#include "common/base/text.hpp"
#include "common/cli/cli.hpp"
#include "common/config/config.hpp"
#include "common/queue/json.hpp"

namespace gk::queue_tool {
namespace {

namespace json = boost::json;

// For people: a few, and how many there are.
std::string joined(const std::vector<std::string>& recipients, std::size_t total) {
    constexpr std::size_t kFew = 5;
    std::string out;
    for (std::size_t i = 0; i < recipients.size() && i < kFew; ++i)
        out += (i ? "," : "") + text::printable(recipients[i], 100);
    if (total > kFew) out += fmt::format(",… ({})", total);
    return out;
}

// So long ago.
Result<TimePoint> ago(std::string_view option, const std::string& age) {
    const auto seconds = text::to_duration_s(age);
    if (!seconds)
        return fail(Errc::BadInput,
                    fmt::format("{} is an age such as 90s, 5m, 4h or 2d, not '{}'", option, text::printable(age, 60)));
    return now() - std::chrono::seconds(*seconds);
}

}  // namespace

Result<std::unique_ptr<queue::Access>> open(const Arguments& arguments) {
    const auto paths = config::Paths::under(arguments.root);
    return queue::open_access(paths.spool, paths.run + "/queue.sock");
}

Result<queue::Filter> filter_of(const Arguments& a) {
    static const std::vector<std::string> kStatuses = {"new", "scheduled", "active", "deferred", "held", "bouncing"};
    if (!a.status.empty() && std::find(kStatuses.begin(), kStatuses.end(), a.status) == kStatuses.end())
        return fail(Errc::BadInput, fmt::format("--status is one of {}, not '{}'", text::join(kStatuses, ", "),
                                                text::printable(a.status, 60)));
    if (!a.recipient.empty() && !a.domain.empty())
        return fail(Errc::BadInput, "--recipient and --domain ask for the same: give one of them");
    queue::Filter filter;
    filter.sender = a.sender;
    filter.recipient = a.domain.empty() ? a.recipient : "@" + a.domain;
    filter.status = a.status;
    filter.account = a.account;
    filter.reason = a.reason;
    filter.next_hop = a.next_hop;
    filter.limit = static_cast<std::uint64_t>(std::max<std::int64_t>(0, a.limit));
    if (!a.older.empty()) {
        GK_TRY(filter.before, ago("--older", a.older));
    }
    if (!a.newer.empty()) {
        GK_TRY(filter.after, ago("--newer", a.newer));
    }
    return filter;
}

bool has_filter(const Arguments& a) {
    for (const auto* value :
         {&a.sender, &a.recipient, &a.domain, &a.status, &a.account, &a.reason, &a.next_hop, &a.older, &a.newer})
        if (!value->empty()) return true;
    return false;
}

std::vector<std::string> ids_of(const Arguments& arguments) {
    std::vector<std::string> ids;
    for (const auto& operand : arguments.ids) {
        if (operand != "-") {
            ids.push_back(operand);
            continue;
        }
        for (const auto& item : cli::read_items(arguments.nul))
            if (const auto words = text::words(item); !words.empty()) ids.emplace_back(words[0]);
    }
    return ids;
}

int list(const Arguments& arguments) {
    const auto filter = filter_of(arguments);
    if (!filter) return cli::fail(filter.error());
    const auto access = open(arguments);
    if (!access) return cli::fail(access.error());
    cli::Rows rows(false, {"id", "status", "size", "arrival", "next", "attempts", "sender", "recipients", "reason"});
    const auto listed = (*access)->list(*filter, [&](const queue::Summary& s) {
        if (arguments.nul) {
            fmt::print("{}{}", s.id, '\0');
            return;
        }
        if (arguments.json) {
            fmt::print("{}\n", json::serialize(queue::to_json(s)));
            return;
        }
        rows.add({s.id, s.status, static_cast<std::int64_t>(s.size), format_rfc3339(s.arrival),
                  s.next ? format_rfc3339(std::max(*s.next, s.arrival)) : std::string("-"),
                  static_cast<std::int64_t>(s.attempts), s.sender.empty() ? "<>" : s.sender,
                  joined(s.recipients, s.recipients_total), text::printable(s.reason, 120)});
    });
    return listed ? 0 : cli::fail(listed.error());
}

int flush(const Arguments& arguments) {
    const auto access = open(arguments);
    if (!access) return cli::fail(access.error());
    const auto count = (*access)->flush();
    return count ? 0 : cli::fail(count.error());
}

}  // namespace gk::queue_tool
