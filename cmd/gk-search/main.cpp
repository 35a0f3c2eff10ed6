// SPDX-License-Identifier: MIT
#include <cstdlib>

#include "cmd/gk-search/gk_search.hpp"
#include "common/cli/cli.hpp"

using namespace gk;

int main(int argc, char** argv) {
    search_tool::Arguments a;
    const char* const root = std::getenv("GK_ROOT");
    a.root = root != nullptr ? root : "";

    cli::Tool tool;
    tool.name = "gk-search";
    tool.summary = "find mail by its words, and keep the index that this needs";
    tool.description =
        "Works on the Maildir of an account and on search.db beside it, whether daemons run or not. The index is a "
        "cache: "
        "it "
        "may be dropped at any time.";
    tool.options = {{"--root", &a.root, "where everything of this gk lives, instead of the system's places", "DIR"},
                    {"-a,--account", &a.account, "the account to work on", "ADDRESS"},
                    {"--home", &a.home, "the directory that holds Maildir/, in place of an account", "DIR"},
                    {"--all", &a.all, "every account that has mail"},
                    {"-j,--json", &a.json, "one JSON object a line"}};
    tool.commands = {
        {.name = "query",
         .summary = "find messages, the best first; exits 1 where there are none",
         .options = {{"-n,--limit", &a.limit, "how many to list, 0 for all; --paths and -0 print all in any case", "N"},
                     {"--paths", &a.paths, "only the files' paths, one a line"},
                     {"-0,--null", &a.null, "only the files' paths, each ended by a NUL"},
                     {"--as-it-is", &a.as_it_is, "do not take in new messages before"}},
         .operands = {{"query", &a.words, "what to look for, quoted for the shell; see Queries"}},
         .run = [&] { return search_tool::query(a); }},
        {.name = "index",
         .summary = "take in what is not in the index yet; goes on where an earlier run ended",
         .run = [&] { return search_tool::index(a); }},
        {.name = "check",
         .summary = "compare the index with the mail; changes nothing, exits 1 where something is missing",
         .run = [&] { return search_tool::check(a); }},
        {.name = "drop", .summary = "remove the index", .run = [&] { return search_tool::drop(a); }}};
    tool.examples = {
        "gk-search query -a ann@a.test 'from:bob has:attachment after:2026-01'  # who sent what, since when",
        "gk-search query -a ann@a.test --json 'invoice OR receipt'  # with scores and snippets",
        "gk-search query -a ann@a.test -0 subject:backup | xargs -0 gk-mime  # the files, for other programs",
        "gk-search index --all  # from a timer"};
    return cli::run(tool, argc, argv);
}
