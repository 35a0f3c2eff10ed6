// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/dnscheck/context.hpp"

namespace gk::dnscheck {
namespace {

using dns::Type;

struct Service {
    std::string_view name;
    unsigned port;
};
constexpr Service kServed[] = {
    {"_submission._tcp", 587}, {"_submissions._tcp", 465}, {"_imap._tcp", 143}, {"_imaps._tcp", 993}};
constexpr std::string_view kNotServed[] = {"_pop3._tcp", "_pop3s._tcp"};
constexpr std::string_view kNull = "0 0 0 .";
constexpr std::string_view kAutoconfig[] = {"autoconfig", "autodiscover"};

void check_served(const Context& c, const Service& service) {
    const std::string name = fmt::format("{}.{}", service.name, c.subject);
    const Answer* answer = c.ask(name, Type::Srv);
    if (answer == nullptr) return;
    std::vector<std::string> all, others;
    std::string wanted = fmt::format("0 1 {} {}", service.port, with_dot(c.ours.host));
    bool good = false, null = false, port = false;
    for (const auto& data : answer->data) {
        const auto srv = read_srv(data);
        if (!srv) continue;
        all.push_back(data);
        if (srv->target == c.ours.host && srv->port == service.port) {
            if (!good) wanted = data;  // priority and weight are the administrator's
            good = true;
            continue;
        }
        others.push_back(data);
        null |= srv->target.empty();
        port |= srv->target == c.ours.host;
    }
    if (good && others.empty()) return;
    const auto id = all.empty() ? "srv-missing"
                    : good      ? "srv-multiple"
                    : null      ? "srv-null"
                    : port      ? "srv-port"
                                : "srv-target";
    c.found(id, name, all.empty() ? "no SRV record" : listed(others), wanted, replace(name, Type::Srv, all, wanted));
}

void check_not_served(const Context& c, std::string_view service) {
    const std::string name = fmt::format("{}.{}", service, c.subject);
    const Answer* answer = c.ask(name, Type::Srv);
    if (answer == nullptr) return;
    const std::string wanted(kNull);
    const std::vector<std::string> all = answer->data;
    if (all.empty()) return c.found("srv-pop3-missing", name, "no SRV record", wanted, {add(name, Type::Srv, wanted)});
    for (const auto& data : all)
        if (const auto srv = read_srv(data); srv && !srv->target.empty())
            return c.found("srv-pop3", name, listed(all), wanted, replace(name, Type::Srv, all, wanted));
}

}  // namespace

void check_services(const Context& c) {
    if (c.ours.host.empty()) return;
    for (const auto& service : kServed) check_served(c, service);
    for (const auto service : kNotServed) check_not_served(c, service);
}

void check_autoconfig(const Context& c) {
    for (const auto label : kAutoconfig) {
        const std::string name = fmt::format("{}.{}", label, c.subject);
        const Answer* alias = c.ask(name, Type::Cname);
        if (alias == nullptr || c.has_address(name)) continue;
        const std::vector<std::string> targets = alias->data;
        std::vector<Change> changes;
        if (!c.ours.host.empty()) changes = replace(name, Type::Cname, targets, with_dot(c.ours.host));
        const std::string should = c.ours.host.empty() ? "the name of a web server" : "CNAME " + with_dot(c.ours.host);
        if (targets.empty()) c.found("autoconfig-missing", name, "no record", should, std::move(changes));
        else
            c.found("autoconfig-dangling", name, "an alias of " + listed(targets) + ", which has no address", should,
                    std::move(changes));
    }
}

}  // namespace gk::dnscheck
