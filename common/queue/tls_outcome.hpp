// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

#include "common/reports_log/observations.hpp"
#include "common/smtp_client/session.hpp"
#include "common/tlspolicy/planner.hpp"

// What became of TLS on one connection: for the message's history, and for reports (RFC 8460).
namespace gk::queue {

// Why a session that was opened, or not, does not come up to the demand; nothing where it does, or where TLS was not
// what kept it from opening. DEMAND.is_tested and Opportunistic sessions are judged as well: for the report.
std::optional<tlspolicy::Problem> tls_problem(const tlspolicy::HostPlan& host, const smtp_client::TlsTrace& trace);
// The demand forbids what was found.
bool is_fatal(const tlspolicy::HostDemand& demand) noexcept;

// "verified by DANE", "not verified" …
std::string protection_text(const tlspolicy::HostDemand& demand, const smtp_client::TlsTrace& trace);

struct Connection {
    std::string host, ip, own_ip;
};
// PROBLEM: none for success. Appends to the day's observations in REPORTS_DIR (none where empty), and says so in an
// event. POLICY takes the place of the demand's where given.
void observe(const std::string& reports_dir, const tlspolicy::DomainPlan& plan, const tlspolicy::HostPlan* host,
             const std::optional<tlspolicy::Problem>& problem, const Connection& connection,
             const smtp_client::TlsTrace* trace, std::optional<tlspolicy::PolicyType> policy = {});

}  // namespace gk::queue
