// SPDX-License-Identifier: MIT
#include <fcntl.h>

#include "common/base/text.hpp"
#include "common/base/time.hpp"
#include "common/directory/directory.hpp"
#include "common/directory/impl.hpp"

namespace gk::directory {

namespace {

constexpr std::size_t kMostDetail = 4000;  // of an audit row

std::int64_t now_s() { return to_unix_s(now()); }

}  // namespace

// The WAL's last bytes are on disk before its commit is visible; a reader between the two would keep the old
// answer under the new stamp. Another mtime after the commit makes it look again.
void Directory::Impl::touch() noexcept { (void)::utimensat(AT_FDCWD, paths.directory_db.c_str(), nullptr, 0); }

Status Directory::Impl::audit(const Actor& actor, std::string_view verb, std::string_view object,
                              std::string_view detail) {
    GK_TRY(auto row,
           db.prepare(
               "insert into change (time_us, tenant, actor, verb, object, detail) values (?, 'default', ?, ?, ?, ?)"));
    row.bind(now().time_since_epoch().count()).bind(actor.name).bind(verb).bind(object);
    return row.bind(detail.substr(0, kMostDetail)).run();
}

Result<Domain> Directory::add_domain(std::string_view name, const Actor& actor) {
    GK_TRY(const std::string canonical, canonical_domain(name));
    const Status changed = impl_->change(actor, "domain.add", canonical, "", [&]() -> Status {
        GK_TRY(const auto id, impl_->domain_id(canonical));
        if (id) return fail(Errc::Exists, fmt::format("there is a domain '{}' already", canonical));
        GK_TRY(const auto place, impl_->place_of(canonical));
        if (place) return fail(Errc::Exists, fmt::format("'{}' is another name of '{}'", canonical, place->name));
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

Result<std::string> Directory::Impl::names_of(std::int64_t domain) {
    GK_TRY(auto query,
           db.prepare("select coalesce(group_concat(name, ' '), '') from domain_alias where domain_id = ?"));
    query.bind(domain);
    GK_TRY(const bool row, query.step());
    std::string names(row ? query.text(0) : "");
    query.reset();
    return names;
}

Status Directory::add_domain_alias(std::string_view name, std::string_view domain, const Actor& actor) {
    GK_TRY(const std::string canonical, canonical_domain(name));
    GK_TRY(const std::string target, canonical_domain(domain));
    return impl_->change(actor, "domain.add-alias", canonical, target, [&]() -> Status {
        GK_TRY(const auto there, impl_->place_of(canonical));
        if (there && there->name == canonical)
            return fail(Errc::Exists, fmt::format("there is a domain '{}' already", canonical));
        if (there) return fail(Errc::Exists, fmt::format("'{}' is another name of '{}'", canonical, there->name));
        // Of a domain itself: so names never lead in a circle.
        GK_TRY(const auto id, impl_->domain_id(target));
        if (!id) return fail(Errc::NotFound, fmt::format("there is no domain '{}'", target));
        GK_TRY(auto insert,
               impl_->db.prepare("insert into domain_alias (name, domain_id, created_s) values (?, ?, ?)"));
        return insert.bind(canonical).bind(*id).bind(now_s()).run();
    });
}

Status Directory::remove_domain_alias(std::string_view name, const Actor& actor) {
    GK_TRY(const std::string canonical, canonical_domain(name));
    return impl_->change(actor, "domain.remove-alias", canonical, "", [&]() -> Status {
        GK_TRY(auto remove, impl_->db.prepare("delete from domain_alias where name = ?"));
        GK_CHECK(remove.bind(canonical).run());
        if (impl_->db.changes() > 0) return ok();
        return fail(Errc::NotFound, fmt::format("'{}' is no other name of a domain", canonical));
    });
}

Status Directory::remove_domain(std::string_view name, const Actor& actor, bool with_aliases) {
    GK_TRY(const std::string canonical, canonical_domain(name));
    return impl_->change(actor, "domain.remove", canonical, "", [&]() -> Status {
        GK_TRY(const auto id, impl_->domain_id(canonical));
        if (!id) return fail(Errc::NotFound, fmt::format("there is no domain '{}'", canonical));
        if (with_aliases) {
            GK_TRY(auto clear, impl_->db.prepare("delete from alias where domain_id = ?"));
            GK_CHECK(clear.bind(*id).run());
        }
        GK_TRY(const auto names, impl_->names_of(*id));
        if (!names.empty())
            return fail(Errc::Denied,
                        fmt::format("domain '{}' is also '{}': gk-domain remove-alias", canonical, names));
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

}  // namespace gk::directory
