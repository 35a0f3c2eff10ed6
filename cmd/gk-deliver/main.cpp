// SPDX-License-Identifier: MIT
#include <cstdlib>

#include "cmd/gk-deliver/gk_deliver.hpp"
#include "common/base/log.hpp"
#include "common/cli/cli.hpp"

using namespace gk;

int main(int argc, char** argv) {
    const char* const root = std::getenv("GK_ROOT");
    deliver::LocalDelivery local;
    local.root = root != nullptr ? root : "";

    cli::Tool tool;
    tool.name = "gk-deliver";
    tool.summary = "file messages into the mailboxes of accounts";
    tool.description =
        "Without a command, reads one message from standard input and delivers it to the recipients given with -d; "
        "exit code 0 "
        "means that it is on disk. With serve, answers LMTP (RFC 2033) on the sockets that the service manager hands "
        "over.";
    tool.options = {
        {"--root", &local.root, "where everything of this gk lives, instead of the system's places", "DIR"}};
    tool.options.push_back(
        {"-f,--from", &local.reverse_path, "reverse-path of the message; empty for the null one", "ADDRESS"});
    tool.options.push_back(
        {"-d,--recipient", &local.recipients, "deliver to this address; may be repeated", "ADDRESS"});
    tool.options.push_back(
        {"--mailbox", &local.mailbox, "file it there, not in INBOX or the sub-address's mailbox", "NAME"});
    tool.options.push_back({"-n,--dry-run", &local.dry_run, "say what would happen, and do nothing"});
    tool.options.push_back({"-j,--json", &local.json, "with --dry-run: one JSON object a line"});
    tool.commands.push_back(
        {.name = "serve", .summary = "answer LMTP until SIGTERM", .run = [&] { return deliver::serve(local.root); }});
    tool.examples = {"gk-deliver -f bob@b.test -d ann@a.test < message  # deliver one message",
                     "gk-deliver -d ann+lists@a.test --dry-run < message  # say where it would go"};
    tool.run = [&] { return deliver::deliver_stdin(local); };
    return cli::run(tool, argc, argv);
}
