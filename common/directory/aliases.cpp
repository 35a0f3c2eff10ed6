// SPDX-License-Identifier: MIT
#include <algorithm>
#include <set>

#include "common/base/text.hpp"
#include "common/base/time.hpp"
#include "common/directory/directory.hpp"
#include "common/directory/impl.hpp"

namespace gk::directory {

namespace {

constexpr std::size_t kMostTargets = 10'000;
constexpr std::size_t kMostName = 200;

std::int64_t now_s() { return to_unix_s(now()); }

// A target whose local part may name the groups of a pattern.
Result<std::string> canonical_target(const std::string& target, int groups) {
    const int highest = highest_group(local_part_of(target));
    if (groups < 0 || highest < 0) return canonical_address(target);
    if (highest > groups)
        return fail(Errc::BadInput, fmt::format("'{}' names a group that the pattern does not have", target));
    GK_TRY(const std::string domain, canonical_domain(domain_of(target)));
    GK_CHECK(canonical_address(substitute(local_part_of(target), std::vector<std::string>(10, "x")) + "@" + domain));
    return text::lower(local_part_of(target)) + "@" + domain;
}

Result<std::string> canonical_post(std::string_view post) {
    std::vector<std::string> words;
    for (const auto word : text::words(post)) {
        const std::string lower = text::lower(word);
        if (lower == "anyone" || lower == "members" || lower == "owner") {
            words.push_back(lower);
        } else if (word.starts_with('@')) {
            GK_TRY(const auto domain, canonical_domain(word.substr(1)));
            words.emplace_back("@").append(domain);
        } else {
            GK_TRY(words.emplace_back(), canonical_address(word));
        }
    }
    if (words.empty()) return fail(Errc::BadInput, "a list needs somebody who may write to it");
    return text::join(words, " ");
}

Result<List> canonical_list(const List& given) {
    List list;
    GK_TRY(list.owner, canonical_address(given.owner));
    GK_TRY(list.post, canonical_post(given.post));
    list.name = text::trim(given.name);
    if (list.name.size() > kMostName || !text::is_utf8(list.name) ||
        std::any_of(list.name.begin(), list.name.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }))
        return fail(Errc::BadInput, fmt::format("a list's name is one line of at most {} bytes", kMostName));
    return list;
}

Result<NewAlias> canonical(const NewAlias& given) {
    NewAlias wanted;
    GK_TRY(wanted.address, canonical_alias(given.address));
    const auto pattern = pattern_in(local_part_of(wanted.address));
    const int groups = pattern ? groups_of(*pattern) : -1;
    std::set<std::string> seen;
    for (const std::string& target : given.targets) {
        GK_TRY(std::string one, canonical_target(target, groups));
        if (seen.insert(one).second) wanted.targets.push_back(std::move(one));
    }
    if (wanted.targets.empty()) return fail(Errc::BadInput, fmt::format("alias '{}' needs a target", wanted.address));
    if (wanted.targets.size() > kMostTargets)
        return fail(Errc::BadInput, fmt::format("an alias may have {} targets", kMostTargets));
    if (!given.list) return wanted;
    const auto local = local_part_of(wanted.address);
    if (pattern || local.empty() || local.find('*') != std::string_view::npos)
        return fail(Errc::BadInput, "only an address of its own can be a list");
    GK_TRY(wanted.list, canonical_list(*given.list));
    return wanted;
}

}  // namespace

Result<std::pair<Directory::Impl::Put, std::int64_t>> Directory::Impl::put(const NewAlias& wanted, const Actor& actor) {
    const auto domain_name = domain_of(wanted.address), local = local_part_of(wanted.address);
    GK_TRY(const auto domain, domain_id(domain_name));
    if (!domain)
        return fail(Errc::NotFound, fmt::format("there is no domain '{}': add it with gk-domain add", domain_name));
    GK_TRY(const bool account, has_account(*domain, local));
    if (account) return fail(Errc::Exists, fmt::format("there is an account '{}' already", wanted.address));
    const Kind kind = wanted.list ? Kind::List : pattern_in(local) ? Kind::Pattern : Kind::Alias;
    GK_TRY(const auto old, alias_in(*domain, local));
    std::int64_t id = old ? old->id : 0;
    if (old && old->kind == kind) {
        GK_TRY(const auto targets, targets_of(id));
        GK_TRY(const auto list, list_of(id));
        if (targets == wanted.targets && list == wanted.list) return std::pair(Put::Same, id);
    }
    if (!old && kind == Kind::Pattern) {
        GK_TRY(auto count, db.prepare("select count(*) from alias where domain_id = ? and kind = 1"));
        GK_TRY(const bool row, count.bind(*domain).step());
        const bool full = row && count.integer(0) >= limits.patterns;
        count.reset();
        if (full)
            return fail(Errc::BadInput,
                        fmt::format("domain '{}' has {} patterns (directory.patterns)", domain_name, limits.patterns));
    }
    if (!old) {
        GK_TRY(auto insert,
               db.prepare("insert into alias (tenant_id, domain_id, local_part, created_s, changed_s, kind) "
                          "values (1, ?, ?, ?, ?, ?)"));
        insert.bind(*domain).bind(local).bind(now_s()).bind(now_s());
        GK_CHECK(insert.bind(static_cast<std::int64_t>(kind)).run());
        id = db.last_insert_rowid();
    } else {
        GK_TRY(auto update, db.prepare("update alias set kind = ?, changed_s = ? where id = ?"));
        GK_CHECK(update.bind(static_cast<std::int64_t>(kind)).bind(now_s()).bind(id).run());
        for (const auto* clear :
             {"delete from alias_target where alias_id = ?", "delete from list where alias_id = ?"}) {
            GK_TRY(auto remove, db.prepare(clear));
            GK_CHECK(remove.bind(id).run());
        }
    }
    GK_TRY(auto insert, db.prepare("insert into alias_target (alias_id, position, address) values (?, ?, ?)"));
    for (std::size_t i = 0; i < wanted.targets.size(); ++i)
        GK_CHECK(insert.bind(id).bind(static_cast<std::int64_t>(i)).bind(wanted.targets[i]).run());
    if (wanted.list) {
        GK_TRY(auto row, db.prepare("insert into list (alias_id, owner, post, name) values (?, ?, ?, ?)"));
        GK_CHECK(row.bind(id).bind(wanted.list->owner).bind(wanted.list->post).bind(wanted.list->name).run());
    }
    GK_CHECK(audit(actor, "alias.set", wanted.address, text::join(wanted.targets, " ")));
    return std::pair(old ? Put::Changed : Put::Added, id);
}

