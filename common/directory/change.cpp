// SPDX-License-Identifier: MIT
#include <fcntl.h>

#include "common/base/text.hpp"
#include "common/base/time.hpp"
#include "common/directory/directory.hpp"
#include "common/directory/impl.hpp"

namespace gk::directory {

namespace {

constexpr std::size_t kMostTargets = 10'000;
constexpr std::size_t kMostDetail = 4000;  // of an audit row

std::int64_t now_s() { return to_unix_s(now()); }

}  // namespace

// The WAL's last bytes are on disk before its commit is visible; a reader between the two would keep the old
// answer under the new stamp. Another mtime after the commit makes it look again.
void Directory::Impl::touch() noexcept { (void)::utimensat(AT_FDCWD, paths.directory_db.c_str(), nullptr, 0); }

template <class Body>
Status Directory::Impl::change(const Actor& actor, std::string_view verb, std::string_view object,
                               std::string_view detail, Body body) {
    if (read_only) return fail(Errc::Denied, fmt::format("'{}' is open for reading", paths.directory_db));
    const std::lock_guard lock(db_mutex);
    GK_TRY(auto transaction, db::Transaction::begin(db));
    GK_CHECK(body());
    GK_TRY(auto audit,
           db.prepare(
               "insert into change (time_us, tenant, actor, verb, object, detail) values (?, 'default', ?, ?, ?, ?)"));
    audit.bind(now().time_since_epoch().count()).bind(actor.name).bind(verb).bind(object).bind(detail);
    GK_CHECK(audit.run());
    GK_CHECK(transaction.commit());
    touch();
    return ok();
}

Result<Domain> Directory::add_domain(std::string_view name, const Actor& actor) {
    GK_TRY(const std::string canonical, canonical_domain(name));
    const Status changed = impl_->change(actor, "domain.add", canonical, "", [&]() -> Status {
        GK_TRY(const auto id, impl_->domain_id(canonical));
        if (id) return fail(Errc::Exists, fmt::format("there is a domain '{}' already", canonical));
        GK_TRY(auto insert, impl_->db.prepare("insert into domain (tenant_id, name, created_s) values (1, ?, ?)"));
        return insert.bind(canonical).bind(now_s()).run();
    });
    GK_CHECK(changed);
    GK_TRY(const auto domain, find_domain(canonical));
    if (!domain) return fail(Errc::Temporary, fmt::format("domain '{}' was removed meanwhile", canonical));
    return *domain;
}

Status Directory::set_domain_quota(std::string_view name, const Quota& quota, const Actor& actor) {
    GK_TRY(const std::string canonical, canonical_domain(name));
    const std::string detail = fmt::format("quota={} quota_messages={}", quota.bytes, quota.messages);
    return impl_->change(actor, "domain.change", canonical, detail, [&]() -> Status {
        GK_TRY(const auto id, impl_->domain_id(canonical));
        if (!id) return fail(Errc::NotFound, fmt::format("there is no domain '{}'", canonical));
        GK_TRY(auto update, impl_->db.prepare("update domain set quota_bytes = ?, quota_messages = ? where id = ?"));
        return update.bind(quota.bytes).bind(quota.messages).bind(*id).run();
    });
}

Status Directory::remove_domain(std::string_view name, const Actor& actor) {
    GK_TRY(const std::string canonical, canonical_domain(name));
    return impl_->change(actor, "domain.remove", canonical, "", [&]() -> Status {
        GK_TRY(const auto id, impl_->domain_id(canonical));
        if (!id) return fail(Errc::NotFound, fmt::format("there is no domain '{}'", canonical));
        GK_TRY(auto count, impl_->db.prepare("select (select count(*) from account where domain_id = ?1) + "
                                             "(select count(*) from alias where domain_id = ?1)"));
        count.bind(*id);
        GK_TRY(const bool row, count.step());
        const std::int64_t inside = row ? count.integer(0) : 0;
        count.reset();
        if (inside > 0)
            return fail(Errc::Denied, fmt::format("domain '{}' still has {} accounts or aliases: remove them first",
                                                  canonical, inside));
        GK_TRY(auto remove, impl_->db.prepare("delete from domain where id = ?"));
        return remove.bind(*id).run();
    });
}

Result<Account> Directory::add_account(std::string_view address, const NewAccount& details, const Actor& actor) {
    GK_TRY(const std::string canonical, canonical_account(address));
    const Status changed = impl_->change(actor, "account.add", canonical, "", [&]() -> Status {
        GK_TRY(const auto domain, impl_->domain_id(domain_of(canonical)));
        if (!domain)
            return fail(Errc::NotFound,
                        fmt::format("there is no domain '{}': add it with gk-domain add", domain_of(canonical)));
        GK_TRY(const auto account, impl_->account_at(canonical));
        if (account) return fail(Errc::Exists, fmt::format("there is an account '{}' already", canonical));
        GK_TRY(const auto alias, impl_->alias_at(canonical));
        if (alias) return fail(Errc::Exists, fmt::format("there is an alias '{}' already", canonical));
        GK_TRY(auto insert,
               impl_->db.prepare("insert into account (tenant_id, domain_id, local_part, name, admin, quota_bytes, "
                                 "quota_messages, created_s, changed_s) values (1, ?, ?, ?, ?, ?, ?, ?, ?)"));
        const std::int64_t time = now_s();
        return insert.bind(*domain)
            .bind(local_part_of(canonical))
            .bind(details.name)
            .bind(std::int64_t{details.admin})
            .bind(details.quota_bytes)
            .bind(details.quota_messages)
            .bind(time)
            .bind(time)
            .run();
    });
    GK_CHECK(changed);
    GK_TRY(const auto account, find_account(canonical));
    if (!account) return fail(Errc::Temporary, fmt::format("account '{}' was removed meanwhile", canonical));
    return *account;
}

Status Directory::change_account(const Account& account, const Actor& actor) {
    GK_TRY(const std::string canonical, canonical_account(account.address));
    const std::string detail =
        fmt::format("name={} admin={} disabled={} quota={} quota_messages={}", account.name, account.admin,
                    account.disabled, account.quota_bytes, account.quota_messages);
    return impl_->change(actor, "account.change", canonical, detail, [&]() -> Status {
        GK_TRY(const auto old, impl_->account_at(canonical));
        if (!old) return fail(Errc::NotFound, fmt::format("there is no account '{}'", canonical));
        GK_TRY(auto update, impl_->db.prepare("update account set name = ?, admin = ?, disabled = ?, quota_bytes = ?, "
                                              "quota_messages = ?, changed_s = ? where id = ?"));
        return update.bind(account.name)
            .bind(std::int64_t{account.admin})
            .bind(std::int64_t{account.disabled})
            .bind(account.quota_bytes)
            .bind(account.quota_messages)
            .bind(now_s())
            .bind(old->id)
            .run();
    });
}

Status Directory::remove_account(std::string_view address, const Actor& actor) {
    GK_TRY(const std::string canonical, canonical_account(address));
    return impl_->change(actor, "account.remove", canonical, "", [&]() -> Status {
        GK_TRY(const auto account, impl_->account_at(canonical));
        if (!account) return fail(Errc::NotFound, fmt::format("there is no account '{}'", canonical));
        GK_TRY(auto remove, impl_->db.prepare("delete from account where id = ?"));
        return remove.bind(account->id).run();
    });
}

namespace {

Result<std::string> canonical_alias(std::string_view address) {
    if (!address.starts_with('@')) return canonical_account(address);
    GK_TRY(const std::string domain, canonical_domain(address.substr(1)));
    return "@" + domain;
}

}  // namespace

Result<Alias> Directory::set_alias(std::string_view address, const std::vector<std::string>& targets,
                                   const Actor& actor) {
    GK_TRY(const std::string canonical, canonical_alias(address));
    std::vector<std::string> wanted;
    for (const std::string& target : targets) {
        GK_TRY(std::string one, canonical_address(target));
        if (std::find(wanted.begin(), wanted.end(), one) == wanted.end()) wanted.push_back(std::move(one));
    }
    if (wanted.empty()) return fail(Errc::BadInput, fmt::format("alias '{}' needs a target", canonical));
    if (wanted.size() > kMostTargets)
        return fail(Errc::BadInput, fmt::format("an alias may have {} targets", kMostTargets));

    const Status changed =
        impl_->change(actor, "alias.set", canonical, text::join(wanted, " ").substr(0, kMostDetail), [&]() -> Status {
            GK_TRY(const auto domain, impl_->domain_id(domain_of(canonical)));
            if (!domain)
                return fail(Errc::NotFound,
                            fmt::format("there is no domain '{}': add it with gk-domain add", domain_of(canonical)));
            if (!canonical.starts_with('@')) {
                GK_TRY(const auto account, impl_->account_at(canonical));
                if (account) return fail(Errc::Exists, fmt::format("there is an account '{}' already", canonical));
            }
            GK_TRY(const auto old, impl_->alias_at(canonical));
            std::int64_t id = old ? old->id : 0;
            if (!old) {
                GK_TRY(auto insert,
                       impl_->db.prepare("insert into alias (tenant_id, domain_id, local_part, created_s, changed_s) "
                                         "values (1, ?, ?, ?, ?)"));
                GK_CHECK(insert.bind(*domain).bind(local_part_of(canonical)).bind(now_s()).bind(now_s()).run());
                id = impl_->db.last_insert_rowid();
            }
            GK_TRY(auto clear, impl_->db.prepare("delete from alias_target where alias_id = ?"));
            GK_CHECK(clear.bind(id).run());
            GK_TRY(auto insert,
                   impl_->db.prepare("insert into alias_target (alias_id, position, address) values (?, ?, ?)"));
            for (std::size_t i = 0; i < wanted.size(); ++i) {
                GK_CHECK(insert.bind(id).bind(static_cast<std::int64_t>(i)).bind(wanted[i]).run());
            }
            GK_TRY(const std::string circle, impl_->find_circle(canonical));
            if (!circle.empty()) return fail(Errc::BadInput, "the alias would lead in a circle: " + circle);
            for (const std::string& target : wanted) {
                GK_TRY(const bool arrives, impl_->leads_somewhere(target));
                if (!arrives) return fail(Errc::NotFound, fmt::format("there is no account or alias '{}'", target));
            }
            return ok();
        });
    GK_CHECK(changed);
    GK_TRY(auto alias, find_alias(canonical));
    if (!alias) return fail(Errc::Temporary, fmt::format("alias '{}' was removed meanwhile", canonical));
    return std::move(*alias);
}

Result<Alias> Directory::add_alias(std::string_view address, const std::vector<std::string>& targets,
                                   const Actor& actor) {
    GK_TRY(const auto old, find_alias(address));
    std::vector<std::string> all = old ? old->targets : std::vector<std::string>();
    all.insert(all.end(), targets.begin(), targets.end());
    return set_alias(address, all, actor);
}

Status Directory::remove_alias(std::string_view address, const std::vector<std::string>& targets, const Actor& actor) {
    GK_TRY(const auto alias, find_alias(address));
    if (!alias) return fail(Errc::NotFound, fmt::format("there is no alias '{}'", text::printable(address)));
    std::vector<std::string> left = alias->targets;
    for (const std::string& target : targets) {
        GK_TRY(const std::string canonical, canonical_address(target));
        if (std::erase(left, canonical) == 0)
            return fail(Errc::NotFound, fmt::format("alias '{}' does not lead to '{}'", alias->address, canonical));
    }
    if (!targets.empty() && !left.empty()) {
        GK_TRY(const auto changed, set_alias(alias->address, left, actor));
        (void)changed;
        return ok();
    }
    return impl_->change(actor, "alias.remove", alias->address, "", [&]() -> Status {
        GK_TRY(auto remove, impl_->db.prepare("delete from alias where id = ?"));
        return remove.bind(alias->id).run();
    });
}

}  // namespace gk::directory
