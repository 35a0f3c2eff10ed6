// SPDX-License-Identifier: MIT
#include "common/tlspolicy/planner.hpp"

#include "common/base/text.hpp"
#include "common/net/network.hpp"

namespace gk::tlspolicy {

namespace {

bool is_loopback_literal(std::string_view host) noexcept {
    return host.starts_with("127.") || host == "::1" || host == "[::1]";
}

}  // namespace

Result<Settings> Settings::from(const config::Config& config) {
    Settings s;
    auto levels = config.table("queue.tls_policy");
    // A password is for a host that shows who it is, unless somebody says otherwise of that host.
    if (parse_level(config.string("queue.tls")).value_or(Level::Never) < Level::Verify)
        for (const auto& [host, file] : config.table("queue.credentials"))
            if (!is_loopback_literal(host)) levels.try_emplace(text::lower(host), level_name(Level::Verify));
    GK_TRY(s.levels, Levels::create(config.string("queue.tls"), levels));
    s.use_sts = config.boolean("mta_sts.honour");
    s.sts.cache_dir = config.paths().spool + "/mta-sts";
    s.sts.most = static_cast<std::size_t>(config.integer("mta_sts.cached"));
    s.fetch.timeout = std::chrono::milliseconds(config.duration_s("mta_sts.timeout") * 1000);
    s.fetch.ca_file = config.string("tls.ca_file");
    s.ipv6 = config.boolean("queue.ipv6");
    return s;
}

Planner::Planner(Settings settings, dns::Source& source) : settings_(std::move(settings)), source_(source) {
    if (settings_.use_sts)
        sts_ = std::make_unique<StsStore>(settings_.sts, source_,
                                          [options = settings_.fetch](const auto& domain, const auto& ips) {
                                              return fetch_sts_policy(domain, ips, options);
                                          });
}

Result<DomainPlan> Planner::domain(const std::string& domain, Wish wish) {
    DomainPlan plan;
    plan.domain = domain;
    plan.level = settings_.levels.find(domain);
    plan.wish = wish;
    GK_TRY(plan.mail_hosts, dns::find_mail_hosts(source_, domain));
    if (plan.mail_hosts.hosts.empty()) return plan;
    const Level level = effective_level(plan.level, wish);
    if (sts_ && looks_at_published(plan.level, wish) && level != Level::Dane) plan.sts = sts_->find(domain);
    return plan;
}

DomainPlan Planner::configured(const std::string& host, Wish wish) const {
    DomainPlan plan;
    plan.domain = host;
    plan.level = settings_.levels.find(host);
    plan.wish = wish;
    plan.is_configured = true;
    plan.mail_hosts.hosts = {{0, host}};
    return plan;
}

Result<HostPlan> Planner::host(const DomainPlan& plan, const std::string& host, std::uint16_t port) {
    HostPlan found;
    found.host = host;
    Facts facts{
        plan.level, plan.wish, plan.domain, host, plan.is_configured, plan.mail_hosts.security == dns::Security::Secure,
        {},         plan.sts};
    if (net::parse_ip(host)) {
        found.ips = {host};
        facts.tlsa.why = "an address has no TLSA records";
    } else {
        GK_TRY(const auto addresses, dns::find_addresses(source_, host, settings_.ipv6));
        found.ips = addresses.ips;
        found.has_address = !found.ips.empty();
        found.addresses_secure = addresses.security == dns::Security::Secure;
        // RFC 7672, 2.2.1: an MX that anybody could have invented makes its host's TLSA records worth nothing.
        const bool may_have_tlsa = facts.mx_secure || plan.is_configured;
        if (found.has_address && may_have_tlsa && looks_at_published(plan.level, plan.wish))
            facts.tlsa = find_tlsa(source_, host, port, addresses);
    }
    found.tlsa = facts.tlsa;
    found.demand = decide(facts);
    return found;
}

}  // namespace gk::tlspolicy
