// SPDX-License-Identifier: MIT
#include <cstdlib>

#include "common/base/log.hpp"
#include "common/cli/cli.hpp"
#include "common/managesieve/host/serve.hpp"

using namespace gk;

int main(int argc, char** argv) {
    const char* const from = std::getenv("GK_ROOT");
    std::string root = from != nullptr ? from : "", account;
    bool on_stdio = false;

    const auto stdio = [&] {
        if (account.empty()) return cli::usage("--account says whose scripts they are");
        const Status served = managesieve::serve_stdio(root, account);
        return served ? 0 : cli::fail(served.error());
    };

    cli::Tool tool;
    tool.name = "gk-sieved";
    tool.summary = "let accounts edit their Sieve scripts (ManageSieve)";
    tool.description =
        "With serve, takes connections that gk-frontd has logged in, and gives each a process of its own, confined to "
        "the scripts of its account. With --stdio, speaks ManageSieve (RFC 5804) for one account on standard input and "
        "output, already logged in.";
    tool.options = {{"--root", &root, "where everything of this gk lives, instead of the system's places", "DIR"},
                    {"--stdio", &on_stdio, "one session on standard input and output"},
                    {"--account", &account, "with --stdio: the account", "ADDRESS"}};
    tool.commands.push_back(
        {.name = "serve", .summary = "serve the sessions that gk-frontd hands over until SIGTERM", .run = [&] {
             log::open("gk-sieved");
             const Status served = managesieve::serve_parent(root);
             return served ? 0 : cli::fail(served.error());
         }});
    tool.commands.push_back({.name = "stdio", .summary = "the same as --stdio", .run = stdio});
    tool.examples = {
        "printf 'LISTSCRIPTS\\r\\nLOGOUT\\r\\n' | gk-sieved --stdio --account ann@a.test  # whose scripts are there"};
    tool.run = [&] { return on_stdio ? stdio() : cli::usage("say serve or --stdio"); };
    return cli::run(tool, argc, argv);
}
