// SPDX-License-Identifier: MIT
#include <algorithm>

#include "common/address/grammar.hpp"
#include "common/address/path.hpp"
#include "common/base/text.hpp"
#include "common/directory/directory.hpp"
#include "common/directory/impl.hpp"
#include "common/directory/walk.hpp"

namespace gk::directory {

namespace {

// One snapshot for all the queries of BODY.
template <class Body>
auto in_snapshot(db::Database& db, Body body) -> decltype(body()) {
    GK_CHECK(db.execute("begin"));
    auto done = body();
    GK_CHECK(db.execute("commit"));
    return done;
}

}  // namespace

Result<Resolution> Directory::Impl::resolve(const std::string& canonical, std::string_view delimiter) {
    return in_snapshot(db, [&]() -> Result<Resolution> {
        Resolution out;
        Walk<Impl> walk(*this, delimiter, out);
        GK_TRY(const bool found, walk.follow(canonical, "", 0));
        if (found) {
            out.kind = Resolution::Kind::Found;
            return out;
        }
        if (!walk.circle().empty()) return fail(Errc::Permanent, "aliases lead in a circle: " + walk.circle());
        bool local = canonical == "postmaster@";
        if (!local) {
            GK_TRY(const auto place, place_of(domain_of(canonical)));
            local = place.has_value();
        }
        out.kind = local ? Resolution::Kind::NoSuchUser : Resolution::Kind::NotLocal;
        return out;
    });
}

Result<Resolution> Directory::Impl::members(const std::string& list) {
    return in_snapshot(db, [&]() -> Result<Resolution> {
        Resolution out;
        GK_TRY(const auto place, place_of(domain_of(list)));
        const auto missing = [&] { return fail(Errc::NotFound, fmt::format("there is no list '{}'", list)); };
        if (!place) return missing();
        GK_TRY(const auto alias, alias_in(place->id, local_part_of(list)));
        if (!alias || alias->kind != Kind::List) return missing();
        Walk<Impl> walk(*this, limits.delimiter, out);
        GK_TRY(const bool found, walk.members(alias->id, list));
        if (found) out.kind = Resolution::Kind::Found;
        else out.kind = Resolution::Kind::NoSuchUser;
        return out;
    });
}

Status Directory::Impl::verify(std::int64_t alias_id, const std::string& address) {
    Resolution out;
    Walk<Impl> walk(*this, limits.delimiter, out);
    walk.go_through_lists();
    GK_CHECK(walk.verify(alias_id, address));
    GK_TRY(const auto list, list_of(alias_id));
    if (!list) return ok();
    if (list->owner == address) return fail(Errc::BadInput, "a list cannot own itself: its reports would come to all");
    Resolution owners;
    GK_TRY(const bool found, Walk<Impl>(*this, limits.delimiter, owners).follow(list->owner, "", 1));
    return found ? ok() : fail(Errc::NotFound, fmt::format("there is no account or alias '{}'", list->owner));
}

Result<Expansion> Directory::expand(std::string_view recipient) {
    GK_TRY(const std::string canonical, canonical_address(recipient));
    const std::lock_guard lock(impl_->db_mutex);
    return in_snapshot(impl_->db, [&]() -> Result<Expansion> {
        Resolution out;
        Expansion root;
        Walk<Impl> walk(*impl_, impl_->limits.delimiter, out);
        walk.go_through_lists();
        walk.trace_into(root);
        const auto found = walk.follow(canonical, "", 0);
        if (!found && found.error().code != Errc::Permanent) return fail(found.error());
        if (root.leads_to.empty()) return Expansion{std::string(recipient), "nobody", {}, {}, {}};
        Expansion top = std::move(root.leads_to.front());
        if (!found) top.leads_to.push_back({found.error().text, "error", {}, {}, {}});
        return top;
    });
}

Result<Resolution> Directory::members_of(std::string_view list) {
    GK_TRY(const std::string canonical, canonical_alias(list));
    return impl_->cached(impl_->resolutions, "list\n" + canonical, [&] { return impl_->members(canonical); });
}

Result<bool> Directory::may_post(const Alias& list, std::string_view reverse_path) {
    if (!list.list) return true;
    const auto words = text::words(list.list->post);
    const auto says = [&](std::string_view word) { return std::find(words.begin(), words.end(), word) != words.end(); };
    if (says("anyone")) return true;
    const auto sender = canonical_address(reverse_path);
    if (!sender) return false;
    if (says(*sender) || says("@" + std::string(domain_of(*sender)))) return true;
    // One of ours writes as whatever leads to it.
    GK_TRY(const auto writes_as, resolve(*sender));
    const auto is_among = [&](const Resolution& those) {
        if (std::find(those.external.begin(), those.external.end(), *sender) != those.external.end()) return true;
        return std::any_of(those.accounts.begin(), those.accounts.end(), [&](const auto& one) {
            return std::any_of(writes_as.accounts.begin(), writes_as.accounts.end(),
                               [&](const auto& own) { return own.account == one.account; });
        });
    };
    if (says("owner")) {
        if (*sender == list.list->owner) return true;
        GK_TRY(const auto owner, resolve(list.list->owner));
        if (is_among(owner)) return true;
    }
    if (!says("members")) return false;
    // Members of a list that is a member are members. Each list once, and no more of them than an alias has targets.
    std::vector<std::string> lists = {list.address};
    for (std::size_t i = 0; i < lists.size() && i < static_cast<std::size_t>(impl_->limits.alias_depth); ++i) {
        GK_TRY(const auto members, members_of(lists[i]));
        if (is_among(members)) return true;
        for (const auto& inner : members.lists)
            if (std::find(lists.begin(), lists.end(), inner) == lists.end()) lists.push_back(inner);
    }
    return false;
}

Result<Resolution> Directory::resolve(std::string_view recipient) {
    std::string delimiter;
    {
        const std::shared_lock lock(impl_->cache_mutex);
        delimiter = impl_->limits.delimiter;
    }
    return resolve(recipient, delimiter);
}

void Directory::set_limits(const Limits& limits) {
    const std::scoped_lock lock(impl_->db_mutex, impl_->cache_mutex);
    impl_->limits = limits;
    impl_->resolutions.clear();
}

Result<Resolution> Directory::resolve(std::string_view recipient, std::string_view delimiter) {
    GK_TRY(const std::string canonical, canonical_address(recipient));
    const std::string key = std::string(delimiter) + "\n" + canonical;
    return impl_->cached(impl_->resolutions, key, [&] { return impl_->resolve(canonical, delimiter); });
}

Result<bool> Directory::may_send_as(std::string_view account, std::string_view address) {
    auto canonical = canonical_address(address);
    if (!canonical) return false;
    GK_TRY(const std::string own, canonical_address(account));
    auto resolved = resolve(*canonical);
    if (!resolved) {
        if (resolved.error().code == Errc::Permanent) return false;
        return fail(resolved.error());
    }
    for (const auto& target : resolved->accounts)
        if (target.account == own) return true;
    return false;
}

}  // namespace gk::directory
