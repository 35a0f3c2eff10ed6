// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <map>
#include <set>

#include "common/address/grammar.hpp"
#include "common/address/path.hpp"
#include "common/base/text.hpp"
#include "common/directory/impl.hpp"

namespace gk::directory {

// Steps for each address that a recipient may expand to: an alias bomb costs time, not only addresses.
inline constexpr int kStepsPerAddress = 4;

// Follows one recipient through the aliases, depth first; bounded in depth, in steps and in what it leads to. A
// template, since Directory::Impl is nobody else's to name.
template <class Impl>
class Walk {
public:
    Walk(Impl& impl, std::string_view delimiter, Resolution& out) : impl_(impl), delimiter_(delimiter), out_(out) {}
    void go_through_lists() noexcept { through_lists_ = true; }  // as if they were aliases
    void trace_into(Expansion& root) noexcept { at_ = &root; }

    // DETAIL comes from the address that led here, for want of one in ADDRESS itself. False: nobody there.
    Result<bool> follow(const std::string& address, const std::string& detail, int depth) {
        GK_CHECK(count_step(depth));
        const Step step(*this, address);
        const std::string local(local_part_of(address)), domain(domain_of(address));
        if (domain.empty() && local == "postmaster") return postmaster(domain, depth);
        GK_TRY(const auto place, impl_.place_of(domain));
        if (!place) {
            if (depth > 0) return leave(address);
            note("not-local");
            return false;
        }
        GK_TRY(const bool exact, exactly(*place, local, detail, depth));
        if (exact) return true;
        const auto [base, own_detail] = address::split_subaddress(local, delimiter_);
        if (base.size() < local.size() && !base.empty()) {
            GK_TRY(const bool found, below(*place, local, std::string(base), std::string(own_detail), depth));
            if (found) return true;
        }
        GK_TRY(const auto matched, impl_.pattern_for(place->id, address::unquote_local_part(local)));
        if (matched) {
            const std::string rule = matched->local_part + "@" + place->name;
            GK_TRY(const bool found,
                   through(matched->id, "pattern", rule, rule + "\n" + local, &matched->groups, detail, depth));
            if (found) return true;
        }
        if (local == "postmaster") {
            GK_TRY(const bool found, postmaster(place->name, depth));
            if (found) return true;
        }
        return named(*place, "", "catch-all", detail, depth);
    }

    // Where LIST's targets lead.
    Result<bool> members(std::int64_t id, const std::string& list) {
        return through(id, "list", list, list, nullptr, "", 0);
    }

    // Errors for what no alias may be: a circle (BadInput), too deep or too much (Permanent), a target that is nobody
    // (NotFound). What a pattern's groups make of a target shows only with a message.
    Status verify(std::int64_t id, const std::string& address) {
        way_.push_back(address);
        GK_TRY(const auto targets, impl_.targets_of(id));
        for (const std::string& target : targets) {
            if (highest_group(local_part_of(target)) >= 0) continue;
            GK_TRY(const bool found, follow(target, "", 1));
            if (!circle_.empty()) return fail(Errc::BadInput, "the alias would lead in a circle: " + circle_);
            if (!found) return fail(Errc::NotFound, fmt::format("there is no account or alias '{}'", target));
        }
        return ok();
    }

    const std::string& circle() const noexcept { return circle_; }

private:
    // One line of the tree, for as long as it lives.
    class Step {
    public:
        Step(Walk& walk, const std::string& address) : walk_(walk), before_(walk.at_) {
            if (before_ == nullptr) return;
            before_->leads_to.push_back({address, "nobody", {}, {}, {}});
            walk_.at_ = &before_->leads_to.back();
        }
        ~Step() { walk_.at_ = before_; }
        Step(const Step&) = delete;
        Step& operator=(const Step&) = delete;

    private:
        Walk& walk_;
        Expansion* const before_;
    };
    void note(std::string_view how, std::string_view by = {}, std::string_view detail = {}) {
        if (at_ == nullptr) return;
        at_->how = how;
        at_->by = by == at_->address ? std::string_view() : by;
        at_->detail = detail;
    }

