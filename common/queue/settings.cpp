// SPDX-License-Identifier: MIT
#include "common/queue/settings.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "common/address/path.hpp"
#include "common/base/text.hpp"
#include "common/net/network.hpp"
#include "common/os/file.hpp"

namespace gk::queue {
namespace {

std::string system_hostname() {
    char name[256] = {};
    if (::gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') return "localhost";
    return name;
}

std::chrono::milliseconds in_ms(std::int64_t seconds) { return std::chrono::milliseconds(seconds * 1000); }

Status read_addresses(const config::Config& config, Settings& s) {
    const auto bad = [](std::string_view setting, std::string_view row, std::string_view why) {
        return fail(Errc::Config, fmt::format("{}: '{}' {}", setting, text::printable(row, 80), why));
    };
    for (const auto& [ip, name] : config.table("queue.source_addresses")) {
        const auto bytes = net::parse_ip(ip);
        if (!bytes) return bad("queue.source_addresses", ip, "is no IP address");
        if (name.empty() || name.find_first_of(" \t\r\n") != std::string::npos || !text::is_ascii(name))
            return bad("queue.source_addresses", name, "is no host name");
        s.source_addresses[net::format_ip(*bytes)] = name;
    }
    for (const auto& [sender, value] : config.table("queue.sender_addresses")) {
        auto& ips = s.sender_addresses[sender];
        for (const auto word : text::split(value, ' ')) {
            if (word.empty()) continue;
            const auto bytes = net::parse_ip(word);
            if (!bytes || !s.source_addresses.contains(net::format_ip(*bytes)))
                return bad("queue.sender_addresses", word, "is not in queue.source_addresses");
            ips.push_back(net::format_ip(*bytes));
        }
        if (ips.empty()) return bad("queue.sender_addresses", sender, "names no address");
    }
    return ok();
}

}  // namespace

Result<Settings> Settings::from(const config::Config& config) {
    Settings s;
    s.spool_dir = config.paths().spool;
    // Nobody would ever read, or remove, what is counted for reports that are not sent.
    if (!config.string("reports.sender").empty() && config.boolean("reports.tls"))
        s.reports_dir = config.paths().spool + "/reports";
    s.local_socket = config.paths().run + "/lmtp.sock";
    s.hostname = config.string("server.hostname");
    if (s.hostname.empty()) s.hostname = system_hostname();
    s.schedule.first = seconds(config.duration_s("queue.retry_first"));
    s.schedule.most = seconds(config.duration_s("queue.retry_most"));
    s.schedule.expire = seconds(config.duration_s("queue.expire"));
    s.schedule.expire_dsn = seconds(config.duration_s("queue.expire_dsn"));
    s.expire_backup = seconds(config.duration_s("queue.expire_backup"));
    for (const auto& [domain, recipients] : config.table("smtp.relay_domains"))
        if (auto ascii = address::to_a_labels(domain)) s.backup_domains.insert(*ascii);
    s.schedule.delay_warning = seconds(config.duration_s("queue.delay_warning"));
    GK_CHECK(s.schedule.read(config.table("queue.retry")));
    s.threads = static_cast<unsigned>(config.integer("queue.threads"));
    s.limits.usual = {static_cast<unsigned>(config.integer("queue.destination_connections")),
                      static_cast<unsigned>(config.integer("queue.destination_rate"))};
    GK_CHECK(s.limits.read(config.table("queue.limits")));
    s.session_messages = static_cast<unsigned>(config.integer("queue.session_messages"));
    s.recipients = static_cast<unsigned>(config.integer("queue.recipients"));
    s.mx_port = static_cast<std::uint16_t>(config.integer("queue.port"));
    s.ipv6 = config.boolean("queue.ipv6");
    GK_TRY(s.tls, tlspolicy::Settings::from(config));
    s.timeouts.command = in_ms(config.duration_s("queue.command_timeout"));
    s.timeouts.data_block = std::min(s.timeouts.data_block, s.timeouts.command);
    s.timeouts.handshake = std::min(s.timeouts.handshake, s.timeouts.command);
    s.timeouts.data_end = in_ms(config.duration_s("queue.data_timeout"));
    s.connect_timeout = in_ms(config.duration_s("queue.connect_timeout"));
    s.drain_timeout = in_ms(config.duration_s("server.drain_timeout"));
    s.dsn_size = config.size("queue.dsn_size");
    s.remember_sent = seconds(config.duration_s("queue.remember_sent"));
    s.routes = config.table("queue.routes");
    s.sender_routes = config.table("queue.sender_routes");
    GK_CHECK(read_addresses(config, s));
    s.credentials = config.table("queue.credentials");
    s.bulk_senders = config.strings("queue.bulk_senders");
    s.suppressed = static_cast<std::uint64_t>(config.integer("queue.suppressed"));
    const auto& canon = config.string("dkim.canonicalization");
    const auto canon_of = [](std::string_view name) {
        return name == mailauth::canon_name(mailauth::Canon::Simple) ? mailauth::Canon::Simple
                                                                     : mailauth::Canon::Relaxed;
    };
    s.sealing.seal = config.boolean("arc.seal");
    s.sealing.domain = config.string("arc.domain");
    s.sealing.ids = {config.string("smtp.authserv_id").empty() ? s.hostname : config.string("smtp.authserv_id")};
    s.signing.sign = config.boolean("dkim.sign");
    s.signing.required = config.boolean("dkim.required");
    s.signing.socket = config.paths().run + "/dkim.sock";
    s.signing.timeout = in_ms(config.duration_s("dkim.timeout"));
    s.signing.expires = seconds(config.duration_s("dkim.expires"));
    s.signing.header_canon = canon_of(std::string_view(canon).substr(0, canon.find('/')));
    s.signing.body_canon = canon_of(std::string_view(canon).substr(canon.find('/') + 1));
    s.dns.servers = config.strings("dns.resolver");
    s.dns.stubs = config.table("dns.stubs");
    s.dns.trust_anchor_file = config.string("dns.trust_anchor_file");
    s.dns.timeout = in_ms(config.duration_s("dns.timeout"));
    s.dns.max_in_flight = static_cast<unsigned>(config.integer("dns.queries"));
    return s;
}

seconds Settings::expire(const Envelope& envelope, const std::string& address) const {
    if (envelope.is_dsn) return schedule.expire_dsn;
    if (backup_domains.empty()) return schedule.expire;
    const auto ascii = address::to_a_labels(std::string_view(address).substr(address.rfind('@') + 1));
    // Its own host may be away for long, and knows it: that is what a backup is for (RFC 5321, 4.5.4.1: at least 4 to 5
    // days).
    return ascii && backup_domains.contains(*ascii) ? std::max(schedule.expire, expire_backup) : schedule.expire;
}

bool Settings::is_bulk_sender(std::string_view account) const {
    if (account.empty()) return false;
    const auto domain = account.substr(std::min(account.rfind('@'), account.size() - 1) + 1);
    for (const auto& one : bulk_senders) {
        const std::string_view wanted = one.starts_with('@') ? std::string_view(one).substr(1) : one;
        if (text::equals_nocase(wanted, wanted.find('@') == std::string_view::npos ? domain : account)) return true;
    }
    return false;
}

Result<smtp_client::Credentials> read_credentials(const std::string& path) {
    GK_TRY(const std::string bytes, os::read_file(path, 4096));
    const auto lines = text::split(bytes, '\n');
    const auto line = [&](std::size_t i) {
        auto s = i < lines.size() ? lines[i] : std::string_view();
        if (s.ends_with('\r')) s.remove_suffix(1);
        return std::string(s);
    };
    smtp_client::Credentials credentials{line(0), line(1)};
    if (credentials.user.empty() || credentials.password.empty())
        return fail(Errc::Config, "'" + path + "' must have the user on its first line and the password on the second");
    return credentials;
}

}  // namespace gk::queue
