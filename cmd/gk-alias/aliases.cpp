// SPDX-License-Identifier: MIT
#include <unistd.h>

#include "cmd/gk-alias/gk_alias.hpp"
#include "common/base/text.hpp"
#include "common/base/time.hpp"
#include "common/cli/cli.hpp"
#include "common/config/config.hpp"

namespace gk::alias_tool {

namespace {

// The properties of a list, as far as they were given.
void set_list(const Arguments& arguments, std::optional<directory::List>& list) {
    if (arguments.owner.empty() && arguments.post.empty() && arguments.name.empty()) return;
    if (!list) list.emplace();
    if (!arguments.owner.empty()) list->owner = arguments.owner;
    if (!arguments.post.empty()) list->post = arguments.post;
    if (!arguments.name.empty()) list->name = arguments.name;
}

Status check_owner(const std::optional<directory::List>& list) {
    if (!list || !list->owner.empty()) return ok();
    return fail(Errc::BadInput, "a list needs an owner: --owner");
}

Result<directory::Alias> existing(directory::Directory& directory, const std::string& address) {
    GK_TRY(auto alias, directory.find_alias(address));
    if (!alias) return fail(Errc::NotFound, fmt::format("there is no alias '{}'", address));
    return std::move(*alias);
}

int finish(const Status& status) { return status ? 0 : cli::fail(status.error()); }

}  // namespace

Result<std::shared_ptr<directory::Directory>> open(const Arguments& arguments, bool read_only) {
    const auto paths = config::Paths::under(arguments.root);
    GK_TRY(const auto config, config::Config::load(paths));
    return directory::Directory::open(paths, read_only, directory::Limits::from(config));
}

int add(const Arguments& arguments) {
    const auto run = [&]() -> Status {
        GK_TRY(const auto directory, open(arguments, false));
        GK_TRY(const auto old, directory->find_alias(arguments.alias));
        directory::NewAlias wanted{arguments.alias, {}, old ? old->list : std::nullopt};
        if (old && !arguments.replace) wanted.targets = old->targets;
        wanted.targets.insert(wanted.targets.end(), arguments.targets.begin(), arguments.targets.end());
        set_list(arguments, wanted.list);
        GK_CHECK(check_owner(wanted.list));
        GK_TRY(const auto alias, directory->set_alias(wanted, directory::Actor::caller()));
        (void)alias;
        return ok();
    };
    return finish(run());
}

int change(const Arguments& arguments) {
    const auto run = [&]() -> Status {
        GK_TRY(const auto directory, open(arguments, false));
        GK_TRY(const auto old, existing(*directory, arguments.alias));
        directory::NewAlias wanted{old.address, old.targets, old.list};
        if (arguments.no_list) wanted.list.reset();
        else set_list(arguments, wanted.list);
        GK_CHECK(check_owner(wanted.list));
        GK_TRY(const auto alias, directory->set_alias(wanted, directory::Actor::caller()));
        (void)alias;
        return ok();
    };
    if (!arguments.no_list && arguments.owner.empty() && arguments.post.empty() && arguments.name.empty())
        return cli::usage("say what to change: --owner, --post, --name or --no-list");
    return finish(run());
}

int list(const Arguments& arguments) {
    const auto directory = open(arguments, true);
    if (!directory) return cli::fail(directory.error());
    cli::Rows rows(arguments.json, {"alias", "targets", "created", "tenant", "owner", "post", "name"});
    return finish((*directory)->each_alias(arguments.domain, [&](const directory::Alias& alias) -> Status {
        const auto list = alias.list.value_or(directory::List{"", "", ""});
        rows.add({alias.address, text::join(alias.targets, " "), format_rfc3339(from_unix_s(alias.created_s)),
                  alias.tenant, list.owner, list.post, list.name});
        return ok();
    }));
}

int remove(const Arguments& arguments) {
    const auto directory = open(arguments, arguments.dry_run);
    if (!directory) return cli::fail(directory.error());
    const auto alias = existing(**directory, arguments.alias);
    if (!alias) return cli::fail(alias.error());
    const auto& targets = arguments.targets.empty() ? alias->targets : arguments.targets;
    if (arguments.dry_run) {
        for (const auto& target : targets) fmt::print("remove {} → {}\n", alias->address, target);
        return 0;
    }
    const std::string question = fmt::format("remove alias {} → {}?", alias->address, text::join(targets, " "));
    if (!cli::confirm(question, arguments.yes || ::isatty(STDIN_FILENO) == 0)) return 1;
    return finish((*directory)->remove_alias(arguments.alias, arguments.targets, directory::Actor::caller()));
}

}  // namespace gk::alias_tool
