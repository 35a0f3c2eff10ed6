// SPDX-License-Identifier: MIT
#include <unistd.h>
#include <cstdlib>

#include "common/base/text.hpp"
#include "common/base/time.hpp"
#include "common/cli/cli.hpp"
#include "common/config/config.hpp"
#include "common/directory/directory.hpp"

using namespace gk;

namespace {

struct Arguments {
    std::string root;
    bool json = false, yes = false, dry_run = false, replace = false;
    std::string alias, domain;
    std::vector<std::string> targets, addresses;
};

Result<std::shared_ptr<directory::Directory>> open(const Arguments& arguments, bool read_only) {
    const auto paths = config::Paths::under(arguments.root);
    GK_TRY(const auto config, config::Config::load(paths));
    return directory::Directory::open(paths, read_only, directory::Limits::from(config));
}

int add(const Arguments& arguments) {
    const auto directory = open(arguments, false);
    if (!directory) return cli::fail(directory.error());
    const auto actor = directory::Actor::caller();
    const auto alias = arguments.replace ? (*directory)->set_alias(arguments.alias, arguments.targets, actor)
                                         : (*directory)->add_alias(arguments.alias, arguments.targets, actor);
    return alias ? 0 : cli::fail(alias.error());
}

int list(const Arguments& arguments) {
    const auto directory = open(arguments, true);
    if (!directory) return cli::fail(directory.error());
    const auto aliases = (*directory)->aliases(arguments.domain);
    if (!aliases) return cli::fail(aliases.error());
    cli::Rows rows(arguments.json, {"alias", "targets", "created", "tenant"});
    for (const auto& alias : *aliases)
        rows.add({alias.address, text::join(alias.targets, " "), format_rfc3339(from_unix_s(alias.created_s)),
                  alias.tenant});
    return 0;
}

// Asks the same code that gk-deliver asks. Exit code 1: nobody there.
int test(const Arguments& arguments) {
    const auto directory = open(arguments, true);
    if (!directory) return cli::fail(directory.error());
    int code = 0;
    cli::Rows rows(arguments.json, {"address", "leads_to", "how", "detail"});
    for (const std::string& address : arguments.addresses) {
        const auto resolved = (*directory)->resolve(address);
        if (!resolved) {
            code = cli::fail(resolved.error());
            continue;
        }
        using Kind = directory::Resolution::Kind;
        if (resolved->kind != Kind::Found) {
            rows.add({address, "", resolved->kind == Kind::NotLocal ? "not-local" : "no-such-user", ""});
            if (code == 0) code = 1;
        }
        for (const auto& target : resolved->accounts)
            rows.add({address, target.account, resolved->through_alias ? "alias" : "account", target.detail});
        for (const auto& external : resolved->external) rows.add({address, external, "external", ""});
    }
    return code;
}

int remove(const Arguments& arguments) {
    const auto directory = open(arguments, arguments.dry_run);
    if (!directory) return cli::fail(directory.error());
    const auto alias = (*directory)->find_alias(arguments.alias);
    if (!alias) return cli::fail(alias.error());
    if (!*alias) return cli::fail({Errc::NotFound, fmt::format("there is no alias '{}'", arguments.alias), 0});
    if (arguments.dry_run) {
        const auto& targets = arguments.targets.empty() ? (*alias)->targets : arguments.targets;
        for (const auto& target : targets) fmt::print("remove {} → {}\n", (*alias)->address, target);
        return 0;
    }
    const std::string question =
        fmt::format("remove alias {} → {}?", (*alias)->address,
                    text::join(arguments.targets.empty() ? (*alias)->targets : arguments.targets, " "));
    if (!cli::confirm(question, arguments.yes || ::isatty(STDIN_FILENO) == 0)) return 1;
    const Status status = (*directory)->remove_alias(arguments.alias, arguments.targets, directory::Actor::caller());
    return status ? 0 : cli::fail(status.error());
}

}  // namespace

int main(int argc, char** argv) {
    Arguments arguments;
    const char* const root = std::getenv("GK_ROOT");
    arguments.root = root != nullptr ? root : "";

    cli::Tool tool;
    tool.name = "gk-alias";
    tool.summary = "addresses that lead to other addresses";
    tool.description =
        "An alias leads to accounts, to other aliases, or out of our domains; @DOMAIN is the catch-all, for every "
        "address of the "
        "domain that is nothing else. Circles and addresses that lead nowhere are refused when an alias is made.";
    tool.options = {
        {"--root", &arguments.root, "where everything of this gk lives, instead of the system's places", "DIR"},
        {"-j,--json", &arguments.json, "one JSON object a line"}};
    const cli::Operand alias{"alias", &arguments.alias, "an address, or @DOMAIN"};
    tool.commands = {
        {.name = "add",
         .summary = "make an alias, or add targets to it",
         .options = {{"--replace", &arguments.replace, "the targets given become its only ones"}},
         .operands = {alias, {"target", &arguments.targets, "where its mail goes"}},
         .run = [&] { return add(arguments); }},
        {.name = "list",
         .summary = "list aliases",
         .options = {{"--domain", &arguments.domain, "only those of this domain", "DOMAIN"}},
         .run = [&] { return list(arguments); }},
        {.name = "test",
         .summary = "say where mail for addresses goes; exit code 1 where nowhere",
         .operands = {{"address", &arguments.addresses, "recipients"}},
         .run = [&] { return test(arguments); }},
        {.name = "remove",
         .summary = "remove an alias, or some of its targets",
         .options = {{"-n,--dry-run", &arguments.dry_run, "say what would be removed, and do nothing"},
                     {"-y,--yes", &arguments.yes, "do not ask"}},
         .operands = {alias, {"target", &arguments.targets, "targets to remove; none: the whole alias", false}},
         .run = [&] { return remove(arguments); }},
    };
    tool.examples = {"gk-alias add sales@a.test ann@a.test bob@a.test  # one address, two people",
                     "gk-alias add @a.test ann@a.test  # all other addresses of a.test",
                     "gk-alias test sales+spring@a.test  # where its mail goes"};
    return cli::run(tool, argc, argv);
}
