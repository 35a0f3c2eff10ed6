// SPDX-License-Identifier: MIT
#include <cstdlib>

#include "common/base/log.hpp"
#include "common/cli/cli.hpp"
#include "common/imap/host/parent.hpp"
#include "common/imap/host/stdio.hpp"

using namespace gk;

int main(int argc, char** argv) {
    const char* const root = std::getenv("GK_ROOT");
    imap::StdioSession one;
    one.root = root != nullptr ? root : "";
    bool on_stdio = false;

    const auto stdio = [&] {
        if (one.account.empty()) return cli::usage("--account says whose mail it is");
        const Status served = imap::serve_stdio(one);
        return served ? 0 : cli::fail(served.error());
    };

    cli::Tool tool;
    tool.name = "gk-imapd";
    tool.summary = "serve mailboxes by IMAP";
    tool.description =
        "With serve, takes connections that gk-frontd has logged in, and gives each a confined process of its own. "
        "With --stdio, "
        "speaks IMAP for one account on standard input and output, already logged in, as mbsync's Tunnel wants it.";
    tool.options = {{"--root", &one.root, "where everything of this gk lives, instead of the system's places", "DIR"},
                    {"--stdio", &on_stdio, "one session on standard input and output"},
                    {"--account", &one.account, "with --stdio: the account", "ADDRESS"}};
    tool.commands.push_back(
        {.name = "serve", .summary = "serve the sessions that gk-frontd hands over until SIGTERM", .run = [&] {
             log::open("gk-imapd");
             const Status served = imap::serve_parent(one.root);
             return served ? 0 : cli::fail(served.error());
         }});
    tool.commands.push_back({.name = "stdio", .summary = "the same as --stdio", .run = stdio});
    tool.examples = {"gk-imapd --stdio --account ann@a.test  # talk IMAP by hand",
                     "ssh mx gk-imapd --stdio --account ann@a.test  # the Tunnel of an mbsync far away"};
    tool.run = [&] { return on_stdio ? stdio() : cli::usage("say serve or --stdio"); };
    return cli::run(tool, argc, argv);
}
