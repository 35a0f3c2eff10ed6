// SPDX-License-Identifier: MIT
#include <cstdlib>

#include "cmd/gk-queue/gk_queue.hpp"
#include "common/base/log.hpp"
#include "common/cli/cli.hpp"
#include "common/queue/daemon.hpp"

int main(int argc, char** argv) {
    using namespace gk;
    queue_tool::Arguments a;
    const char* const root = std::getenv("GK_ROOT");
    a.root = root != nullptr ? root : "";

    const std::vector<cli::Option> filters = {
        {"--sender", &a.sender,
         "only messages with this reverse-path; @DOMAIN for all of a domain, <> for the null one", "ADDRESS"},
        {"--recipient", &a.recipient, "only messages that wait for this recipient; @DOMAIN for all of a domain",
         "ADDRESS"},
        {"--status", &a.status, "only messages that are new, scheduled, active, deferred, held or bouncing", "STATUS"}};
    const auto with_filters = [&](std::vector<cli::Option> more) {
        more.insert(more.begin(), filters.begin(), filters.end());
        return more;
    };
    const cli::Option nul{"-0,--null", &a.nul, "ids on stdin end with NUL"};
    const cli::Option dry_run{"-n,--dry-run", &a.dry_run, "say what would be done, and do nothing"};
    const cli::Operand ids{
        "id", &a.ids, "queue ids or trace ids; - reads them from stdin, one a line, further columns ignored", false};
    const cli::Operand some_ids{"id", &a.ids,
                                "queue ids or trace ids; - reads them from stdin, one a line, further columns ignored"};
    const auto act = [&a](queue::Action action) { return [&a, action] { return queue_tool::change(a, action); }; };

    cli::Tool tool;
    tool.name = "gk-queue";
    tool.summary = "send what waits in the spool, try again, and return what fails";
    tool.description = "The commands speak to the running daemon, and work on the spool's files where none runs.";
    tool.options = {{"--root", &a.root, "where everything of this gk lives, instead of the system's places", "DIR"}};
    tool.commands = {
        {"serve",
         "deliver until SIGTERM; SIGHUP reads the configuration again",
         {},
         {},
         [&] {
             log::open("gk-queue");
             const auto status = queue::run_daemon(a.root);
             return status ? 0 : cli::fail(status.error());
         }},
        {"list",
         "list the messages that wait",
         with_filters({{"--limit", &a.limit, "at most so many; 0 for all", "N"},
                       {"-j,--json", &a.json, "one JSON object a line"}}),
         {},
         [&] { return queue_tool::list(a); }},
        {"show",
         "show a message's envelope, and every attempt with the peer's words",
         {{"-j,--json", &a.json, "one JSON object a line"}, nul},
         {some_ids},
         [&] { return queue_tool::show(a); }},
        {"hold",
         "do not try messages until they are released",
         with_filters({nul, dry_run}),
         {ids},
         act(queue::Action::Hold)},
        {"release", "end the hold of messages", with_filters({nul, dry_run}), {ids}, act(queue::Action::Release)},
        {"retry", "try messages now", with_filters({nul, dry_run}), {ids}, act(queue::Action::Retry)},
        {"delete",
         "remove messages; their senders are not told",
         with_filters({nul, dry_run, {"-y,--yes", &a.yes, "do not ask"}}),
         {ids},
         act(queue::Action::Delete)},
        {"bounces",
         "list the reports that came back about what accounts sent, the latest first",
         {{"-j,--json", &a.json, "one JSON object a line"}},
         {},
         [&] { return queue_tool::bounces(a); }},
        {"send",
         "send a message from stdin, at once or at a time",
         {{"--from", &a.from, "the sender (reverse-path); the user's own address where not given, <> for the null one",
           "ADDRESS"},
          {"--to", &a.to, "a recipient, or several; without any, those that the header names", "ADDRESS"},
          {"--at", &a.at,
           "not before: +2h, 2027-01-31T09:00:00+01:00, \"2027-01-31 09:00 Europe/Berlin\", \"tomorrow 09:00\"",
           "TIME"}},
         {},
         [&] { return queue_tool::send(a); }},
        {"reschedule",
         "give messages that are scheduled another time",
         {{"--at", &a.at, "as with send", "TIME"}, nul},
         {some_ids},
         [&] { return queue_tool::reschedule(a); }},
        {"flush",
         "try all messages now, but for those that are scheduled",
         {},
         {},
         [&] { return queue_tool::flush(a); }},
    };
    tool.examples = {
        "gk-queue list --status deferred  # what could not be delivered yet, and why",
        "gk-queue list --recipient @b.test | gk-queue retry -  # try all mail for b.test now",
        "gk-queue send --to ann@a.test --at \"tomorrow 09:00\" < message  # leave it to the queue until then",
        "gk-queue show 06G3Z2Q8XJ5K7M9P1R4T  # a message's history"};
    return cli::run(tool, argc, argv);
}
