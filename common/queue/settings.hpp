// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/config/config.hpp"
#include "common/dns/resolver.hpp"
#include "common/queue/envelope.hpp"
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
    std::chrono::seconds remember_sent{0};
    std::set<std::string> backup_domains;  // A-labels; what this host is a backup MX for
    std::chrono::seconds expire_backup{14 * 86400};
    // The age at which a message to ADDRESS is given up.
    seconds expire(const Envelope& envelope, const std::string& address) const;
    std::map<std::string, std::string> routes, sender_routes, credentials;
    std::map<std::string, std::string> source_addresses;               // IP to the name that HELO says
    std::map<std::string, std::vector<std::string>> sender_addresses;  // sender to IPs out of source_addresses
    std::vector<std::string> bulk_senders;                             // accounts, and domains of accounts
    std::uint64_t suppressed = 1'000'000;                              // addresses remembered
    dns::Options dns;
    SigningSettings signing;
    SealingSettings sealing;

    bool is_bulk_sender(std::string_view account) const;
    static Result<Settings> from(const config::Config& config);
};

// First line the user, second the password.
Result<smtp_client::Credentials> read_credentials(const std::string& path);

}  // namespace gk::queue