    // RFC 5321, 4.5.1: mail for postmaster must be accepted, also where nobody set such an account up.
    Result<bool> postmaster(const std::string& domain, int depth) {
        if (!impl_.limits.postmaster.empty() && !asked_postmaster_) {
            asked_postmaster_ = true;
            note("postmaster");
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
        note("postmaster", accounts[0].address);
        return arrive(accounts[0].address, "");
    }

    Result<bool> exactly(const typename Impl::Place& place, const std::string& local, const std::string& detail,
                         int depth) {
        GK_TRY(const bool account, impl_.has_account(place.id, local));
        if (!account) return named(place, local, "alias", detail, depth);
        note("account", local + "@" + place.name, detail);
        return arrive(local + "@" + place.name, detail);
    }

    // LOCAL is BASE, a delimiter and DETAIL: rules for sub-addresses, then BASE itself.
    Result<bool> below(const typename Impl::Place& place, const std::string& local, const std::string& base,
                       const std::string& detail, int depth) {
        const std::string delimiter = local.substr(base.size(), 1);
        GK_TRY(bool found, named(place, base + delimiter + "*", "sub-address", detail, depth));
        if (found) return true;
        GK_TRY(found, named(place, "*" + delimiter + detail, "sub-address", detail, depth));
        if (found) return true;
        return exactly(place, base, detail, depth);
    }

    Result<bool> named(const typename Impl::Place& place, const std::string& local, std::string_view how,
                       const std::string& detail, int depth) {
        GK_TRY(const auto alias, impl_.alias_in(place.id, local));
        // A pattern is no address, whoever writes to "/…/"@.
        if (!alias || alias->kind == Impl::Kind::Pattern) return false;
        const std::string address = local + "@" + place.name;
        if (alias->kind != Impl::Kind::List || through_lists_)
            return through(alias->id, alias->kind == Impl::Kind::List ? "list" : how, address, address, nullptr, detail,
                           depth);
        out_.through_alias = true;
        if (std::find(out_.lists.begin(), out_.lists.end(), address) != out_.lists.end()) return true;
        GK_CHECK(count());
        out_.lists.push_back(address);
        return true;
    }

    // KEY names the step: the same one twice adds nothing, and within itself it is a circle.
    Result<bool> through(std::int64_t id, std::string_view how, const std::string& address, const std::string& key,
                         const std::vector<std::string>* groups, const std::string& detail, int depth) {
        out_.through_alias = true;
        if (std::find(way_.begin(), way_.end(), address) != way_.end()) {
            circle_ = text::join(way_, " → ") + " → " + address;
            note("circle", address);
            return false;
        }
        if (const auto before = followed_.find(key); before != followed_.end()) {
            note("again", address);
            return before->second;
        }
        note(how, address, detail);
        GK_TRY(const auto targets, impl_.targets_of(id));
        way_.push_back(address);
        bool any = false;
        for (const std::string& target : targets) {
            GK_TRY(const bool found, towards(target, groups, detail, depth));
            any = any || found;
        }
        way_.pop_back();
        followed_[key] = any;
        return any;
    }

    Result<bool> towards(const std::string& target, const std::vector<std::string>* groups, const std::string& detail,
                         int depth) {
        if (groups == nullptr || highest_group(local_part_of(target)) < 0) return follow(target, detail, depth + 1);
        // Only the local part: a sender must not choose the host.
        const std::string local = substitute(local_part_of(target), *groups);
        if (local.empty() || local.size() > address::kMaxLocalPart) return false;
        return follow(address::quote_local_part(local) + "@" + std::string(domain_of(target)), detail, depth + 1);
    }

    Result<bool> arrive(const std::string& account, const std::string& detail) {
        for (const auto& target : out_.accounts)
            if (target.account == account) return true;
        GK_CHECK(count());
        out_.accounts.push_back({account, detail});
        return true;
    }

    Result<bool> leave(const std::string& address) {
        note("external");
        if (!externals_.insert(address).second) return true;
        GK_CHECK(count());
        out_.external.push_back(address);
        return true;
    }

    Status count() {
        const auto so_far = out_.accounts.size() + out_.external.size() + out_.lists.size();
        if (static_cast<int>(so_far) < impl_.limits.alias_size) return ok();
        return fail(Errc::Permanent, fmt::format("aliases lead to more than {} addresses", impl_.limits.alias_size));
    }

    Status count_step(int depth) {
        if (depth > impl_.limits.alias_depth)
            return fail(Errc::Permanent, fmt::format("aliases lead deeper than {} steps", impl_.limits.alias_depth));
        if (++steps_ <= impl_.limits.alias_size * std::int64_t{kStepsPerAddress}) return ok();
        return fail(Errc::Permanent, fmt::format("aliases take more than {} steps",
                                                 impl_.limits.alias_size * std::int64_t{kStepsPerAddress}));
    }

    Impl& impl_;
    std::string_view delimiter_;
    Resolution& out_;
    Expansion* at_ = nullptr;
    bool through_lists_ = false;
    std::int64_t steps_ = 0;
    std::vector<std::string> way_;
    std::map<std::string, bool> followed_;  // whether that led to anybody
    std::set<std::string> externals_;
    std::string circle_;
    bool asked_postmaster_ = false;
};

}  // namespace gk::directory