Result<Directory::Applied> Directory::apply_aliases(const std::function<Result<std::optional<NewAlias>>()>& next,
                                                    const ApplyOptions& options, const Actor& actor,
                                                    const std::function<void(const std::string&)>& say) {
    if (impl_->read_only) return fail(Errc::Denied, fmt::format("'{}' is open for reading", impl_->paths.directory_db));
    const auto tell = [&](std::string_view what, std::string_view address) {
        if (say) say(fmt::format("{} {}", what, address));
    };
    const std::lock_guard lock(impl_->db_mutex);
    auto& db = impl_->db;
    GK_TRY(auto transaction, db::Transaction::begin(db));
    Applied applied;
    std::vector<std::int64_t> declared, changed;
    std::set<std::string, std::less<>> domains;
    for (;;) {
        GK_TRY(const auto given, next());
        if (!given) break;
        GK_TRY(const NewAlias wanted, canonical(*given));
        GK_TRY(const auto done, impl_->put(wanted, actor));
        if (options.prune) {
            declared.push_back(done.second);
            domains.emplace(domain_of(wanted.address));
        }
        if (done.first == Impl::Put::Same) {
            ++applied.same;
            continue;
        }
        ++(done.first == Impl::Put::Added ? applied.added : applied.changed);
        tell(done.first == Impl::Put::Added ? "add" : "change", wanted.address);
        changed.push_back(done.second);
    }
    std::sort(declared.begin(), declared.end());
    for (const auto& domain : domains) {
        GK_TRY(const auto id, impl_->domain_id(domain));
        GK_TRY(auto rows, db.prepare("select id, local_part from alias where domain_id = ? order by id"));
        rows.bind(id.value_or(0));
        std::vector<std::pair<std::int64_t, std::string>> others;
        for (;;) {
            GK_TRY(const bool row, rows.step());
            if (!row) break;
            if (!std::binary_search(declared.begin(), declared.end(), rows.integer(0)))
                others.emplace_back(rows.integer(0), std::string(rows.text(1)) + "@" + domain);
        }
        for (const auto& [other, address] : others) {
            GK_TRY(auto remove, db.prepare("delete from alias where id = ?"));
            GK_CHECK(remove.bind(other).run());
            GK_CHECK(impl_->audit(actor, "alias.remove", address, ""));
            ++applied.removed;
            tell("remove", address);
        }
    }
    // Only now: what is declared may lead to what is declared after it.
    for (const auto id : changed) {
        GK_TRY(auto row,
               db.prepare("select alias.local_part || '@' || domain.name from alias join domain on domain.id = "
                          "alias.domain_id where alias.id = ?"));
        GK_TRY(const bool there, row.bind(id).step());
        const std::string address(there ? row.text(0) : "");
        row.reset();
        if (auto sound = impl_->verify(id, address); !sound)
            return fail(changed.size() == 1 ? sound.error() : sound.error().in(address));
    }
    if (options.dry_run) return applied;
    GK_CHECK(transaction.commit());
    impl_->touch();
    return applied;
}

Result<Alias> Directory::set_alias(const NewAlias& wanted, const Actor& actor) {
    bool given = false;
    GK_TRY(const auto applied, apply_aliases(
                                   [&]() -> Result<std::optional<NewAlias>> {
                                       if (std::exchange(given, true)) return std::optional<NewAlias>();
                                       return wanted;
                                   },
                                   {}, actor));
    (void)applied;
    GK_TRY(auto alias, find_alias(wanted.address));
    if (!alias) return fail(Errc::Temporary, fmt::format("alias '{}' was removed meanwhile", wanted.address));
    return std::move(*alias);
}

Result<Alias> Directory::set_alias(std::string_view address, const std::vector<std::string>& targets,
                                   const Actor& actor) {
    GK_TRY(const auto old, find_alias(address));
    return set_alias({std::string(address), targets, old ? old->list : std::nullopt}, actor);
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
    const int groups = pattern_in(local_part_of(alias->address)) ? 9 : -1;
    std::vector<std::string> left = alias->targets;
    for (const std::string& target : targets) {
        GK_TRY(const std::string one, canonical_target(target, groups));
        if (std::erase(left, one) == 0)
            return fail(Errc::NotFound, fmt::format("alias '{}' does not lead to '{}'", alias->address, one));
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
