// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/dnscheck/context.hpp"
#include "common/mailauth/ip.hpp"
#include "common/mailauth/spf/record.hpp"

namespace gk::dnscheck {
namespace {

using dns::Type;

bool contains(const std::vector<std::string>& list, std::string_view entry) {
    return std::find(list.begin(), list.end(), entry) != list.end();
}

// Loopback, private, link-local, shared and multicast networks (RFC 6890).
bool is_unreachable(std::string_view text) {
    const auto ip = mailauth::Ip::parse(text);
    if (!ip) return true;
    static constexpr std::pair<std::string_view, unsigned> kNetworks[] = {
        {"0.0.0.0", 8},      {"10.0.0.0", 8},    {"100.64.0.0", 10},  {"127.0.0.0", 8},
        {"169.254.0.0", 16}, {"172.16.0.0", 12}, {"192.168.0.0", 16}, {"224.0.0.0", 3},
        {"::", 127},         {"fc00::", 7},      {"fe80::", 10},      {"ff00::", 8}};
    for (const auto& [network, prefix] : kNetworks)
        if (ip->without_mapping().in(*mailauth::Ip::parse(network), prefix)) return true;
    return false;
}

std::vector<Change> address_changes(const std::string& host, const std::vector<std::string>& have,
                                    const std::vector<std::string>& want) {
    std::vector<Change> changes;
    for (const auto& ip : have)
        if (!contains(want, ip)) changes.push_back(remove(host, address_type(ip), ip));
    for (const auto& ip : want)
        if (!contains(have, ip)) changes.push_back(add(host, address_type(ip), ip));
    return changes;
}

// The addresses in DNS; nothing where they cannot be told.
std::optional<std::vector<std::string>> addresses(const Context& c, std::string_view name) {
    std::vector<std::string> out;
    for (const Type type : {Type::A, Type::Aaaa}) {
        const Answer* answer = c.ask(name, type);
        if (answer == nullptr) return std::nullopt;
        out.insert(out.end(), answer->data.begin(), answer->data.end());
    }
    return out;
}

// The addresses that are ours, as far as that is known.
std::vector<std::string> check_addresses(const Context& c) {
    const std::string& host = c.subject;
    const auto& ours = c.ours.ips;
    const std::string all = ours.empty() ? "the address of this server" : listed(ours);
    if (const Answer* alias = c.ask(host, Type::Cname); alias != nullptr && alias->found()) {
        std::vector<Change> changes;
        if (!ours.empty()) {
            for (const auto& target : alias->data) changes.push_back(remove(host, Type::Cname, target));
            for (const auto& ip : ours) changes.push_back(add(host, address_type(ip), ip));
        }
        c.found("host-cname", host, "an alias of " + listed(alias->data), "addresses of its own: " + all,
                std::move(changes));
    }
    const auto have = addresses(c, host);
    if (!have) return ours;
    if (have->empty()) {
        c.found("host-no-address", host, "no A or AAAA record", all, address_changes(host, {}, ours));
        return ours;
    }
    if (!c.ours.ips_said) {
        std::vector<std::string> reachable = *have;
        if (std::erase_if(reachable, is_unreachable) > 0)
            c.found("host-private", host, listed(*have), "only addresses that everybody can reach");
        return reachable;
    }
    std::vector<std::string> foreign, missing;
    for (const auto& ip : *have)
        if (!contains(ours, ip)) foreign.push_back(ip);
    for (const auto& ip : ours)
        if (!contains(*have, ip)) missing.push_back(ip);
    if (!foreign.empty()) c.found("host-address", host, listed(*have), all, address_changes(host, *have, ours));
    else if (!missing.empty())
        c.found("host-address-missing", host, listed(*have), all, address_changes(host, *have, ours));
    return ours;
}

void check_reverse(const Context& c, const std::string& ip) {
    const auto name = dns::reverse_name(ip);
    const Answer* answer = name ? c.ask(*name, Type::Ptr) : nullptr;
    if (answer == nullptr) return;
    // The zone may hand it on by an alias (RFC 2317).
    const std::string at = answer->canonical.empty() ? *name : answer->canonical;
    const std::string target = with_dot(c.subject);
    const std::vector<std::string> names = answer->data;
    const auto mend = [&] { return replace(at, Type::Ptr, names, target); };
    if (names.empty()) return c.found("ptr-missing", ip, "no PTR record", target, mend());
    if (names.size() > 1)
        return c.found("ptr-multiple", ip, fmt::format("{} names: {}", names.size(), listed(names)), target, mend());
    if (names[0] == target) return;
    const auto back = addresses(c, without_dot(names[0]));
    if (!back) return;
    if (contains(*back, ip)) return c.found("ptr-differs", ip, shown(names[0]), target, mend());
    c.found("ptr-forward", ip,
            fmt::format("{}, which leads to {}", shown(names[0]), back->empty() ? "nothing" : listed(*back)), target,
            mend());
}

void check_helo_spf(const Context& c) {
    const Answer* txt = c.ask(c.subject, Type::Txt);
    if (txt == nullptr) return;
    if (std::any_of(txt->data.begin(), txt->data.end(), mailauth::spf::is_record)) return check_spf(c);
    c.found("helo-spf", c.subject, "no SPF record", "v=spf1 a -all", {add(c.subject, Type::Txt, "v=spf1 a -all")});
}

}  // namespace

void check_host(const Ours& ours, Lookups& dns, Report& report) {
    const Context c{ours.host, ours, dns, report};
    if (!is_public_name(ours.host)) {
        c.found("host-name", ours.host, ours.host.empty() ? "no name" : "'" + shown(ours.host) + "'",
                "a full name such as mx.example.org, in server.hostname");
        return;
    }
    check_dnssec(c);
    const auto ips = check_addresses(c);
    for (const auto& ip : ips) check_reverse(c, ip);
    if (!ours.greeting.empty() && without_dot(ours.greeting) != ours.host)
        c.found("host-greeting", ours.host, "'" + shown(ours.greeting) + "'", ours.host);
    check_helo_spf(c);
    check_certificate(c);
    check_tlsa(c);
    check_caa(c);
}

}  // namespace gk::dnscheck
