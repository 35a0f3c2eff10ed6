// SPDX-License-Identifier: MIT
#include "common/delivery/domain_usage.hpp"

#include "common/store/account.hpp"

namespace gk::delivery {

Result<store::Totals> DomainUsage::of(const std::string& name, const Homes& homes) {
    std::shared_ptr<Domain> domain;
    {
        const std::lock_guard lock(mutex_);
        auto& slot = domains_[name];
        if (!slot) slot = std::make_shared<Domain>();
        domain = slot;
    }
    const auto known = [&](bool even_old) -> std::optional<store::Totals> {
        const std::lock_guard lock(domain->mutex);
        if (!domain->counted) return std::nullopt;
        if (!even_old && std::chrono::steady_clock::now() - domain->when > age_) return std::nullopt;
        return domain->totals;
    };
    if (const auto fresh = known(false)) return *fresh;
    std::unique_lock counting(domain->counting, std::try_to_lock);
    if (!counting) {
        if (const auto old = known(true)) return *old;
        counting.lock();
        if (const auto fresh = known(false)) return *fresh;
    }
    const auto began = std::chrono::steady_clock::now();
    GK_TRY(const auto all, homes());
    store::Totals sum;
    for (const std::string& home : all) {
        // One account that cannot be read must not stop the mail of all others.
        const auto totals = store::Account::kept_totals(home);
        if (!totals) continue;
        sum.messages += totals->messages;
        sum.bytes += totals->bytes;
    }
    const std::lock_guard lock(domain->mutex);
    domain->totals = sum;
    domain->counted = true;
    domain->when = began;
    return sum;
}

void DomainUsage::add(std::string_view name, std::uint64_t bytes) {
    std::shared_ptr<Domain> domain;
    {
        const std::lock_guard lock(mutex_);
        const auto found = domains_.find(name);
        if (found == domains_.end()) return;
        domain = found->second;
    }
    const std::lock_guard lock(domain->mutex);
    ++domain->totals.messages;
    domain->totals.bytes += bytes;
}

}  // namespace gk::delivery
