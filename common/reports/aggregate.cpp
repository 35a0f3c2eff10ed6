// SPDX-License-Identifier: MIT
#include "common/reports/aggregate.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/mailauth/ip.hpp"

namespace gk::reports {
namespace {

// Parts of a key, apart by an octet that no part has.
void put(std::string& key, std::string_view part) {
    key += part;
    key += '\x1f';
}

std::string key_of(const AggregateRecord& r) {
    std::string key;
    put(key, r.source_ip);
    put(key, r.disposition);
    put(key, r.dkim_aligned ? "1" : "0");
    put(key, r.spf_aligned ? "1" : "0");
    put(key, r.header_from);
    put(key, r.envelope_from);
    put(key, r.envelope_to);
    for (const auto& reason : r.reasons) {
        put(key, reason.type);
        put(key, reason.comment);
    }
    put(key, "d");
    for (const auto& dkim : r.dkim) {
        put(key, dkim.domain);
        put(key, dkim.selector);
        put(key, dkim.result);
    }
    put(key, "s");
    for (const auto& spf : r.spf) {
        put(key, spf.domain);
        put(key, spf.result);
    }
    return key;
}

std::string key_of(const TlsFailure& f) {
    std::string key;
    for (const auto* part :
         {&f.result, &f.sending_ip, &f.receiving_mx, &f.receiving_helo, &f.receiving_ip, &f.reason_code, &f.additional})
        put(key, *part);
    return key;
}

}  // namespace

void DmarcDay::add(DmarcObservation o) {
    const auto ip = mailauth::Ip::parse(o.source_ip);
    if (o.rua.empty() || !ip) return;
    const std::string domain = text::lower(o.policy_domain);
    auto at = groups_.find(domain);
    if (at == groups_.end()) {
        const std::string organization =
            o.organizational_domain.empty() ? domain : text::lower(o.organizational_domain);
        if (!room_.take_domain(organization)) {
            ++without_report_;
            return;
        }
        at = groups_.emplace(domain, Building()).first;
        at->second.organization = organization;
    }
    auto& building = at->second;
    auto& group = building.group;
    if (o.at >= building.latest) {
        building.latest = o.at;
        AggregateHead& policy = group.policy;
        policy.domain = domain;
        policy.discovery_method = o.discovery_method;
        policy.p = o.p;
        policy.sp = o.sp;
        policy.np = o.np;
        policy.adkim = o.adkim;
        policy.aspf = o.aspf;
        policy.testing = o.t;
        policy.fo = o.fo;
        group.organizational_domain = text::lower(o.organizational_domain);
        group.rua = std::move(o.rua);
    }
    building.only_reports = building.only_reports && o.is_report;
    ++group.messages;

    AggregateRecord record;
    record.source_ip = ip->without_mapping().text();
    record.count = 1;
    record.disposition = std::move(o.disposition);
    record.dkim_aligned = o.dkim_aligned;
    record.spf_aligned = o.spf_aligned;
    record.reasons = std::move(o.reasons);
    record.header_from = text::lower(o.header_from);
    record.envelope_from = text::lower(o.envelope_from);
    record.envelope_to = text::lower(o.envelope_to);
    record.dkim = std::move(o.dkim);
    if (o.spf) record.spf.push_back(std::move(*o.spf));

    std::string key = key_of(record);
    const auto known = building.rows.find(key);
    if (known != building.rows.end()) {
        ++group.records[known->second].count;
    } else if (room_.take_row(building.organization)) {
        building.rows.emplace(std::move(key), group.records.size());
        group.records.push_back(std::move(record));
    } else {
        ++group.left_out;
    }
}

std::map<std::string, DmarcDay::Group> DmarcDay::take() {
    std::map<std::string, Group> out;
    for (auto& [domain, building] : groups_) {
        if (building.only_reports || building.group.records.empty()) continue;
        auto& group = out[domain] = std::move(building.group);
        // The same observations in any order give the same report.
        std::sort(group.records.begin(), group.records.end(), [](const AggregateRecord& a, const AggregateRecord& b) {
            return std::tuple(b.count, a.source_ip, key_of(a)) < std::tuple(a.count, b.source_ip, key_of(b));
        });
        if (group.left_out > 0)
            group.policy.error =
                fmt::format("{} more messages are not in this report: they differ in too many ways", group.left_out);
    }
    groups_.clear();
    return out;
}

void TlsDay::add(TlsObservation o) {
    const std::string domain = text::lower(o.policy_domain);
    // Nobody says which organization a domain of recipients is of.
    if (!groups_.contains(domain) && !room_.take_domain(domain)) {
        ++without_report_;
        return;
    }
    auto& building = groups_[domain];
    auto& group = building.group;
    if (o.at >= building.latest) {
        building.latest = o.at;
        group.rua = std::move(o.rua);
    }
    building.only_reports = building.only_reports && o.is_report;
    ++group.sessions;

    std::string policy_key;
    put(policy_key, o.policy_type);
    for (const auto& line : o.policy) put(policy_key, line);
    put(policy_key, "m");
    for (const auto& pattern : o.mx_patterns) put(policy_key, pattern);
    auto at = building.policies.find(policy_key);
    if (at == building.policies.end()) {
        if (!room_.take_row(domain)) {
            ++group.left_out;
            return;
        }
        at = building.policies.emplace(policy_key, group.policies.size()).first;
        auto& policy = group.policies.emplace_back();
        policy.type = o.policy_type;
        policy.domain = domain;
        policy.strings = std::move(o.policy);
        policy.mx_hosts = std::move(o.mx_patterns);
    }
    auto& policy = group.policies[at->second];
    if (o.result == "success") {
        ++policy.successes;
        return;
    }
    ++policy.failures;
    TlsFailure failure{.result = std::move(o.result),
                       .sending_ip = std::move(o.sending_ip),
                       .receiving_mx = text::lower(o.receiving_mx),
                       .receiving_helo = std::move(o.receiving_helo),
                       .receiving_ip = std::move(o.receiving_ip),
                       .count = 1,
                       .additional = std::move(o.additional),
                       .reason_code = std::move(o.reason_code)};
    const std::string key = policy_key + '\x1e' + key_of(failure);
    const auto known = building.failures.find(key);
    if (known != building.failures.end()) {
        ++group.policies[known->second.first].details[known->second.second].count;
    } else if (room_.take_row(domain)) {
        // What finds no room is in the policy's sum all the same.
        building.failures.emplace(key, std::pair{at->second, policy.details.size()});
        policy.details.push_back(std::move(failure));
    }
}

std::map<std::string, TlsDay::Group> TlsDay::take() {
    std::map<std::string, Group> out;
    for (auto& [domain, building] : groups_) {
        if (building.only_reports || building.group.policies.empty()) continue;
        auto& group = out[domain] = std::move(building.group);
        for (auto& policy : group.policies)
            std::sort(policy.details.begin(), policy.details.end(), [](const TlsFailure& a, const TlsFailure& b) {
                return std::tuple(b.count, key_of(a)) < std::tuple(a.count, key_of(b));
            });
        std::stable_sort(group.policies.begin(), group.policies.end(), [](const TlsPolicy& a, const TlsPolicy& b) {
            return std::tuple(a.type, a.strings) < std::tuple(b.type, b.strings);
        });
    }
    groups_.clear();
    return out;
}

}  // namespace gk::reports
