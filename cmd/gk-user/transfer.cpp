// SPDX-License-Identifier: MIT
#include <unistd.h>
#include <set>

#include "cmd/gk-user/gk_user.hpp"
#include "common/base/text.hpp"
#include "common/cli/cli.hpp"
#include "common/os/file.hpp"

namespace gk::user_tool {

namespace {

constexpr std::size_t kMostText = 256u << 20;

Result<std::string> read_text(const std::string& file) {
    if (file != "-") return os::read_file(file, kMostText);
    std::string text;
    char buffer[65536];
    for (;;) {
        const ssize_t n = ::read(STDIN_FILENO, buffer, sizeof buffer);
        if (n < 0) return fail_errno("cannot read standard input");
        if (n == 0) return text;
        text.append(buffer, static_cast<std::size_t>(n));
        if (text.size() > kMostText) return fail(Errc::BadInput, "standard input is too large");
    }
}

Result<std::vector<accounts::Declared>> parse(const std::string& text, const std::string& file) {
    std::vector<accounts::Declared> all;
    std::set<std::string> seen;
    std::size_t number = 0;
    for (const std::string_view line : text::split(text, '\n')) {
        ++number;
        if (text::trim(line).empty() || text::trim(line).front() == '#') continue;
        auto declared = accounts::parse_declared(line);
        const std::string where = fmt::format("{}:{}", file == "-" ? "stdin" : file, number);
        if (!declared) return fail(declared.error().in(where));
        if (!seen.insert(declared->address).second)
            return fail(Errc::BadInput, fmt::format("{}: '{}' is declared twice", where, declared->address));
        all.push_back(std::move(*declared));
    }
    return all;
}

Result<std::vector<std::string>> undeclared(accounts::Accounts& accounts,
                                            const std::vector<accounts::Declared>& declared) {
    std::set<std::string, std::less<>> domains, addresses;
    for (const auto& one : declared) {
        domains.emplace(directory::domain_of(one.address));
        addresses.insert(one.address);
    }
    std::vector<std::string> found;
    GK_TRY(const auto all, accounts.directory().accounts());
    for (const auto& account : all)
        if (domains.contains(directory::domain_of(account.address)) && !addresses.contains(account.address))
            found.push_back(account.address);
    return found;
}

}  // namespace

int export_accounts(const Arguments& arguments) {
    auto accounts = open(arguments);
    if (!accounts) return cli::fail(accounts.error());
    const auto all = accounts->directory().accounts(arguments.domain);
    if (!all) return cli::fail(all.error());
    for (const auto& account : *all) {
        const auto credentials = accounts->credentials().find(account.address);
        if (!credentials) return cli::fail(credentials.error());
        fmt::print("{}\n", accounts::format_declared(account, *credentials ? &**credentials : nullptr));
    }
    return 0;
}

int apply(const Arguments& arguments) {
    const auto run = [&]() -> Status {
        GK_TRY(const std::string text, read_text(arguments.file));
        GK_TRY(const auto all, parse(text, arguments.file));  // all of it, before anything is changed
        GK_TRY(auto accounts, open(arguments));
        const auto actor = directory::Actor::caller();
        cli::Rows rows(arguments.json, {"change"});
        for (const auto& declared : all) {
            GK_TRY(const auto done, accounts.apply(declared, {arguments.dry_run, arguments.reset_passwords}, actor));
            for (const auto& line : done) rows.add({line});
        }
        if (!arguments.prune) return ok();
        GK_TRY(const auto others, undeclared(accounts, all));
        if (!others.empty() && !arguments.dry_run && ::isatty(STDIN_FILENO) != 0 &&
            !cli::confirm(fmt::format("remove {} accounts that are not declared?", others.size()), arguments.yes))
            return fail(Errc::Denied, "nothing was removed");
        for (const auto& address : others) {
            rows.add({fmt::format("remove {}", address)});
            if (!arguments.dry_run) GK_CHECK(accounts.remove(address, false, actor));
        }
        return ok();
    };
    const Status status = run();
    return status ? 0 : cli::fail(status.error());
}

}  // namespace gk::user_tool
