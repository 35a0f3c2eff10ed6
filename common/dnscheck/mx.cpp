// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/dnscheck/context.hpp"
#include "common/mailauth/ip.hpp"

namespace gk::dnscheck {
namespace {

using dns::Type;

constexpr std::size_t kMaxHosts = 20;  // of one domain that are looked at
constexpr unsigned kPreference = 10;

struct Exchanger {
    std::string data, host;
};

// What is wrong with a host that is not ours; empty where it could take mail.
std::string_view judge(const Context& c, const Exchanger& mx, std::string& is) {
    is = shown(mx.data);
    if (mailauth::Ip::parse(mx.host)) return "mx-literal";
    if (const Answer* alias = c.ask(mx.host, Type::Cname); alias != nullptr && alias->found()) {
        is += ", an alias of " + listed(alias->data);
        return "mx-cname";
    }
    if (c.has_address(mx.host)) return "";
    is += ", which has no address";
    const std::string twice = fmt::format(".{}.{}", c.subject, c.subject);
    if (mx.host.ends_with(twice)) is += ": the dot at the end was forgotten in the zone file";
    return "mx-unresolvable";
}

void check_exchangers(const Context& c, const std::vector<Exchanger>& hosts, const std::string& wanted) {
    const std::string& host = c.ours.host;
    const bool ours = std::any_of(hosts.begin(), hosts.end(), [&](const Exchanger& mx) { return mx.host == host; });
    std::vector<std::string> foreign;
    std::size_t looked_at = 0;
    for (const auto& mx : hosts) {
        if (mx.host == host || ++looked_at > kMaxHosts) continue;
        std::string is;
        const auto id = judge(c, mx, is);
        if (id.empty()) {
            foreign.push_back(mx.data);
            continue;
        }
        std::vector<Change> changes = {remove(c.subject, Type::Mx, mx.data)};
        if (!ours && !host.empty()) changes.push_back(add(c.subject, Type::Mx, wanted));
        if (host.empty()) changes.clear();  // what it should be is not known
        c.found(id, mx.host, is, host.empty() ? "the name of a host" : wanted, std::move(changes));
    }
    if (foreign.empty() || host.empty()) return;
    std::vector<Change> changes;
    for (const auto& data : foreign) changes.push_back(remove(c.subject, Type::Mx, data));
    if (!ours) changes.push_back(add(c.subject, Type::Mx, wanted));
    c.found(ours ? "mx-foreign" : "mx-elsewhere", c.subject, listed(foreign), wanted + ", and no other",
            std::move(changes));
}

}  // namespace

void check_mx(const Context& c) {
    const std::string wanted = fmt::format("{} {}", kPreference, with_dot(c.ours.host));
    std::vector<Change> add_ours;
    if (!c.ours.host.empty()) add_ours = {add(c.subject, Type::Mx, wanted)};
    if (const Answer* alias = c.ask(c.subject, Type::Cname); alias != nullptr && alias->found()) {
        std::vector<Change> changes;
        for (const auto& target : alias->data) changes.push_back(remove(c.subject, Type::Cname, target));
        changes.insert(changes.end(), add_ours.begin(), add_ours.end());
        c.found("apex-cname", c.subject, "an alias of " + listed(alias->data), "MX " + wanted, std::move(changes));
    }
    const Answer* answer = c.ask(c.subject, Type::Mx);
    if (answer == nullptr) return;
    if (!answer->found()) return c.found("mx-missing", c.subject, "no MX record", wanted, add_ours);
    std::vector<Exchanger> hosts;
    std::vector<std::string> nulls;
    for (const auto& data : answer->data) {
        const auto mx = read_mx(data);
        if (!mx) continue;
        if (mx->host.empty()) nulls.push_back(data);
        else hosts.push_back({data, mx->host});
    }
    if (hosts.empty()) {
        auto changes = c.ours.host.empty() ? std::vector<Change>() : replace(c.subject, Type::Mx, nulls, wanted);
        return c.found("mx-null", c.subject, listed(nulls), wanted, std::move(changes));
    }
    if (!nulls.empty()) {
        std::vector<Change> changes;
        for (const auto& data : nulls) changes.push_back(remove(c.subject, Type::Mx, data));
        c.found("mx-null-beside", c.subject, listed(nulls), "no null MX where there are hosts", std::move(changes));
    }
    check_exchangers(c, hosts, wanted);
}

}  // namespace gk::dnscheck
