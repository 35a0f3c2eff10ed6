// SPDX-License-Identifier: MIT
#include "common/dnscheck/spf_terms.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/text.hpp"
#include "common/mailauth/domain.hpp"
#include "common/mailauth/spf/macro.hpp"
#include "common/mailauth/spf/tree.hpp"

namespace gk::dnscheck {

using namespace mailauth;
using spf::Mechanism;

namespace {

constexpr std::size_t kMaxNetworks = 100;  // of one include that is written out
constexpr std::size_t kMaxRecord = 1500;   // octets: answers past that go over TCP
constexpr unsigned kMaxDepth = 8;

std::optional<spf::Record> one(std::string_view term) {
    auto parsed = spf::parse_record(fmt::format("v=spf1 {}", term));
    if (!parsed) return std::nullopt;
    return std::move(*parsed);
}

bool is_mechanism(std::string_view term, Mechanism mechanism) {
    const auto record = one(term);
    return record && !record->directives.empty() && record->directives[0].mechanism == mechanism;
}

bool is_directive(std::string_view term) {
    const auto record = one(term);
    return !record || !record->directives.empty();
}

std::string network(const Ip& ip, unsigned prefix) {
    const std::string kind = ip.v6 ? "ip6:" : "ip4:";
    return prefix >= ip.bits() ? kind + ip.text() : fmt::format("{}{}/{}", kind, ip.text(), prefix);
}

// The networks that a policy lets pass. False where that is not all it says: exceptions, macros, or too many.
class Networks {
public:
    explicit Networks(DnsSource& dns) : dns_(dns) {}
    bool collect(const std::string& domain, unsigned depth);
    std::vector<std::string> found;

private:
    bool directive(const std::string& domain, const spf::Directive& directive, unsigned depth);
    bool addresses(const std::string& name, const spf::Directive& directive);
    void put(std::string text) {
        if (std::find(found.begin(), found.end(), text) == found.end()) found.push_back(std::move(text));
    }
    DnsSource& dns_;
};

bool Networks::addresses(const std::string& name, const spf::Directive& directive) {
    for (const auto& lookup : {dns_.a(name), dns_.aaaa(name)}) {
        if (lookup.outcome == Outcome::TempError) return false;
        for (const auto& text : lookup.records)
            if (const auto ip = Ip::parse(text)) put(network(*ip, ip->v6 ? directive.prefix6 : directive.prefix4));
    }
    return found.size() <= kMaxNetworks;
}

bool Networks::directive(const std::string& domain, const spf::Directive& directive, unsigned depth) {
    if (spf::has_macros(directive.domain)) return false;
    const std::string target = directive.domain.empty() ? domain : directive.domain;
    switch (directive.mechanism) {
        case Mechanism::Ip4:
        case Mechanism::Ip6:
            put(network(directive.network, directive.network.v6 ? directive.prefix6 : directive.prefix4));
            return found.size() <= kMaxNetworks;
        case Mechanism::Include: return collect(target, depth + 1);
        case Mechanism::A: return addresses(target, directive);
        case Mechanism::Mx: {
            const auto lookup = dns_.mx(target);
            if (lookup.outcome == Outcome::TempError || lookup.records.size() > spf::Limits().mx_hosts) return false;
            return std::all_of(lookup.records.begin(), lookup.records.end(),
                               [&](const dns::Mx& mx) { return addresses(mx.host, directive); });
        }
        default: return false;
    }
}

bool Networks::collect(const std::string& domain, unsigned depth) {
    if (depth > kMaxDepth) return false;
    std::vector<std::string> records;
    for (const auto& txt : dns_.txt(domain).records)
        if (spf::is_record(txt)) records.push_back(txt);
    if (records.size() != 1) return false;
    const auto record = spf::parse_record(records[0]);
    if (!record) return false;
    for (const auto& each : record->directives) {
        if (each.mechanism == Mechanism::All) return each.qualifier != '+';
        if (each.qualifier != '+' || !directive(domain, each, depth)) return false;
    }
    if (record->redirect) return !spf::has_macros(*record->redirect) && collect(*record->redirect, depth + 1);
    return true;
}

}  // namespace

Lookup<std::string> WithPolicy::txt(std::string_view name) {
    auto lookup = dns_.txt(name);
    if (!text::equals_nocase(name, name_)) return lookup;
    std::erase_if(lookup.records, [](const std::string& txt) { return spf::is_record(txt); });
    lookup.records.push_back(record_);
    lookup.outcome = Outcome::Found;
    return lookup;
}

SpfTerms SpfTerms::split(std::string_view record) {
    SpfTerms out;
    for (const auto word : text::words(record)) out.terms.emplace_back(word);
    if (!out.terms.empty()) out.terms.erase(out.terms.begin());
    return out;
}

std::string SpfTerms::text() const { return terms.empty() ? "v=spf1" : "v=spf1 " + gk::text::join(terms, " "); }

bool SpfTerms::move_all_to_end() {
    const auto all = std::find_if(terms.begin(), terms.end(),
                                  [](const std::string& term) { return is_mechanism(term, Mechanism::All); });
    if (all == terms.end()) return false;
    const bool behind = std::any_of(all + 1, terms.end(), is_directive);
    if (behind) std::rotate(all, all + 1, terms.end());
    return behind;
}

bool SpfTerms::drop(Mechanism mechanism) {
    return std::erase_if(terms, [&](const std::string& term) { return is_mechanism(term, mechanism); }) > 0;
}

void SpfTerms::drop_second_modifiers() {
    std::vector<std::string> seen;
    std::erase_if(terms, [&](const std::string& term) {
        const auto equals = term.find('=');
        if (equals == std::string::npos || is_directive(term)) return false;
        const auto name = gk::text::lower(term.substr(0, equals));
        if (std::find(seen.begin(), seen.end(), name) != seen.end()) return true;
        seen.push_back(name);
        return false;
    });
}

void SpfTerms::set_all(std::string_view all) {
    for (auto& term : terms)
        if (is_mechanism(term, Mechanism::All)) {
            term = all;
            return;
        }
    terms.emplace_back(all);
}

void SpfTerms::permit(const Ip& ip) { terms.insert(terms.begin(), network(ip, ip.bits())); }

void SpfTerms::drop_void(const std::string& domain, DnsSource& dns) {
    std::erase_if(terms, [&](const std::string& term) {
        const auto record = one(term);
        if (!record || record->directives.empty()) return false;
        const auto& directive = record->directives[0];
        if (spf::has_macros(directive.domain)) return false;
        const std::string target = directive.domain.empty() ? domain : directive.domain;
        const auto nothing = [](const auto& lookup) { return lookup.outcome == Outcome::Void; };
        if (directive.mechanism == Mechanism::Mx) return nothing(dns.mx(target));
        if (directive.mechanism != Mechanism::A && directive.mechanism != Mechanism::Exists) return false;
        return nothing(dns.a(target)) && nothing(dns.aaaa(target));
    });
}

bool SpfTerms::flatten_dearest(DnsSource& dns) {
    std::vector<std::pair<unsigned, std::size_t>> costs;
    for (std::size_t i = 0; i < terms.size(); ++i) {
        const auto target = policy_target(terms[i]);
        if (target.empty() || !is_mechanism(terms[i], Mechanism::Include)) continue;
        const auto tree = spf::show(target, dns);
        costs.emplace_back(tree.lookups + tree.void_lookups, i);
    }
    std::sort(costs.rbegin(), costs.rend());
    for (const auto& [cost, at] : costs) {
        Networks networks(dns);
        if (terms[at].front() == '-' || terms[at].front() == '~' || terms[at].front() == '?') continue;
        if (!networks.collect(policy_target(terms[at]), 0) || networks.found.empty()) continue;
        SpfTerms flat = *this;
        flat.terms.erase(flat.terms.begin() + static_cast<std::ptrdiff_t>(at));
        flat.terms.insert(flat.terms.begin() + static_cast<std::ptrdiff_t>(at), networks.found.begin(),
                          networks.found.end());
        if (flat.text().size() > kMaxRecord) continue;
        *this = std::move(flat);
        return true;
    }
    return false;
}

std::string SpfTerms::policy_target(std::string_view term) {
    const auto record = one(term);
    if (!record) return {};
    std::string target;
    if (record->redirect) target = *record->redirect;
    else if (!record->directives.empty() && record->directives[0].mechanism == Mechanism::Include)
        target = record->directives[0].domain;
    if (spf::has_macros(target)) return {};
    if (target.ends_with('.')) target.pop_back();
    return fits_dns(target) ? target : std::string();
}

}  // namespace gk::dnscheck
