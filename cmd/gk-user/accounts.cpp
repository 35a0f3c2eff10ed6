// SPDX-License-Identifier: MIT
#include <unistd.h>

#include "cmd/gk-user/gk_user.hpp"
#include "common/base/text.hpp"
#include "common/base/time.hpp"
#include "common/cli/cli.hpp"
#include "common/store/account.hpp"

namespace gk::user_tool {

namespace {

std::string time_or_empty(std::int64_t unix_s) { return unix_s == 0 ? "" : format_rfc3339(from_unix_s(unix_s)); }

Result<std::int64_t> quota_of(const std::string& text) {
    const auto bytes = text::to_size(text);
    if (!bytes || *bytes > static_cast<std::uint64_t>(INT64_MAX))
        return fail(Errc::BadInput, fmt::format("'{}' is not a size such as 2GB", text));
    return static_cast<std::int64_t>(*bytes);
}

Result<std::int64_t> messages_of(const std::string& text) {
    const auto number = text::to_uint(text);
    if (!number || *number > static_cast<std::uint64_t>(INT64_MAX))
        return fail(Errc::BadInput, fmt::format("'{}' is not a number of messages", text));
    return static_cast<std::int64_t>(*number);
}

Result<bool> yes_or_no(const std::string& text) {
    if (text == "yes" || text == "no") return text == "yes";
    return fail(Errc::BadInput, fmt::format("--admin is yes or no, not '{}'", text));
}

Result<directory::Account> existing(accounts::Accounts& accounts, const std::string& address) {
    GK_TRY(const auto account, accounts.directory().find_account(address));
    if (!account) return fail(Errc::NotFound, fmt::format("there is no account '{}'", address));
    return *account;
}

// ACTION on each account; the first error's code is the exit code, the others are tried all the same.
template <class Action>
int for_each(const Arguments& arguments, Action action) {
    auto accounts = open(arguments);
    if (!accounts) return cli::fail(accounts.error());
    int code = 0;
    for (const std::string& address : arguments.accounts) {
        const Status status = action(*accounts, address);
        if (status) continue;
        const int failed = cli::fail(status.error());
        if (code == 0) code = failed;
    }
    return code;
}

int finish(const Status& status) { return status ? 0 : cli::fail(status.error()); }

}  // namespace

Result<accounts::Accounts> open(const Arguments& arguments) {
    GK_TRY(const auto config, config::Config::load(config::Paths::under(arguments.root)));
    return accounts::Accounts::open(config);
}

int add(const Arguments& arguments) {
    const auto run = [&]() -> Status {
        directory::Directory::NewAccount details;
        details.name = arguments.name;
        if (!arguments.quota.empty()) {
            GK_TRY(details.quota_bytes, quota_of(arguments.quota));
        }
        if (!arguments.quota_messages.empty()) {
            GK_TRY(details.quota_messages, messages_of(arguments.quota_messages));
        }
        if (!arguments.admin.empty()) {
            GK_TRY(details.admin, yes_or_no(arguments.admin));
        }
        GK_TRY(auto accounts, open(arguments));
        // Before asking for a password that would be of no use.
        GK_TRY(const std::string address, directory::canonical_account(arguments.account));
        GK_TRY(const auto there, accounts.directory().find_account(address));
        if (there) return fail(Errc::Exists, fmt::format("there is an account '{}' already", address));
        std::optional<std::string> password;
        if (!arguments.no_password) {
            GK_TRY(password, cli::read_secret(arguments.password_file, "password"));
        }
        GK_TRY(const auto account, accounts.create(address, details, password, directory::Actor::caller()));
        (void)account;
        return ok();
    };
    return finish(run());
}

int list(const Arguments& arguments) {
    // gk.db alone: a list needs no right to see credentials.
    const auto directory = directory::Directory::open(config::Paths::under(arguments.root), true);
    if (!directory) return cli::fail(directory.error());
    const auto accounts = (*directory)->accounts(arguments.domain);
    if (!accounts) return cli::fail(accounts.error());
    cli::Rows rows(arguments.json,
                   {"account", "name", "admin", "disabled", "quota", "created", "tenant", "quota_messages"});
    for (const auto& account : *accounts)
        rows.add({account.address, account.name, account.admin, account.disabled, account.quota_bytes,
                  time_or_empty(account.created_s), account.tenant, account.quota_messages});
    return 0;
}

int show(const Arguments& arguments) {
    cli::Rows rows(arguments.json, {"account", "name", "admin", "disabled", "quota", "created", "tenant", "password",
                                    "password_changed", "app_passwords", "home", "messages_last_day",
                                    "recipients_last_day", "quota_messages", "used", "used_messages", "used_percent"});
    return for_each(arguments, [&](accounts::Accounts& accounts, const std::string& address) -> Status {
        GK_TRY(const auto account, existing(accounts, address));
        GK_TRY(const auto credentials, accounts.credentials().find(account.address));
        const auto stored = credentials.value_or(auth::Credentials{});
        GK_TRY(const auto use, accounts.credentials().submissions().use(account.address, to_unix_s(now())));
        const std::string home = directory::home_of(config::Paths::under(arguments.root), account.address);
        const auto used = store::Account::kept_totals(home).value_or(store::Totals{});
        const auto percent = [](std::uint64_t part, std::int64_t whole) {
            return whole <= 0 ? std::int64_t{0}
                              : static_cast<std::int64_t>(static_cast<double>(part) / static_cast<double>(whole) * 100);
        };
        rows.add({account.address, account.name, account.admin, account.disabled, account.quota_bytes,
                  time_or_empty(account.created_s), account.tenant, std::string(auth::main_name(stored.main)),
                  time_or_empty(stored.changed_s), static_cast<std::int64_t>(stored.app_passwords.size()), home,
                  static_cast<std::int64_t>(use.messages_day), static_cast<std::int64_t>(use.recipients_day),
                  account.quota_messages, static_cast<std::int64_t>(used.bytes),
                  static_cast<std::int64_t>(used.messages),
                  std::max(percent(used.bytes, account.quota_bytes), percent(used.messages, account.quota_messages))});
        return ok();
    });
}

int change(const Arguments& arguments) {
    const auto run = [&]() -> Status {
        GK_TRY(auto accounts, open(arguments));
        GK_TRY(auto account, existing(accounts, arguments.account));
        if (!arguments.name.empty()) account.name = arguments.name;
        if (!arguments.quota.empty()) {
            GK_TRY(account.quota_bytes, quota_of(arguments.quota));
        }
        if (!arguments.quota_messages.empty()) {
            GK_TRY(account.quota_messages, messages_of(arguments.quota_messages));
        }
        if (!arguments.admin.empty()) {
            GK_TRY(account.admin, yes_or_no(arguments.admin));
        }
        return accounts.directory().change_account(account, directory::Actor::caller());
    };
    return finish(run());
}

int passwd(const Arguments& arguments) {
    const auto run = [&]() -> Status {
        GK_TRY(auto accounts, open(arguments));
        GK_TRY(const auto account, existing(accounts, arguments.account));
        if (arguments.no_password) {
            GK_TRY(auto credentials, accounts.credentials().find(account.address));
            if (!credentials) return ok();
            credentials->main = auth::Credentials::Main::None;
            credentials->main_keys = {};
            credentials->main_hash.clear();
            return accounts.credentials().put(*credentials);
        }
        GK_TRY(const std::string secret,
               cli::read_secret(arguments.password_file, arguments.hash ? "hash" : "password"));
        if (arguments.hash) return accounts.credentials().set_imported(account.address, secret);
        return accounts.credentials().set_password(account.address, secret, accounts.hashing());
    };
    return finish(run());
}

int set_disabled(const Arguments& arguments, bool disabled) {
    return for_each(arguments, [&](accounts::Accounts& accounts, const std::string& address) -> Status {
        GK_TRY(auto account, existing(accounts, address));
        if (account.disabled == disabled) return ok();
        account.disabled = disabled;
        return accounts.directory().change_account(account, directory::Actor::caller());
    });
}

int remove(const Arguments& arguments) {
    return for_each(arguments, [&](accounts::Accounts& accounts, const std::string& address) -> Status {
        GK_TRY(const auto account, existing(accounts, address));
        const std::string what =
            fmt::format("account {}{}", account.address, arguments.delete_mail ? " and its mail" : "");
        if (arguments.dry_run) {
            fmt::print("remove {}\n", what);
            return ok();
        }
        // Deleted mail does not come back: a script has to say --yes.
        const bool asks = arguments.delete_mail || ::isatty(STDIN_FILENO) != 0;
        if (asks && !cli::confirm(fmt::format("remove {}?", what), arguments.yes))
            return fail(Errc::Denied, fmt::format("{} was not removed: say --yes", what));
        return accounts.remove(account.address, arguments.delete_mail, directory::Actor::caller());
    });
}

}  // namespace gk::user_tool
