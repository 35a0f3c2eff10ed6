// SPDX-License-Identifier: MIT
#include "common/queue/connector.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include "common/base/text.hpp"

namespace gk::queue {
namespace {

// Addresses tried for one message, over all hosts: enough for any sane set-up, and an end to hostile ones.
constexpr std::size_t kMaxAddresses = 12;

bool is_ip(const std::string& s) {
    unsigned char bytes[16];
    return inet_pton(AF_INET, s.c_str(), bytes) == 1 || inet_pton(AF_INET6, s.c_str(), bytes) == 1;
}

Opened failure(bool permanent, std::string text, std::string status, std::string peer = {}) {
    return {nullptr, std::move(peer), permanent, std::move(text), std::move(status)};
}

std::string peer_text(const std::string& host, const std::string& ip, std::uint16_t port) {
    return host == ip ? fmt::format("[{}]:{}", ip, port) : fmt::format("{} [{}]:{}", host, ip, port);
}

// RFC 3463: 4.4.1 no answer from host, 4.4.2 bad connection.
std::string connect_status(const Error& error) {
    if (error.code == Errc::Permanent) return "5.5.0";
    return error.code == Errc::Timeout || error.os_errno != 0 ? "4.4.1" : "4.4.2";
}

// A reply's own words and code where the server refused us ("greeting: 554 5.7.1 …"), so that the DSN can cite it.
Opened refused(const Error& error, const std::string& peer) {
    std::string text = error.text, status = connect_status(error);
    const auto colon = text.find(": ");
    if (colon != std::string::npos && colon + 5 <= text.size()) {
        const auto reply = std::string_view(text).substr(colon + 2);
        if ((reply[0] == '4' || reply[0] == '5') && text::is_digit(reply[1]) && text::is_digit(reply[2])) {
            const auto enhanced = reply.size() > 4 ? smtp_client::enhanced_code(reply.substr(4)) : std::string_view();
            status = enhanced.empty() ? fmt::format("{}.0.0", reply[0]) : std::string(enhanced);
        }
    }
    // Refused credentials are ours to mend, not the sender's: the message waits.
    return failure(error.code == Errc::Permanent, std::move(text), std::move(status), peer);
}

}  // namespace

bool drop_own_host(std::vector<dns::Mx>& hosts, std::string_view own_name) {
    int own = -1;
    for (const auto& mx : hosts)
        if (text::equals_nocase(mx.host, own_name) && (own < 0 || mx.preference < own)) own = mx.preference;
    if (own < 0) return false;
    std::erase_if(hosts, [own](const dns::Mx& mx) { return mx.preference >= own; });
    return true;
}

Result<std::unique_ptr<Connector>> Connector::create(const Settings& settings) {
    std::unique_ptr<Connector> connector(new Connector(settings));
    GK_TRY(connector->resolver_, dns::Resolver::create(settings.dns));
    GK_TRY(connector->tls_, tls::ClientContext::create({tls::ClientContext::Verify::Opportunistic, ""}));
    for (const auto& [host, path] : settings.credentials) {
        auto credentials = read_credentials(path);
        if (!credentials) return fail(credentials.error().in(fmt::format("queue.credentials: '{}'", host)));
        connector->credentials_[text::lower(host)] = std::move(*credentials);
    }
    return connector;
}

smtp_client::Options Connector::options_for(const std::string& host, std::uint16_t port, bool lmtp) const {
    smtp_client::Options options;
    options.helo = settings_.hostname;
    options.lmtp = lmtp;
    options.tls = lmtp ? smtp_client::TlsPolicy::Never : settings_.tls;
    options.tls_context = tls_;
    options.timeouts = settings_.timeouts;
    if (!is_ip(host)) options.server_name = host;
    // RFC 8314, 7.3
    options.implicit_tls = !lmtp && port == 465;
    if (const auto login = credentials_.find(host); login != credentials_.end()) options.credentials = login->second;
    return options;
}

Opened Connector::open_unix(const Route& route) {
    const std::string peer = "unix:" + route.path;
    auto session = smtp_client::Session::open([&] { return net::connect_unix(route.path, settings_.connect_timeout); },
                                              options_for("", 0, true));
    // Local delivery that refuses its greeting is being repaired.
    if (!session) return failure(false, session.error().text, "4.3.0", peer);
    return {std::move(*session), peer, false, {}, {}};
}

Opened Connector::open_address(const std::string& host, const std::string& ip, std::uint16_t port, bool lmtp) {
    const std::string peer = peer_text(host, ip, port);
    auto session = smtp_client::Session::open([&] { return net::connect_tcp(ip, port, settings_.connect_timeout); },
                                              options_for(host, port, lmtp));
    if (!session) return refused(session.error(), peer);
    return {std::move(*session), peer, false, {}, {}};
}

Opened Connector::open_hosts(const std::vector<dns::Mx>& hosts, std::uint16_t port, bool lmtp) {
    Opened last = failure(true, "no host to send to", "5.4.4");
    bool any_temporary = false;
    std::size_t tried = 0;
    for (const auto& mx : hosts) {
        std::vector<std::string> ips;
        if (is_ip(mx.host)) {
            ips.push_back(mx.host);
        } else {
            auto addresses = dns::find_addresses(*resolver_, mx.host, settings_.ipv6);
            if (!addresses) {
                any_temporary |= addresses.error().code != Errc::BadInput;
                last = failure(false, addresses.error().text, "4.4.3");
                continue;
            }
            if (addresses->ips.empty()) {
                if (tried == 0)
                    last = failure(true, fmt::format("host {} has no address", text::printable(mx.host)), "5.4.4");
                continue;
            }
            ips = std::move(addresses->ips);
        }
        for (const auto& ip : ips) {
            if (++tried > kMaxAddresses) break;
            Opened opened = open_address(mx.host, ip, port, lmtp);
            if (opened.session) return opened;
            any_temporary |= !opened.permanent;
            last = std::move(opened);
        }
    }
    // One host that may come back is reason enough to wait.
    if (any_temporary && last.permanent) {
        last.permanent = false;
        last.status = "4.4.1";
    }
    return last;
}

Opened Connector::open_mx(const Route& route) {
    auto found = dns::find_mail_hosts(*resolver_, route.host);
    if (!found) {
        if (found.error().code == Errc::BadInput) return failure(true, found.error().text, "5.1.2");
        return failure(false, found.error().text, "4.4.3");
    }
    if (found->no_domain) return failure(true, fmt::format("domain {} does not exist", route.host), "5.1.2");
    // RFC 7505, 4
    if (found->null_mx) return failure(true, fmt::format("domain {} accepts no mail (null MX)", route.host), "5.1.10");
    if (drop_own_host(found->hosts, settings_.hostname) && found->hosts.empty())
        return failure(true, fmt::format("mail for {} loops back to this host", route.host), "5.4.6");
    return open_hosts(found->hosts, route.port, false);
}

Opened Connector::open(const Route& route) {
    switch (route.kind) {
        case Route::Kind::LmtpUnix: return open_unix(route);
        case Route::Kind::Mx: return open_mx(route);
        case Route::Kind::Host:
        case Route::Kind::LmtpHost: break;
    }
    Opened opened = open_hosts({{0, route.host}}, route.port, route.is_lmtp());
    // A smarthost without an address is a configuration to mend, not the sender's fault.
    if (!opened.session && opened.peer.empty()) opened.permanent = false, opened.status = "4.4.4";
    return opened;
}

}  // namespace gk::queue
