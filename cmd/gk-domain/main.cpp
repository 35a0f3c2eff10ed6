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
    bool json = false, yes = false, dry_run = false, all = false;
    std::string quota, quota_messages;
    std::vector<std::string> domains;
    std::string domain, name;
};

using Directory = std::shared_ptr<directory::Directory>;

Result<Directory> open(const Arguments& arguments, bool read_only) {
    return directory::Directory::open(config::Paths::under(arguments.root), read_only);
}

void print(cli::Rows& rows, const directory::Domain& domain) {
    rows.add({domain.name, domain.accounts, domain.aliases, format_rfc3339(from_unix_s(domain.created_s)),
              domain.tenant, domain.quota.bytes, domain.quota.messages});
}

const std::vector<std::string> kColumns = {"domain", "accounts", "aliases",       "created",
                                           "tenant", "quota",    "quota_messages"};

// All of them, or the first error; what was done before it stays done.
template <class Action>
int for_each(const Arguments& arguments, bool read_only, Action action) {
    const auto directory = open(arguments, read_only);
    if (!directory) return cli::fail(directory.error());
    int code = 0;
    for (const std::string& domain : arguments.domains) {
        const Status status = action(**directory, domain);
        if (!status) code = cli::fail(status.error());
    }
    return code;
}

// BEFORE with what was asked for.
Result<directory::Quota> wanted_quota(const Arguments& arguments, directory::Quota quota) {
    constexpr auto most = static_cast<std::uint64_t>(INT64_MAX);
    if (!arguments.quota.empty()) {
        const auto bytes = text::to_size(arguments.quota);
        if (!bytes || *bytes > most)
            return fail(Errc::BadInput, fmt::format("'{}' is not a size such as 2GB", arguments.quota));
        quota.bytes = static_cast<std::int64_t>(*bytes);
    }
    if (!arguments.quota_messages.empty()) {
        const auto messages = text::to_uint(arguments.quota_messages);
        if (!messages || *messages > most)
            return fail(Errc::BadInput, fmt::format("'{}' is not a number of messages", arguments.quota_messages));
        quota.messages = static_cast<std::int64_t>(*messages);
    }
    return quota;
}

int add(const Arguments& arguments) {
    const auto quota = wanted_quota(arguments, {});
    if (!quota) return cli::usage(quota.error().text);
    return for_each(arguments, false, [&](directory::Directory& directory, const std::string& name) -> Status {
        GK_TRY(const auto domain, directory.add_domain(name, directory::Actor::caller()));
        if (*quota == domain.quota) return ok();
        return directory.set_domain_quota(domain.name, *quota, directory::Actor::caller());
    });
}

int change(const Arguments& arguments) {
    const auto given = wanted_quota(arguments, {});
    if (!given) return cli::usage(given.error().text);
    if (arguments.quota.empty() && arguments.quota_messages.empty())
        return cli::usage("say what to change: --quota or --quota-messages");
    return for_each(arguments, false, [&](directory::Directory& directory, const std::string& name) -> Status {
        GK_TRY(const auto domain, directory.find_domain(name));
        if (!domain) return fail(Errc::NotFound, fmt::format("there is no domain '{}'", name));
        GK_TRY(const auto quota, wanted_quota(arguments, domain->quota));
        return directory.set_domain_quota(domain->name, quota, directory::Actor::caller());
    });
}

int list(const Arguments& arguments) {
    const auto directory = open(arguments, true);
    if (!directory) return cli::fail(directory.error());
    const auto domains = (*directory)->domains();
    if (!domains) return cli::fail(domains.error());
    cli::Rows rows(arguments.json, kColumns);
    for (const auto& domain : *domains) print(rows, domain);
    return 0;
}

int show(const Arguments& arguments) {
    cli::Rows rows(arguments.json, kColumns);
    return for_each(arguments, true, [&](directory::Directory& directory, const std::string& name) -> Status {
        GK_TRY(const auto domain, directory.find_domain(name));
        if (!domain) return fail(Errc::NotFound, fmt::format("there is no domain '{}'", name));
        print(rows, *domain);
        return ok();
    });
}

int remove(const Arguments& arguments) {
    return for_each(
        arguments, arguments.dry_run, [&](directory::Directory& directory, const std::string& name) -> Status {
            GK_TRY(const auto domain, directory.find_domain(name));
            if (!domain) return fail(Errc::NotFound, fmt::format("there is no domain '{}'", name));
            const auto actor = directory::Actor::caller();
            GK_TRY(const auto aliases, directory.aliases(domain->name));
            if (domain->accounts > 0)
                return fail(Errc::Denied, fmt::format("domain '{}' has {} accounts: remove them first", domain->name,
                                                      domain->accounts));
            if (!aliases.empty() && !arguments.all)
                return fail(Errc::Denied, fmt::format("domain '{}' has {} aliases: remove them first, or say --all",
                                                      domain->name, aliases.size()));
            if (arguments.dry_run) {
                for (const auto& alias : aliases) fmt::print("remove alias {}\n", alias.address);
                fmt::print("remove domain {}\n", domain->name);
                return ok();
            }
            if (!cli::confirm(fmt::format("remove domain {}?", domain->name),
                              arguments.yes || ::isatty(STDIN_FILENO) == 0))
                return fail(Errc::Denied, "nothing was removed");
            return directory.remove_domain(domain->name, actor, arguments.all);
        });
}

