// SPDX-License-Identifier: MIT
#include "common/mailauth/dmarc/disposition.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "common/mailauth/domain.hpp"

namespace gk::mailauth::dmarc {
namespace {

Policy one_step_less(Policy policy) noexcept { return policy == Policy::Reject ? Policy::Quarantine : Policy::None; }

bool lists(const std::vector<std::string>& domains, std::string_view name) {
    return !name.empty() && std::any_of(domains.begin(), domains.end(),
                                        [&](const std::string& each) { return is_at_or_below(name, each); });
}

std::optional<Override> let_through(const Facts& facts, const Options& options) {
    using Type = Override::Type;
    if (facts.ip &&
        std::any_of(options.forwarder_networks.begin(), options.forwarder_networks.end(),
                    [&](const Options::Network& each) { return facts.ip->without_mapping().in(each.ip, each.prefix); }))
        return Override{Type::TrustedForwarder, fmt::format("from {}", facts.ip->text())};
    if (lists(options.forwarder_domains, facts.client_name))
        return Override{Type::TrustedForwarder, fmt::format("from {}", facts.client_name)};
    if (!facts.trusted_arc.empty()) return Override{Type::LocalPolicy, facts.trusted_arc};
    return std::nullopt;
}

}  // namespace

std::string_view override_name(Override::Type type) noexcept {
    switch (type) {
        case Override::Type::LocalPolicy: return "local_policy";
        case Override::Type::MailingList: return "mailing_list";
        case Override::Type::Other: return "other";
        case Override::Type::PolicyTestMode: return "policy_test_mode";
        case Override::Type::TrustedForwarder: return "trusted_forwarder";
    }
    return "other";
}

void decide_without_policy(const Facts& facts, const Options& options, Policy policy, Evaluation& evaluation) {
    evaluation.disposition = std::min(policy, options.most_severe);
    if (auto override = let_through(facts, options)) {
        evaluation.disposition = Policy::None;
        evaluation.overrides.push_back(std::move(*override));
    }
}

void decide(const Facts& facts, const Options& options, Evaluation& evaluation) {
    const Published& published = *evaluation.published;
    const Record& record = published.record;
    Policy& disposition = evaluation.disposition;
    disposition = published.policy;
    if (disposition == Policy::None) return;
    const auto change = [&](Policy to, Override override) {
        disposition = to;
        evaluation.overrides.push_back(std::move(override));
    };
    if (lists(options.exempt_domains, evaluation.author))
        return change(Policy::None, {Override::Type::LocalPolicy, "the policy of this domain is not applied here"});
    if (auto override = let_through(facts, options)) return change(Policy::None, std::move(*override));
    // RFC 9989, 4.7: one level below what is specified.
    if (record.testing.value_or(false)) {
        change(one_step_less(disposition), {Override::Type::PolicyTestMode, ""});
    } else if (options.honour_pct && !record.testing && record.pct && facts.sample >= *record.pct) {
        // RFC 7489, 6.6.4: what is not chosen is treated by the next weaker policy.
        change(one_step_less(disposition), {Override::Type::Other, fmt::format("sampled out by pct={}", *record.pct)});
    }
    if (disposition > options.most_severe)
        change(options.most_severe, {Override::Type::LocalPolicy, fmt::format("nothing harsher than {} is done here",
                                                                              policy_name(options.most_severe))});
}

}  // namespace gk::mailauth::dmarc
