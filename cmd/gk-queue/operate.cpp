// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <boost/json.hpp>

#include "cmd/gk-queue/gk_queue.hpp"
#include "common/base/text.hpp"
#include "common/cli/cli.hpp"

namespace gk::queue_tool {
namespace {

namespace json = boost::json;

json::object stat_object(const queue::Stat& s, queue::By by) {
    json::object object{{"v", 1},         {"name", s.name}, {"messages", s.messages},
                        {"held", s.held}, {"size", s.size}, {"reason", s.reason}};
    if (by == queue::By::Age) {
        json::object ages;
        for (std::size_t i = 0; i < queue::kAgeMinutes.size(); ++i)
            ages[fmt::format("{}m", queue::kAgeMinutes[i])] = s.ages[i];
        ages["more"] = s.ages.back();
        object["ages"] = std::move(ages);
    }
    object["oldest"] = format_rfc3339(s.oldest);
    if (s.next) object["next"] = format_rfc3339(std::max(*s.next, s.oldest));
    if (!s.route.empty()) object["route"] = s.route;
    if (!s.state.empty()) {
        object["state"] = s.state;
        object["sessions"] = s.sessions;
    }
    if (s.until != TimePoint{}) object["until"] = format_rfc3339(s.until);
    return object;
}

std::string drained_line(const queue::Drained& drained) {
    if (drained.contains("*")) return "no deliveries begin: everything is drained";
    return "no deliveries begin to: " + text::join({drained.begin(), drained.end()}, ", ");
}

void print_ages(const std::vector<queue::Stat>& stats) {
    std::vector<std::string> columns = {"destination", "total"};
    for (const auto minutes : queue::kAgeMinutes) columns.push_back(std::to_string(minutes));
    columns.push_back(fmt::format("{}+", queue::kAgeMinutes.back()));
    cli::Rows rows(false, columns);
    queue::Stat total;
    const auto add = [&](const std::string& name, const queue::Stat& s) {
        std::vector<cli::Rows::Cell> cells = {name, static_cast<std::int64_t>(s.messages)};
        for (const auto count : s.ages) cells.emplace_back(static_cast<std::int64_t>(count));
        rows.add(std::move(cells));
    };
    for (const auto& s : stats) {
        total.messages += s.messages;
        for (std::size_t i = 0; i < s.ages.size(); ++i) total.ages[i] += s.ages[i];
    }
    add("TOTAL", total);
    for (const auto& s : stats) add(s.name, s);
}

void print_stats(const std::vector<queue::Stat>& stats) {
    cli::Rows rows(false, {"name", "messages", "held", "oldest", "next", "sessions", "state", "reason"});
    for (const auto& s : stats)
        rows.add({s.name, static_cast<std::int64_t>(s.messages), static_cast<std::int64_t>(s.held),
                  format_rfc3339(s.oldest), s.next ? format_rfc3339(std::max(*s.next, s.oldest)) : std::string("-"),
                  static_cast<std::int64_t>(s.sessions),
                  s.until != TimePoint{} ? fmt::format("{} until {}", s.state, format_rfc3339(s.until))
                  : s.state.empty()      ? std::string("-")
                                         : s.state,
                  text::printable(s.reason, 120)});
}

}  // namespace

int stats(const Arguments& arguments) {
    queue::By by = queue::By::Destination;
    if (arguments.by == "sender") by = queue::By::Sender;
    else if (arguments.by == "account") by = queue::By::Account;
    else if (arguments.by == "age") by = queue::By::Age;
    else if (arguments.by != "destination") return cli::usage("--by is destination, sender, account or age");
    const auto access = open(arguments);
    if (!access) return cli::fail(access.error());
    const auto drained = (*access)->drain({});
    if (!drained) return cli::fail(drained.error());
    const auto found = (*access)->stats(by);
    if (!found) return cli::fail(found.error());
    if (!drained->empty() && !arguments.json) fmt::print(stderr, "gk-queue: {}\n", drained_line(*drained));
    if (arguments.json)
        for (const auto& stat : *found) fmt::print("{}\n", json::serialize(stat_object(stat, by)));
    else if (arguments.by == "age") print_ages(*found);
    else print_stats(*found);
    return 0;
}

int drain(const Arguments& arguments) {
    const auto access = open(arguments);
    if (!access) return cli::fail(access.error());
    const auto drained = (*access)->drain(queue::DrainChange{!arguments.off, arguments.domain});
    if (!drained) return cli::fail(drained.error());
    if (arguments.json)
        fmt::print("{}\n", json::serialize(json::object{{"v", 1}, {"drained", json::value_from(*drained)}}));
    else fmt::print("{}\n", drained->empty() ? "deliveries begin as usual" : drained_line(*drained));
    return 0;
}

}  // namespace gk::queue_tool
