// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/dns/resolver.hpp"
#include "common/queue/reachability.hpp"
#include "common/queue/routes.hpp"
#include "common/queue/settings.hpp"
#include "common/smtp_client/session.hpp"
#include "common/tlspolicy/planner.hpp"

namespace gk::queue {

// An open session, or why there is none.
struct Opened {
    std::unique_ptr<smtp_client::Session> session;
    std::string peer;          // "mx.b.test [192.0.2.1]:25", "unix:/run/gk/lmtp.sock"
    bool permanent = false;    // without a session: nothing will change by waiting
    std::string text, status;  // without a session
    std::string tls;           // with one: "TLSv1.3 TLS_AES_256_GCM_SHA384, verified by DANE"; empty for plain text
};

// From a route to a session: MX, addresses, policy, connection, greeting, TLS, login. Any thread.
class Connector {
public:
    static Result<std::unique_ptr<Connector>> create(const Settings& settings);
    // IS_REPORT: for a report of ours, which is counted apart: else reports would give rise to reports for ever.
    Opened open(const Route& route, bool is_report = false);
    // Renews the MTA-STS policies of others that are kept; for now and then.
    void renew_policies();

private:
    explicit Connector(const Settings& settings) : settings_(settings) {}
    Opened open_unix(const Route& route);
    Opened open_lmtp(const Route& route);
    Opened open_configured(const Route& route);
    Opened open_mx(const Route& route, bool is_report);
    Opened open_hosts(const tlspolicy::DomainPlan& plan, const Route& route);
    struct Way {
        std::string ip, own_ip, helo;  // OWN_IP is bound to, where it is not empty
        std::chrono::milliseconds timeout;
    };
    std::vector<Way> ways_to(const tlspolicy::HostPlan& host, const std::string& sender) const;
    Opened open_host(const tlspolicy::DomainPlan& plan, const tlspolicy::HostPlan& host, const Way& way,
                     std::uint16_t port, bool& policy_failed);
    smtp_client::Options options_for(const std::string& host, std::uint16_t port, bool lmtp) const;

    const Settings& settings_;
    std::unique_ptr<dns::Resolver> resolver_;
    std::unique_ptr<tlspolicy::Planner> planner_;
    std::shared_ptr<tls::ClientContext> tls_;
    std::map<std::string, smtp_client::Credentials> credentials_;
    Reachability reachability_;
};

// The address of ours to connect to IP from: one of its family in CHOICE, or in all of SOURCES (as
// Settings::source_addresses) where CHOICE is empty; of several one by HOST, always the same. Nothing where there is
// none of the family.
std::optional<std::string> choose_source(const std::map<std::string, std::string>& sources,
                                         const std::vector<std::string>& choice, const std::string& ip,
                                         const std::string& host);

// RFC 5321, 5.1: where OWN_NAME is among the hosts, those of its preference and worse are left out. True where it was.
bool drop_own_host(std::vector<dns::Mx>& hosts, std::string_view own_name);

}  // namespace gk::queue
