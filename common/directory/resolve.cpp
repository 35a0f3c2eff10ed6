// SPDX-License-Identifier: MIT
#include <set>

#include "common/address/path.hpp"
#include "common/base/text.hpp"
#include "common/directory/directory.hpp"
#include "common/directory/impl.hpp"

namespace gk::directory {

namespace {

// Follows one recipient through the aliases, depth first; bounded in depth and in what it leads to.
template <class Impl>
class Walk {
public:
    Walk(Impl& impl, std::string_view delimiter, Resolution& out) : impl_(impl), delimiter_(delimiter), out_(out) {}

    // DETAIL comes from the address that led here, for want of one in ADDRESS itself. False: nobody there.
    Result<bool> follow(const std::string& address, const std::string& detail, int depth) {
        if (depth > impl_.limits.alias_depth)
            return fail(Errc::Permanent, fmt::format("aliases lead deeper than {} steps", impl_.limits.alias_depth));
        const std::string local(local_part_of(address)), domain(domain_of(address));
        if (domain.empty() && local == "postmaster") return postmaster(domain, depth);
        GK_TRY(const auto id, impl_.domain_id(domain));
        if (!id) {
            if (depth == 0) return false;
            return leave(address);
        }
        GK_TRY(const bool exact, exactly(address, detail, depth));
        if (exact) return true;
        const auto [base, own_detail] = address::split_subaddress(local, delimiter_);
        if (base.size() < local.size() && !base.empty()) {
            GK_TRY(const bool found, exactly(std::string(base) + "@" + domain, std::string(own_detail), depth));
            if (found) return true;
        }
        if (local == "postmaster") {
            GK_TRY(const bool found, postmaster(domain, depth));
            if (found) return true;
        }
        return exactly("@" + domain, detail, depth);
    }

    const std::string& circle() const noexcept { return circle_; }

private:
    // RFC 5321, 4.5.1: mail for postmaster must be accepted, also where nobody set such an account up.
    Result<bool> postmaster(const std::string& domain, int depth) {
        if (!impl_.limits.postmaster.empty() && !asked_postmaster_) {
            asked_postmaster_ = true;
            GK_TRY(const std::string address, canonical_address(impl_.limits.postmaster));
            GK_TRY(const bool found, follow(address, "", depth + 1));
            if (found) return true;
        }
        constexpr std::string_view first_of_domain =
            "where domain.name = ? order by account.admin desc, account.id limit 1";
        GK_TRY(auto accounts, impl_.list_accounts(first_of_domain, domain));
        if (accounts.empty()) {
            GK_TRY(accounts, impl_.list_accounts("order by account.admin desc, account.id limit 1", ""));
        }
        if (accounts.empty()) return false;
        return arrive(accounts[0].address, "");
    }

    Result<bool> exactly(const std::string& address, const std::string& detail, int depth) {
        if (!address.starts_with('@')) {
            GK_TRY(const auto account, impl_.account_at(address));
            if (account) return arrive(account->address, detail);
        }
        GK_TRY(const auto alias, impl_.alias_at(address));
        if (!alias) return false;
        out_.through_alias = true;
        if (std::find(way_.begin(), way_.end(), alias->address) != way_.end()) {
            circle_ = text::join(way_, " → ") + " → " + alias->address;
            return false;
        }
        // Two aliases may lead to the same third: its members are there already.
        if (!followed_.insert(alias->id).second) return true;
        way_.push_back(alias->address);
        bool any = false;
        for (const std::string& target : alias->targets) {
            GK_TRY(const bool found, follow(target, detail, depth + 1));
            any = any || found;
        }
        way_.pop_back();
        return any;
    }

    Result<bool> arrive(const std::string& account, const std::string& detail) {
        for (const auto& target : out_.accounts)
            if (target.account == account) return true;
        GK_CHECK(count());
        out_.accounts.push_back({account, detail});
        return true;
    }

    Result<bool> leave(const std::string& address) {
        if (!externals_.insert(address).second) return true;
        GK_CHECK(count());
        out_.external.push_back(address);
        return true;
    }

    Status count() {
        if (static_cast<int>(out_.accounts.size() + out_.external.size()) < impl_.limits.alias_size) return ok();
        return fail(Errc::Permanent, fmt::format("aliases lead to more than {} addresses", impl_.limits.alias_size));
    }

    Impl& impl_;
    std::string_view delimiter_;
    Resolution& out_;
    std::vector<std::string> way_;
    std::set<std::int64_t> followed_;
    std::set<std::string> externals_;
    std::string circle_;
    bool asked_postmaster_ = false;
};

}  // namespace

Result<Resolution> Directory::Impl::resolve(const std::string& canonical, std::string_view delimiter) {
    // One snapshot for all the queries of a walk.
    GK_CHECK(db.execute("begin"));
    Resolution out;
    Walk<Impl> walk(*this, delimiter, out);
    auto found = walk.follow(canonical, "", 0);
    Result<bool> local = true;
    if (found && !*found && canonical != "postmaster@") {
        auto id = domain_id(domain_of(canonical));
        local = id ? Result<bool>(id->has_value()) : tl::unexpected<Error>(id.error());
    }
    GK_CHECK(db.execute("commit"));
    if (!found) return fail(found.error());
    if (!local) return fail(local.error());
    if (*found) {
        out.kind = Resolution::Kind::Found;
    } else {
        if (!walk.circle().empty()) return fail(Errc::Permanent, "aliases lead in a circle: " + walk.circle());
        out.kind = *local ? Resolution::Kind::NoSuchUser : Resolution::Kind::NotLocal;
    }
    return out;
}

Result<std::string> Directory::Impl::find_circle(const std::string& alias) {
    Resolution out;
    Walk<Impl> walk(*this, limits.delimiter, out);
    GK_TRY(const bool found, walk.follow(alias, "", 0));
    (void)found;
    return walk.circle();
}

Result<bool> Directory::Impl::leads_somewhere(const std::string& target) {
    if (target == "postmaster@") return true;
    Resolution out;
    Walk<Impl> walk(*this, limits.delimiter, out);
    return walk.follow(target, "", 1);  // not the first step: an address elsewhere is somewhere
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
