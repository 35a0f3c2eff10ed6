// SPDX-License-Identifier: MIT
#include <cstdlib>

#include "cmd/gk-alias/gk_alias.hpp"
#include "common/cli/cli.hpp"

using namespace gk;

int main(int argc, char** argv) {
    alias_tool::Arguments arguments;
    const char* const root = std::getenv("GK_ROOT");
    arguments.root = root != nullptr ? root : "";

    cli::Tool tool;
    tool.name = "gk-alias";
    tool.summary = "addresses that lead to other addresses";
    tool.description =
        "An alias leads to accounts, to other aliases, or out of our domains; @DOMAIN is the catch-all, for every "
        "address of the domain that is nothing else; ann+*@DOMAIN and *+spam@DOMAIN are rules for sub-addresses, and "
        "/PATTERN/@DOMAIN for what a regular expression matches. With an owner it is a mailing list. Circles and "
        "addresses that lead nowhere are refused when an alias is made.";
    tool.options = {
        {"--root", &arguments.root, "where everything of this gk lives, instead of the system's places", "DIR"},
        {"-j,--json", &arguments.json, "one JSON object a line"}};
    const cli::Operand alias{"alias", &arguments.alias,
                             "an address, @DOMAIN, LOCAL-PART+*@DOMAIN, *+DETAIL@DOMAIN or /PATTERN/@DOMAIN"};
    const cli::Option domain{"--domain", &arguments.domain, "only those of this domain", "DOMAIN"};
    const cli::Option dry_run{"-n,--dry-run", &arguments.dry_run, "say what would be done, and do nothing"};
    const cli::Option yes{"-y,--yes", &arguments.yes, "do not ask"};
    const cli::Option owner{"--owner", &arguments.owner,
                            "make it a mailing list, whose owner gets what comes back of its messages", "ADDRESS"};
    const cli::Option post{"--post", &arguments.post,
                           "who may write to the list: anyone, members, owner, addresses, @DOMAIN, apart by spaces",
                           "WORDS"};
    const cli::Option name{"--name", &arguments.name, "the list's name, for people", "TEXT"};
    tool.commands = {
        {.name = "add",
         .summary = "make an alias, or add targets to it",
         .options = {{"--replace", &arguments.replace, "the targets given become its only ones"}, owner, post, name},
         .operands = {alias,
                      {"target", &arguments.targets,
                       "where its mail goes; a pattern's may hold \\1 to \\9 for its groups"}},
         .run = [&] { return alias_tool::add(arguments); }},
        {.name = "change",
         .summary = "change what a mailing list is",
         .options = {owner, post, name, {"--no-list", &arguments.no_list, "make it an alias again"}},
         .operands = {alias},
         .run = [&] { return alias_tool::change(arguments); }},
        {.name = "list",
         .summary = "list aliases",
         .options = {domain},
         .run = [&] { return alias_tool::list(arguments); }},
        {.name = "test",
         .summary = "show the whole way of mail for addresses; exit code 1 where it leads nowhere",
         .operands = {{"address", &arguments.addresses, "recipients"}},
         .run = [&] { return alias_tool::test(arguments); }},
        {.name = "remove",
         .summary = "remove an alias, or some of its targets",
         .options = {{"-n,--dry-run", &arguments.dry_run, "say what would be removed, and do nothing"}, yes},
         .operands = {alias, {"target", &arguments.targets, "targets to remove; none: the whole alias", false}},
         .run = [&] { return alias_tool::remove(arguments); }},
        {.name = "export",
         .summary = "print aliases as text that apply reads: one JSON object a line",
         .options = {domain},
         .run = [&] { return alias_tool::export_aliases(arguments); }},
        {.name = "apply",
         .summary = "make aliases as a text declares them, all or none; applying twice changes nothing",
         .options = {dry_run,
                     {"--prune", &arguments.prune, "remove aliases that are not declared, of the domains that are"},
                     yes},
         .operands = {{"file", &arguments.file,
                       "what export printed, or lines of an alias and its targets; -: standard input", false}},
         .run = [&] { return alias_tool::apply(arguments); }},
    };
    tool.examples = {"gk-alias add sales@a.test ann@a.test bob@a.test  # one address, two people",
                     "gk-alias add @a.test ann@a.test  # all other addresses of a.test",
                     "gk-alias add '/(.+)-old/@a.test' '\\1@a.test'  # by a regular expression",
                     "gk-alias add staff@a.test ann@a.test bob@b.test --owner ann@a.test  # a mailing list",
                     "gk-alias test sales+spring@a.test  # where its mail goes"};
    return cli::run(tool, argc, argv);
}
