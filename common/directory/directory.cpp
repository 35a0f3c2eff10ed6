// SPDX-License-Identifier: MIT
#include "common/directory/directory.hpp"

#include <fmt/format.h>
#include <cerrno>

#include "common/base/text.hpp"
#include "common/directory/impl.hpp"
#include "common/directory/schema.hpp"

namespace gk::directory {

namespace {

std::string account_query(bool has_quotas, std::string_view where) {
    return fmt::format(
        "select account.id, account.local_part || '@' || domain.name, tenant.name, account.name, account.admin, "
        "account.disabled, account.quota_bytes, account.created_s, {} from account "
        "join domain on domain.id = account.domain_id join tenant on tenant.id = account.tenant_id {}",
        has_quotas ? "account.quota_messages" : "0", where);
}
constexpr std::string_view kAliasColumns =
    "select alias.id, alias.local_part || '@' || domain.name, tenant.name, alias.created_s from alias "
    "join domain on domain.id = alias.domain_id join tenant on tenant.id = alias.tenant_id ";

Account account_of(const db::Statement& row) {
    return {row.integer(0),           std::string(row.text(1)), std::string(row.text(2)),
            std::string(row.text(3)), row.integer(4) != 0,      row.integer(5) != 0,
            row.integer(6),           row.integer(7),           row.integer(8)};
}

}  // namespace

Directory::Directory() : impl_(std::make_unique<Impl>()) {}
Directory::~Directory() = default;

Result<std::shared_ptr<Directory>> Directory::open(const config::Paths& paths, bool read_only, const Limits& limits) {
    db::Options options;
    options.create = !read_only;
    options.read_only = read_only;
    options.persist_wal = true;
    options.mode = 0640;
    auto database_opened = db::Database::open(paths.directory_db, options);
    if (!database_opened && database_opened.error().os_errno == ENOENT) {
        Error error = database_opened.error();
        error.text += ": gk-config init makes one";
        return fail(std::move(error));
    }
    GK_TRY(auto database, std::move(database_opened));
    if (!read_only) GK_CHECK(database.migrate(schema()));
    const std::shared_ptr<Directory> directory(new Directory);
    directory->impl_->paths = paths;
    directory->impl_->limits = limits;
    directory->impl_->read_only = read_only;
    directory->impl_->db = std::move(database);
    return directory;
}

Stamp Directory::Impl::read_stamp() const {
    const auto look = [](const std::string& path) {
        struct stat status {};
        if (::stat(path.c_str(), &status) != 0) return Stamp::File{};
        return Stamp::File{static_cast<std::int64_t>(status.st_ino), status.st_size,
                           status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec};
    };
    return {look(paths.directory_db), look(paths.directory_db + "-wal")};
}

void Directory::Impl::keep_room(std::size_t entries) {
    if (resolutions.size() >= entries) resolutions.clear();
    if (accounts.size() >= entries) accounts.clear();
    if (domains.size() >= entries) domains.clear();
    if (domain_quotas.size() >= entries) domain_quotas.clear();
}

Result<bool> Directory::Impl::knows_quotas() {
    if (has_quotas) return true;
    GK_TRY(auto query, db.prepare("pragma user_version"));
    GK_TRY(const bool row, query.step());
    has_quotas = row && query.integer(0) >= 2;
    query.reset();
    return has_quotas;
}

Result<std::optional<std::int64_t>> Directory::Impl::domain_id(std::string_view name) {
    GK_TRY(auto query, db.prepare("select id from domain where name = ?"));
    query.bind(name);
    GK_TRY(const bool row, query.step());
    if (!row) return std::optional<std::int64_t>();
    const std::int64_t id = query.integer(0);
    query.reset();
    return id;
}

Result<std::optional<Account>> Directory::Impl::account_at(std::string_view canonical) {
    GK_TRY(const bool quotas, knows_quotas());
    GK_TRY(auto query, db.prepare(account_query(quotas, "where domain.name = ? and account.local_part = ?")));
    query.bind(domain_of(canonical)).bind(local_part_of(canonical));
    GK_TRY(const bool row, query.step());
    if (!row) return std::optional<Account>();
    Account account = account_of(query);
    query.reset();
    return account;
}

Result<std::optional<Alias>> Directory::Impl::alias_at(std::string_view canonical) {
    GK_TRY(auto query, db.prepare(fmt::format("{}where domain.name = ? and alias.local_part = ?", kAliasColumns)));
    query.bind(domain_of(canonical)).bind(local_part_of(canonical));
    GK_TRY(const bool row, query.step());
    if (!row) return std::optional<Alias>();
    Alias alias{query.integer(0), std::string(query.text(1)), std::string(query.text(2)), {}, query.integer(3)};
    query.reset();
    GK_TRY(alias.targets, targets_of(alias.id));
    return alias;
}

Result<std::vector<std::string>> Directory::Impl::targets_of(std::int64_t alias_id) {
    GK_TRY(auto query, db.prepare("select address from alias_target where alias_id = ? order by position"));
    query.bind(alias_id);
    std::vector<std::string> targets;
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) return targets;
        targets.emplace_back(query.text(0));
    }
}

