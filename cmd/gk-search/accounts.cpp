// SPDX-License-Identifier: MIT
#include "cmd/gk-search/gk_search.hpp"
#include "common/cli/cli.hpp"
#include "common/directory/directory.hpp"
#include "common/directory/homes.hpp"
#include "common/os/file.hpp"
#include "common/os/owner.hpp"

namespace gk::search_tool {

namespace {

Result<std::vector<directory::Home>> choose(const Arguments& arguments) {
    const int ways = !arguments.account.empty() + !arguments.home.empty() + arguments.all;
    if (ways != 1) return fail(Errc::BadInput, "say which account: one of --account, --home and --all");
    const auto paths = config::Paths::under(arguments.root);
    if (arguments.all) {
        GK_CHECK(os::become_owner_of(paths.mail));
        return directory::homes_with_mail(paths);
    }
    directory::Home home{arguments.home, arguments.home};
    if (arguments.home.empty()) {
        GK_TRY(home.account, directory::canonical_account(arguments.account));
        home.path = directory::home_of(paths, home.account);
    }
    GK_CHECK(os::become_owner_of(home.path));
    return std::vector<directory::Home>{std::move(home)};
}

}  // namespace

int for_each(const Arguments& arguments, const std::function<Status(const Opened&)>& action) {
    // A Maildir somewhere needs no configuration; the defaults do.
    const auto paths = config::Paths::under(arguments.root);
    const bool without = !arguments.home.empty() && !os::exists(paths.toml);
    const auto config = without ? config::Config::parse("") : config::Config::load(paths);
    if (!config) return cli::fail(config.error());
    const auto chosen = choose(arguments);
    if (!chosen)
        return chosen.error().code == Errc::BadInput ? cli::usage(chosen.error().text) : cli::fail(chosen.error());
    int code = 0;
    for (const auto& home : *chosen) {
        const auto run = [&]() -> Status {
            store::AccountOptions options;
            options.name = home.account;
            auto account = store::Account::open(home.path, options);
            if (!account) return fail(account.error().in(home.account));
            const auto done = action({home.account, home.path, std::move(*account), search::index_options(*config)});
            return done ? ok() : Status(fail(done.error().in(home.account)));
        };
        const Status done = run();
        if (done) continue;
        const int failed = cli::fail(done.error());
        if (code == 0) code = failed;
    }
    return code;
}

}  // namespace gk::search_tool
