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
        {"--domain", &a.domain, "only messages that wait for a recipient in this domain", "DOMAIN"},
        {"--status", &a.status, "only messages that are new, scheduled, active, deferred, held or bouncing", "STATUS"},
        {"--older", &a.older, "only messages that arrived longer ago: 90s, 5m, 4h, 2d", "AGE"},
        {"--newer", &a.newer, "only messages that arrived since", "AGE"},
        {"--account", &a.account, "only messages that this account submitted; @DOMAIN for all of a domain", "ACCOUNT"},
        {"--reason", &a.reason, "only messages whose last failure says this, in any case of letters", "TEXT"},
        {"--next-hop", &a.next_hop, "only messages that go this way, as stats and explain name it", "ROUTE"}};
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
    const auto verb = [&](std::vector<cli::Option> more) {
        for (const auto& option :
             {nul, dry_run, cli::Option{"-y,--yes", &a.yes, "do not ask"},
              cli::Option{"-j,--json", &a.json, "say what became of each as a JSON object a line"}})
            more.push_back(option);
        return with_filters(std::move(more));
    };
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
                       {"-j,--json", &a.json, "one JSON object a line"},
                       {"-0,--null", &a.nul, "ids alone, each ended by NUL"}}),
         {},
         [&] { return queue_tool::list(a); }},
        {"show",
         "show a message's envelope, and every attempt with the peer's words",
         {{"--message", &a.message, "print the message itself"},
          {"--header", &a.header, "print the message's header"},
          {"-j,--json", &a.json, "one JSON object a line"},
          nul},
         {some_ids},
         [&] { return queue_tool::show(a); }},
        {"explain",
         "say why messages are still here, what happens next and when",
         {{"-j,--json", &a.json, "one JSON object a line"}, nul},
         {some_ids},
         [&] { return queue_tool::explain(a); }},
        {"hold", "do not try messages until they are released", verb({}), {ids}, act(queue::Action::Hold)},
        {"release", "end the hold of messages", verb({}), {ids}, act(queue::Action::Release)},
        {"retry", "try messages now", verb({}), {ids}, act(queue::Action::Retry)},
        {"delete", "remove messages; their senders are not told", verb({}), {ids}, act(queue::Action::Delete)},
        {"bounce",
         "give messages up now; their senders are told",
         verb({{"--because", &a.why, "what the senders are told", "TEXT"}}),
         {ids},
         act(queue::Action::Bounce)},
        {"redirect",
         "send messages to others in place of those who wait for them",
         verb({{"--to", &a.to, "who gets it; may be given more than once", "ADDRESS"}}),
         {ids},
         act(queue::Action::Redirect)},
        {"reroute",
         "send messages another way than the settings say",
         verb({{"--via", &a.via, "host:port, [ip]:port, lmtp:unix:/path; mx undoes it", "ROUTE"}}),
         {ids},
         act(queue::Action::Reroute)},
        {"stats",
         "count what waits: for each destination how much, since when, and how things stand with it",
         {{"--by", &a.by, "destination, sender, account, or age: destinations with a column for each age in minutes",
           "WHAT"},
          {"-j,--json", &a.json, "one JSON object a line"}},
         {},
         [&] { return queue_tool::stats(a); }},
        {"drain",
         "begin no deliveries until drain --off, also after a restart; mail is accepted as before",
         {{"--off", &a.off, "begin deliveries again"},
          {"--domain", &a.domain, "only those to this domain", "DOMAIN"},
          {"-j,--json", &a.json, "a JSON object of what is drained"}},
         {},
         [&] { return queue_tool::drain(a); }},
        {"suppress",
         "show and change what is not sent to for queue.bulk_senders: list, add, remove, or import from stdin",
         {{"--account", &a.account, "the sender", "ACCOUNT"},
          {"--because", &a.why, "with add: what the sender is told", "TEXT"},
          {"-j,--json", &a.json, "list as one JSON object a line"}},
         {{"what", &a.what, "list, add, remove or import; import reads lines as list writes them"},
          {"address", &a.ids, "with add and remove", false}},
         [&] { return queue_tool::suppress(a); }},
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
        "gk-queue explain 06G3Z2Q8XJ5K7M9P1R4T  # why it is still here",
        "gk-queue hold --account bob@a.test --newer 1h --yes  # while his password is in strangers' hands",
        "gk-queue stats --by age  # where it piles up",
        "gk-queue show 06G3Z2Q8XJ5K7M9P1R4T  # a message's history"};
    return cli::run(tool, argc, argv);
}
