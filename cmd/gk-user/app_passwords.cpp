// SPDX-License-Identifier: MIT
#include "cmd/gk-user/gk_user.hpp"
#include "common/base/text.hpp"
#include "common/base/time.hpp"
#include "common/cli/cli.hpp"

namespace gk::user_tool {

namespace {

std::string time_or(std::int64_t unix_s, std::string_view otherwise) {
    return unix_s == 0 ? std::string(otherwise) : format_rfc3339(from_unix_s(unix_s));
}

Result<std::int64_t> expiry_of(const std::string& text) {
    if (text.empty()) return 0;
    if (const auto until = parse_rfc3339(text)) return to_unix_s(*until);
    if (const auto span = text::to_duration_s(text); span && *span > 0) return to_unix_s(now()) + *span;
    return fail(Errc::BadInput,
                fmt::format("'{}' is neither a time span such as 90d nor a time such as 2027-01-01T00:00:00Z", text));
}

Result<std::string> existing(accounts::Accounts& accounts, const std::string& address) {
    GK_TRY(const auto account, accounts.directory().find_account(address));
    if (!account) return fail(Errc::NotFound, fmt::format("there is no account '{}'", address));
    return account->address;
}

}  // namespace

int add_app_password(const Arguments& arguments) {
    if (arguments.label.empty()) return cli::usage("--label is needed: which client is the app password for?");
    const auto run = [&]() -> Status {
        GK_TRY(const auto scopes, auth::parse_scopes(arguments.scope));
        GK_TRY(const std::int64_t expires_s, expiry_of(arguments.expires));
        GK_TRY(auto accounts, open(arguments));
        GK_TRY(const std::string address, existing(accounts, arguments.account));
        GK_TRY(const auto made, accounts.credentials().add_app_password(address, arguments.label, scopes, expires_s,
                                                                        accounts.hashing()));
        if (!arguments.json) {
            fmt::print("{}\n", made.password);
            return ok();
        }
        cli::Rows rows(true, {"account", "label", "scopes", "expires", "password"});
        rows.add({address, arguments.label, text::join(scopes, ","), time_or(expires_s, ""), made.password});
        return ok();
    };
    const Status status = run();
    return status ? 0 : cli::fail(status.error());
}

int list_app_passwords(const Arguments& arguments) {
    const auto run = [&]() -> Status {
        GK_TRY(auto accounts, open(arguments));
        GK_TRY(const std::string address, existing(accounts, arguments.account));
        GK_TRY(const auto credentials, accounts.credentials().find(address));
        cli::Rows rows(arguments.json, {"label", "scopes", "created", "expires", "last_used"});
        if (!credentials) return ok();
        const std::string_view never = arguments.json ? "" : "never";
        for (const auto& one : credentials->app_passwords)
            rows.add({one.label, text::join(one.scopes, ","), time_or(one.created_s, ""), time_or(one.expires_s, never),
                      time_or(one.last_used_s, never)});
        return ok();
    };
    const Status status = run();
    return status ? 0 : cli::fail(status.error());
}

int remove_app_password(const Arguments& arguments) {
    if (arguments.label.empty()) return cli::usage("--label is needed: which app password?");
    const auto run = [&]() -> Status {
        GK_TRY(auto accounts, open(arguments));
        GK_TRY(const std::string address, existing(accounts, arguments.account));
        return accounts.credentials().remove_app_password(address, arguments.label);
    };
    const Status status = run();
    return status ? 0 : cli::fail(status.error());
}

}  // namespace gk::user_tool
