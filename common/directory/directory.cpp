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

Result<std::int64_t> Directory::Impl::version() {
    if (seen_version >= static_cast<std::int64_t>(schema().size())) return seen_version;
    GK_TRY(auto query, db.prepare("pragma user_version"));
    GK_TRY(const bool row, query.step());
    seen_version = row ? query.integer(0) : 0;
    query.reset();
    return seen_version;
}

Result<bool> Directory::Impl::knows_quotas() {
    GK_TRY(const auto found, version());
    return found >= 2;
}

Result<bool> Directory::Impl::knows_rules() {
    GK_TRY(const auto found, version());
    return found >= 3;
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
    Alias alias{query.integer(0), std::string(query.text(1)), std::string(query.text(2)), {}, query.integer(3), {}};
    query.reset();
    GK_TRY(alias.targets, targets_of(alias.id));
    GK_TRY(alias.list, list_of(alias.id));
    return alias;
}

Result<std::optional<List>> Directory::Impl::list_of(std::int64_t alias_id) {
    GK_TRY(const bool rules, knows_rules());
    if (!rules) return std::optional<List>();
    GK_TRY(auto query, db.prepare("select owner, post, name from list where alias_id = ?"));
    query.bind(alias_id);
    GK_TRY(const bool row, query.step());
    if (!row) return std::optional<List>();
    List list{std::string(query.text(0)), std::string(query.text(1)), std::string(query.text(2))};
    query.reset();
    return list;
}

Result<std::optional<Directory::Impl::Place>> Directory::Impl::place_of(std::string_view domain) {
    GK_TRY(const auto id, domain_id(domain));
    if (id) return std::optional<Place>({*id, std::string(domain)});
    GK_TRY(const bool rules, knows_rules());
    if (!rules) return std::optional<Place>();
    GK_TRY(auto query, db.prepare("select domain.id, domain.name from domain_alias "
                                  "join domain on domain.id = domain_alias.domain_id where domain_alias.name = ?"));
    query.bind(domain);
    GK_TRY(const bool row, query.step());
    if (!row) return std::optional<Place>();
    Place place{query.integer(0), std::string(query.text(1))};
    query.reset();
    return place;
}

Result<bool> Directory::Impl::has_account(std::int64_t domain, std::string_view local_part) {
    GK_TRY(auto query, db.prepare("select 1 from account where domain_id = ? and local_part = ?"));
    query.bind(domain).bind(local_part);
    GK_TRY(const bool row, query.step());
    if (row) query.reset();
    return row;
}

Result<std::optional<Directory::Impl::Found>> Directory::Impl::alias_in(std::int64_t domain,
                                                                        std::string_view local_part) {
    GK_TRY(const bool rules, knows_rules());
    GK_TRY(auto query, db.prepare(rules ? "select id, kind from alias where domain_id = ? and local_part = ?"
                                        : "select id, 0 from alias where domain_id = ? and local_part = ?"));
    query.bind(domain).bind(local_part);
    GK_TRY(const bool row, query.step());
    if (!row) return std::optional<Found>();
    const Found found{query.integer(0), static_cast<Kind>(query.integer(1))};
    query.reset();
    return found;
}

Result<std::optional<Directory::Impl::Matched>> Directory::Impl::pattern_for(std::int64_t domain,
                                                                             std::string_view local_part) {
    GK_TRY(const bool rules, knows_rules());
    if (!rules) return std::optional<Matched>();
    GK_TRY(auto query,
           db.prepare("select id, local_part from alias where domain_id = ? and kind = 1 order by id limit ?"));
    query.bind(domain).bind(std::int64_t{limits.patterns});
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) return std::optional<Matched>();
        const auto pattern = pattern_in(query.text(1));
        auto groups = pattern ? patterns.match(std::string(*pattern), local_part) : std::nullopt;
        if (!groups) continue;
        Matched matched{query.integer(0), std::string(query.text(1)), std::move(*groups)};
        query.reset();
        return matched;
    }
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
        GK_TRY(const auto place, impl_->place_of(*canonical));
        return place.has_value();
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

Status Directory::each_alias(std::string_view domain, const std::function<Status(const Alias&)>& visit) {
    std::string canonical;
    if (!domain.empty()) {
        GK_TRY(canonical, canonical_domain(domain));
    }
    const std::lock_guard lock(impl_->db_mutex);
    GK_TRY(auto query,
           impl_->db.prepare(std::string(kAliasColumns) + (canonical.empty() ? "" : "where domain.name = ? ") +
                             "order by domain.name, alias.local_part"));
    if (!canonical.empty()) query.bind(canonical);
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) return ok();
        Alias alias{query.integer(0), std::string(query.text(1)), std::string(query.text(2)), {}, query.integer(3), {}};
        GK_TRY(alias.targets, impl_->targets_of(alias.id));
        GK_TRY(alias.list, impl_->list_of(alias.id));
        if (auto visited = visit(alias); !visited) {
            query.reset();
            return visited;
        }
    }
}

Result<std::vector<Alias>> Directory::aliases(std::string_view domain) {
    std::vector<Alias> found;
    GK_CHECK(each_alias(domain, [&](const Alias& alias) -> Status {
        found.push_back(alias);
        return ok();
    }));
    return found;
}

Result<std::vector<DomainAlias>> Directory::domain_aliases(std::string_view domain) {
    std::string canonical;
    if (!domain.empty()) {
        GK_TRY(canonical, canonical_domain(domain));
    }
    const std::lock_guard lock(impl_->db_mutex);
    std::vector<DomainAlias> found;
    GK_TRY(const bool rules, impl_->knows_rules());
    if (!rules) return found;
    GK_TRY(auto query,
           impl_->db.prepare("select domain_alias.name, domain.name, domain_alias.created_s from domain_alias "
                             "join domain on domain.id = domain_alias.domain_id "
                             "where ?1 = '' or domain.name = ?1 order by domain_alias.name"));
    query.bind(canonical);
    for (;;) {
        GK_TRY(const bool row, query.step());
        if (!row) return found;
        found.push_back({std::string(query.text(0)), std::string(query.text(1)), query.integer(2)});
    }
}

Result<std::optional<Alias>> Directory::find_alias(std::string_view address) {
    GK_TRY(const std::string canonical, canonical_alias(address));
    const std::lock_guard lock(impl_->db_mutex);
    return impl_->alias_at(canonical);
}

}  // namespace gk::directory
