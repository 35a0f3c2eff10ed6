// SPDX-License-Identifier: MIT
#include "cmd/gk-mailbox/gk_mailbox.hpp"
#include "common/cli/cli.hpp"
#include "common/config/config.hpp"
#include "common/directory/directory.hpp"
#include "common/directory/homes.hpp"
#include "common/os/owner.hpp"
#include "common/store/change_socket.hpp"

namespace gk::mailbox_tool {

Result<std::vector<Chosen>> choose(const Arguments& arguments) {
    const int ways = !arguments.account.empty() + !arguments.home.empty() + arguments.all;
    if (ways != 1) return fail(Errc::BadInput, "say which account: one of --account, --home and --all");
    const auto paths = config::Paths::under(arguments.root);
    std::vector<Chosen> chosen;
    if (!arguments.home.empty()) {
        GK_CHECK(os::become_owner_of(arguments.home));
        chosen.push_back({arguments.home, arguments.home});
    } else if (arguments.all) {
        GK_CHECK(os::become_owner_of(paths.mail));
        GK_TRY(auto homes, directory::homes_with_mail(paths));
        for (auto& home : homes) chosen.push_back({std::move(home.account), std::move(home.path)});
    } else {
        GK_TRY(const auto address, directory::canonical_account(arguments.account));
        chosen.push_back({address, directory::home_of(paths, address)});
        GK_CHECK(os::become_owner_of(chosen.front().home));
    }
    return chosen;
}

Result<std::shared_ptr<store::Account>> open(const Arguments& arguments, const Chosen& chosen) {
    static store::ChangeSocket changes(config::Paths::under(arguments.root).run + "/changes.sock");
    store::AccountOptions options;
    options.name = chosen.name;
    if (arguments.home.empty()) options.sink = &changes;
    auto account = store::Account::open(chosen.home, options);
    if (!account) return fail(account.error().in(chosen.name));
    return account;
}

int refuse(const Error& error) { return error.code == Errc::BadInput ? cli::usage(error.text) : cli::fail(error); }

int for_each(const Arguments& arguments, const std::function<Status(const Chosen&, store::Account&)>& action) {
    const auto chosen = choose(arguments);
    if (!chosen) return refuse(chosen.error());
    int code = 0;
    for (const auto& one : *chosen) {
        const auto run = [&]() -> Status {
            GK_TRY(const auto account, open(arguments, one));
            return action(one, *account);
        };
        const Status done = run();
        if (done) continue;
        const int failed = cli::fail(done.error());
        if (code == 0) code = failed;
    }
    return code;
}

}  // namespace gk::mailbox_tool
