// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <unistd.h>
#include <boost/json.hpp>

#include "cmd/gk-queue/gk_queue.hpp"
#include "common/base/text.hpp"
#include "common/cli/cli.hpp"

namespace gk::queue_tool {
namespace {

namespace json = boost::json;

// What cannot be taken back is asked about always; what chooses by a filter, where a person is there to answer.
bool may(const Arguments& arguments, queue::Action action, std::size_t count) {
    const bool is_final = action == queue::Action::Delete || action == queue::Action::Bounce;
    const bool asks = is_final || has_filter(arguments);
    if (!asks || count == 0) return true;
    if (!is_final && ::isatty(STDIN_FILENO) == 0) return true;
    const std::string_view what = action == queue::Action::Delete   ? " from the queue? The senders will not be told"
                                  : action == queue::Action::Bounce ? "? The senders are told that it was not delivered"
                                                                    : "?";
    return cli::confirm(
        fmt::format("{} {} message{}{}", queue::action_name(action), count, count == 1 ? "" : "s", what),
        arguments.yes);
}

void report(const Arguments& arguments, queue::Action action, const std::string& id, const Status& done) {
    if (!arguments.json) {
        if (done) fmt::print("{}\t{}\n", id, queue::action_name(action));
        return;
    }
    json::object object{
        {"v", 1}, {"id", id}, {"command", std::string(queue::action_name(action))}, {"done", done.has_value()}};
    if (!done) {
        object["code"] = std::string(errc_name(done.error().code));
        object["error"] = done.error().text;
    }
    fmt::print("{}\n", json::serialize(object));
}

}  // namespace

int change(const Arguments& arguments, queue::Action action) {
    if (action == queue::Action::Redirect && arguments.to.empty()) return cli::usage("redirect needs --to ADDRESS");
    if (action == queue::Action::Reroute && arguments.via.empty())
        return cli::usage("reroute needs --via ROUTE, or --via mx to undo it");
    const auto filter = filter_of(arguments);
    if (!filter) return cli::fail(filter.error());
    const auto access = open(arguments);
    if (!access) return cli::fail(access.error());
    auto ids = ids_of(arguments);
    if (has_filter(arguments)) {
        const auto listed = (*access)->list(*filter, [&](const queue::Summary& s) { ids.push_back(s.id); });
        if (!listed) return cli::fail(listed.error());
    } else if (arguments.ids.empty()) {
        return cli::usage("name queue ids, '-' for those on stdin, or choose by --sender, --recipient, --status, …");
    }
    if (arguments.dry_run) {
        for (const auto& id : ids) fmt::print("{} {}\n", queue::action_name(action), id);
        return 0;
    }
    if (!may(arguments, action, ids.size()))
        return cli::fail({Errc::Denied, "nothing was changed; --yes says it without a question"});
    queue::Command command(action);
    command.to = arguments.to;
    command.via = arguments.via;
    command.reason = arguments.why;
    int code = 0;
    for (const auto& id : ids) {
        const auto done = (*access)->change(command, id);
        report(arguments, action, id, done);
        if (!done) code = cli::fail(done.error());
    }
    return code;
}

}  // namespace gk::queue_tool
