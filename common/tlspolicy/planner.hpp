// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/config/config.hpp"
#include "common/dns/resolver.hpp"
#include "common/tlspolicy/demand.hpp"
#include "common/tlspolicy/sts_store.hpp"

namespace gk::tlspolicy {

struct Settings {
    Levels levels;
    bool use_sts = false;
    StsStore::Options sts;
    FetchOptions fetch;
    bool ipv6 = true;

    static Result<Settings> from(const config::Config& config);
};

// Where the mail of a domain goes, and what is known of all its hosts together.
struct DomainPlan {
    std::string domain;
    Level level = Level::Opportunistic;
    Wish wish = Wish::None;
    dns::MailHosts mail_hosts;
    StsView sts;
    bool is_configured = false;  // no MX: a host out of the configuration
    bool is_report = false;      // it is wanted for a report of ours, and counted as such
};

struct HostPlan {
    std::string host;
    std::vector<std::string> ips;
    bool has_address = true, addresses_secure = false;
    HostTlsa tlsa;
    HostDemand demand;
};

// Finds the facts and decides; what gk-queue does, and gk-tls-policy shows. Any thread. SOURCE outlives it.
class Planner {
public:
    Planner(Settings settings, dns::Source& source);

    // Errors are those of the MX lookup.
    Result<DomainPlan> domain(const std::string& domain, Wish wish = Wish::None);
    // HOST out of the plan's hosts. Errors are those of the address lookup.
    Result<HostPlan> host(const DomainPlan& plan, const std::string& host, std::uint16_t port);
    // A host that is configured (a smarthost), as a domain without MX.
    DomainPlan configured(const std::string& host, Wish wish = Wish::None) const;

    const Settings& settings() const noexcept { return settings_; }
    StsStore* sts() noexcept { return sts_.get(); }

private:
    Settings settings_;
    dns::Source& source_;
    std::unique_ptr<StsStore> sts_;
};

}  // namespace gk::tlspolicy
