// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/config/config.hpp"
#include "common/dns/resolver.hpp"
#include "common/queue/schedule.hpp"
#include "common/queue/sealing.hpp"
#include "common/queue/signing.hpp"
#include "common/smtp_client/session.hpp"
#include "common/tlspolicy/planner.hpp"

namespace gk::queue {

struct Settings {
    std::string spool_dir, hostname, local_socket;
    std::string reports_dir;  // of observations for TLS reports; empty: none are sent
    Schedule schedule;
    unsigned threads = 50;
    Limits limits;
    unsigned session_messages = 100;
    unsigned recipients = 100;
    std::uint16_t mx_port = 25;
    bool ipv6 = true;
    tlspolicy::Settings tls;
    smtp_client::Timeouts timeouts;
    std::chrono::milliseconds connect_timeout{30'000};
    std::chrono::milliseconds drain_timeout{30'000};
    std::chrono::milliseconds stuck_retry{10'000};  // after a record that the disk did not take
    std::uint64_t dsn_size = 256 * 1024;
    std::map<std::string, std::string> routes, credentials;
    std::vector<std::string> bulk_senders;  // accounts, and domains of accounts
    std::uint64_t suppressed = 1'000'000;   // addresses remembered
    dns::Options dns;
    SigningSettings signing;
    SealingSettings sealing;

    bool is_bulk_sender(std::string_view account) const;
    static Result<Settings> from(const config::Config& config);
};

// First line the user, second the password.
Result<smtp_client::Credentials> read_credentials(const std::string& path);

}  // namespace gk::queue