int add_alias(const Arguments& arguments) {
    const auto directory = open(arguments, false);
    if (!directory) return cli::fail(directory.error());
    const auto actor = directory::Actor::caller();
    const Status status = (*directory)->add_domain_alias(arguments.name, arguments.domain, actor);
    return status ? 0 : cli::fail(status.error());
}

int list_aliases(const Arguments& arguments) {
    const auto directory = open(arguments, true);
    if (!directory) return cli::fail(directory.error());
    const auto names = (*directory)->domain_aliases(arguments.domain);
    if (!names) return cli::fail(names.error());
    cli::Rows rows(arguments.json, {"name", "domain", "created"});
    for (const auto& one : *names) rows.add({one.name, one.domain, format_rfc3339(from_unix_s(one.created_s))});
    return 0;
}

int remove_alias(const Arguments& arguments) {
    const auto directory = open(arguments, arguments.dry_run);
    if (!directory) return cli::fail(directory.error());
    if (arguments.dry_run) {
        fmt::print("remove {}\n", arguments.name);
        return 0;
    }
    if (!cli::confirm(fmt::format("no longer receive mail for {}?", arguments.name),
                      arguments.yes || ::isatty(STDIN_FILENO) == 0))
        return 1;
    const Status status = (*directory)->remove_domain_alias(arguments.name, directory::Actor::caller());
    return status ? 0 : cli::fail(status.error());
}

}  // namespace

int main(int argc, char** argv) {
    Arguments arguments;
    const char* const root = std::getenv("GK_ROOT");
    arguments.root = root != nullptr ? root : "";

    cli::Tool tool;
    tool.name = "gk-domain";
    tool.summary = "the domains whose mail is delivered here";
    tool.description = "Works on gk.db, whether daemons run or not; they see a change at the next message.";
    tool.options = {
        {"--root", &arguments.root, "where everything of this gk lives, instead of the system's places", "DIR"},
        {"-j,--json", &arguments.json, "one JSON object a line"}};
    const cli::Option quota{"--quota", &arguments.quota,
                            "how much mail all its accounts together may keep, such as 2GB; 0: no limit", "SIZE"};
    const cli::Option quota_messages{"--quota-messages", &arguments.quota_messages,
                                     "how many messages all its accounts together may keep; 0: no limit", "COUNT"};
    const cli::Operand domains{"domain", &arguments.domains, "domain names; with letters beyond ASCII too"};
    const cli::Operand name{"name", &arguments.name, "the other name"};
    tool.commands = {
        {.name = "add",
         .summary = "receive mail for domains",
         .options = {quota, quota_messages},
         .operands = {domains},
         .run = [&] { return add(arguments); }},
        {.name = "list", .summary = "list the domains", .run = [&] { return list(arguments); }},
        {.name = "show", .summary = "show domains", .operands = {domains}, .run = [&] { return show(arguments); }},
        {.name = "change",
         .summary = "change how much domains may keep",
         .options = {quota, quota_messages},
         .operands = {domains},
         .run = [&] { return change(arguments); }},
        {.name = "remove",
         .summary = "no longer receive mail for domains, which must have no accounts",
         .options = {{"--all", &arguments.all, "remove the domain's aliases too"},
                     {"-n,--dry-run", &arguments.dry_run, "say what would be removed, and do nothing"},
                     {"-y,--yes", &arguments.yes, "do not ask"}},
         .operands = {domains},
         .run = [&] { return remove(arguments); }},
        {.name = "add-alias",
         .summary = "give a domain another name: every address there is the same here",
         .operands = {name, {"domain", &arguments.domain, "the domain"}},
         .run = [&] { return add_alias(arguments); }},
        {.name = "list-aliases",
         .summary = "list other names of domains",
         .options = {{"--domain", &arguments.domain, "only those of this domain", "DOMAIN"}},
         .run = [&] { return list_aliases(arguments); }},
        {.name = "remove-alias",
         .summary = "take another name away",
         .options = {{"-n,--dry-run", &arguments.dry_run, "say what would be removed, and do nothing"},
                     {"-y,--yes", &arguments.yes, "do not ask"}},
         .operands = {name},
         .run = [&] { return remove_alias(arguments); }},
    };
    tool.examples = {"gk-domain add a.test  # receive mail for a.test",
                     "gk-domain add-alias a.example a.test  # ann@a.example is ann@a.test",
                     "gk-domain list --json  # for programs"};
    return cli::run(tool, argc, argv);
}
