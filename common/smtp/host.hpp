// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>

#include "common/auth/client.hpp"
#include "common/config/config.hpp"
#include "common/lmtp_client/lmtp_client.hpp"
#include "common/mailauth/gate/options.hpp"
#include "common/net/server.hpp"
#include "common/policy/policy.hpp"
#include "common/smtp/body.hpp"
#include "common/smtp/inbound.hpp"
#include "common/smtp/local_senders.hpp"
#include "common/smtp/relay_domains.hpp"
#include "common/smtp/session.hpp"
#include "common/tls/tls.hpp"

// The blocking host of SMTP sessions: one thread, one connection, from accept to close.
namespace gk::smtp {

using std::chrono::milliseconds;

// What a connection goes by, from its beginning to its end; a reload makes a new one for new connections.
struct HostSettings {
    static Result<std::shared_ptr<const HostSettings>> from(const config::Config& config, bool tls_available);

    SessionSettings mx, submission, submissions, local;
    LocalSenders local_senders;
    milliseconds command_timeout, pressure_timeout, data_timeout, data_deadline;
    std::uint64_t min_rate = 0;  // bytes a second
    std::size_t memory_per_message = 0;
    bool check_from = true;
    bool count_submissions = false;  // there are limits that gk-authd knows
    std::uint64_t memory = 0;
    net::Networks relay_networks;
    RelayDomains relay_domains;
    std::shared_ptr<const mailauth::gate::Options> gate;
    std::shared_ptr<const policy::Options> policy;
    std::string reports;  // directory of observations for DMARC reports; empty: none are sent
    const SessionSettings& of(Service service) const noexcept;
};

// "smtp", "submission", "submissions" and "submit" name the listeners.
std::optional<Service> service_named(std::string_view listener) noexcept;

class Host {
public:
    Host(const config::Config& config, std::shared_ptr<const HostSettings> settings,
         std::shared_ptr<tls::ServerContext> tls);

    // Thread-safe; for net::Server.
    void serve(net::Accepted accepted);
    void refuse(net::Accepted accepted, net::Refusal refusal);
    void set_server(const net::Server* server) noexcept { server_ = server; }
    void set_settings(std::shared_ptr<const HostSettings> settings);
    std::shared_ptr<const HostSettings> settings() const;
    // Whom the checks of inbound mail ask; without it nothing is checked.
    void set_dns(std::shared_ptr<const MakeDnsSource> dns);
    std::shared_ptr<const MakeDnsSource> dns() const;

private:
    friend class Connection;

    mutable std::mutex mutex_;
    std::shared_ptr<const HostSettings> settings_;  // under mutex_
    std::shared_ptr<const MakeDnsSource> dns_;      // under mutex_
    std::shared_ptr<tls::ServerContext> tls_;
    std::string spool_;
    lmtp_client::Pool lmtp_;
    auth::ClientPool auth_;
    MemoryBudget memory_;
    std::unique_ptr<policy::State> gate_state_;  // never null
    policy::ListFile gate_lists_;
    policy::Rates gate_rates_;
    const net::Server* server_ = nullptr;
};

}  // namespace gk::smtp