Result<std::vector<Account>> Directory::Impl::list_accounts(std::string_view where, std::string_view argument) {
    GK_TRY(const bool quotas, knows_quotas());
    GK_TRY(auto query, db.prepare(account_query(quotas, where)));
    if (!argument.empty()) query.bind(argument);
    std::vector<Account> found;
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) return found;
        found.push_back(account_of(query));
    }
}

Result<bool> Directory::is_local_domain(std::string_view domain) {
    auto canonical = canonical_domain(domain);
    if (!canonical) return false;  // an address literal, or no domain at all
    return impl_->cached(impl_->domains, *canonical, [&]() -> Result<bool> {
        GK_TRY(const auto id, impl_->domain_id(*canonical));
        return id.has_value();
    });
}

Result<std::optional<Account>> Directory::find_account(std::string_view address) {
    GK_TRY(const std::string canonical, canonical_address(address));
    return impl_->cached(impl_->accounts, canonical, [&] { return impl_->account_at(canonical); });
}

Result<Quota> Directory::quota_of_domain(std::string_view domain) {
    GK_TRY(const std::string canonical, canonical_domain(domain));
    return impl_->cached(impl_->domain_quotas, canonical, [&]() -> Result<Quota> {
        GK_TRY(const bool quotas, impl_->knows_quotas());
        if (!quotas) return Quota{};
        GK_TRY(auto query, impl_->db.prepare("select quota_bytes, quota_messages from domain where name = ?"));
        query.bind(canonical);
        GK_TRY(const bool row, query.step());
        if (!row) return Quota{};
        const Quota quota{query.integer(0), query.integer(1)};
        query.reset();
        return quota;
    });
}

Result<std::vector<Domain>> Directory::domains() {
    const std::lock_guard lock(impl_->db_mutex);
    GK_TRY(const bool quotas, impl_->knows_quotas());
    GK_TRY(auto query,
           impl_->db.prepare(fmt::format("select domain.id, domain.name, tenant.name, domain.created_s, "
                                         "(select count(*) from account where domain_id = domain.id), "
                                         "(select count(*) from alias where domain_id = domain.id), {} "
                                         "from domain join tenant on tenant.id = domain.tenant_id order by domain.name",
                                         quotas ? "quota_bytes, quota_messages" : "0, 0")));
    std::vector<Domain> found;
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) return found;
        found.push_back({query.integer(0),
                         std::string(query.text(1)),
                         std::string(query.text(2)),
                         query.integer(3),
                         query.integer(4),
                         query.integer(5),
                         {query.integer(6), query.integer(7)}});
    }
}

Result<std::optional<Domain>> Directory::find_domain(std::string_view name) {
    GK_TRY(const std::string canonical, canonical_domain(name));
    GK_TRY(auto all, domains());
    for (Domain& domain : all)
        if (domain.name == canonical) return std::optional<Domain>(std::move(domain));
    return std::optional<Domain>();
}

Result<std::vector<Account>> Directory::accounts(std::string_view domain) {
    std::string canonical;
    if (!domain.empty()) {
        GK_TRY(canonical, canonical_domain(domain));
    }
    const std::lock_guard lock(impl_->db_mutex);
    constexpr std::string_view order = "order by domain.name, account.local_part";
    return impl_->list_accounts(canonical.empty() ? std::string(order) : "where domain.name = ? " + std::string(order),
                                canonical);
}

Result<std::vector<Alias>> Directory::aliases(std::string_view domain) {
    std::string canonical;
    if (!domain.empty()) {
        GK_TRY(canonical, canonical_domain(domain));
    }
    const std::lock_guard lock(impl_->db_mutex);
    GK_TRY(auto query,
           impl_->db.prepare(std::string(kAliasColumns) + (canonical.empty() ? "" : "where domain.name = ? ") +
                             "order by domain.name, alias.local_part"));
    if (!canonical.empty()) query.bind(canonical);
    std::vector<Alias> found;
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) break;
        found.push_back(
            {query.integer(0), std::string(query.text(1)), std::string(query.text(2)), {}, query.integer(3)});
    }
    for (Alias& alias : found) {
        GK_TRY(alias.targets, impl_->targets_of(alias.id));
    }
    return found;
}

Result<std::optional<Alias>> Directory::find_alias(std::string_view address) {
    std::string canonical;
    if (address.starts_with('@')) {
        GK_TRY(canonical, canonical_domain(address.substr(1)));
        canonical = "@" + canonical;
    } else {
        GK_TRY(canonical, canonical_address(address));
    }
    const std::lock_guard lock(impl_->db_mutex);
    return impl_->alias_at(canonical);
}

}  // namespace gk::directory
