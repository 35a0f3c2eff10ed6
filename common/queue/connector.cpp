// SPDX-License-Identifier: MIT
#include "common/queue/connector.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <algorithm>
#include <cerrno>
#include <functional>

#include "common/base/text.hpp"
#include "common/net/network.hpp"
#include "common/queue/state.hpp"
#include "common/queue/tls_outcome.hpp"

namespace gk::queue {
namespace {

// Addresses tried for one message, over all hosts: enough for any sane set-up, and an end to hostile ones.
constexpr std::size_t kMaxAddresses = 12;
// The same for hosts whose names lead nowhere, and for the whole of it: a worker has other mail to send.
constexpr std::size_t kMaxHosts = 20;
constexpr std::chrono::minutes kMaxSearch{10};
constexpr std::chrono::milliseconds kLeastConnect{1'000};
constexpr const char* kLoop = "5.4.6";  // RFC 3463, 3.5

bool is_ip(const std::string& s) {
    unsigned char bytes[16];
    return inet_pton(AF_INET, s.c_str(), bytes) == 1 || inet_pton(AF_INET6, s.c_str(), bytes) == 1;
}

Opened failure(bool permanent, std::string text, std::string status, std::string peer = {}) {
    return {nullptr, std::move(peer), permanent, std::move(text), std::move(status), {}};
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
    const bool permanent = error.code == Errc::Permanent;
    if (!permanent && status.starts_with('5')) status[0] = '4';
    return failure(permanent, std::move(text), std::move(status), peer);
}

smtp_client::TlsPolicy tls_policy_for(tlspolicy::Demand demand) {
    switch (demand) {
        case tlspolicy::Demand::Plain: return smtp_client::TlsPolicy::Never;
        case tlspolicy::Demand::Opportunistic: return smtp_client::TlsPolicy::Opportunistic;
        case tlspolicy::Demand::Encrypt: return smtp_client::TlsPolicy::Required;
        case tlspolicy::Demand::Certificate:
        case tlspolicy::Demand::Dane: break;
    }
    return smtp_client::TlsPolicy::Verified;
}

tlspolicy::Problem bogus_problem(const Error& error) {
    return {tlspolicy::ResultType::DnssecInvalid, "4.7.5", error.text, "bogus"};
}

}  // namespace

std::optional<std::string> choose_source(const std::map<std::string, std::string>& sources,
                                         const std::vector<std::string>& choice, const std::string& ip,
                                         const std::string& host) {
    std::vector<std::string> fitting;
    const auto add = [&](const std::string& own) {
        if ((own.find(':') == std::string::npos) == (ip.find(':') == std::string::npos)) fitting.push_back(own);
    };
    if (choice.empty())
        for (const auto& [own, helo] : sources) add(own);
    else std::for_each(choice.begin(), choice.end(), add);
    if (fitting.empty()) return std::nullopt;
    return fitting[std::hash<std::string>{}(host) % fitting.size()];
}

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
    GK_TRY(connector->tls_,
           tls::ClientContext::create({tls::ClientContext::Verify::Opportunistic, settings.tls.fetch.ca_file}));
    connector->planner_ = std::make_unique<tlspolicy::Planner>(settings.tls, *connector->resolver_);
    for (const auto& [host, path] : settings.credentials) {
        auto credentials = read_credentials(path);
        if (!credentials) return fail(credentials.error().in(fmt::format("queue.credentials: '{}'", host)));
        connector->credentials_[text::lower(host)] = std::move(*credentials);
    }
    return connector;
}

void Connector::renew_policies() {
    if (auto* sts = planner_->sts()) sts->renew_old();
}

smtp_client::Options Connector::options_for(const std::string& host, std::uint16_t port, bool lmtp) const {
    smtp_client::Options options;
    options.helo = settings_.hostname;
    options.lmtp = lmtp;
    options.tls = smtp_client::TlsPolicy::Never;
    options.tls_context = tls_;
    options.timeouts = settings_.timeouts;
    // RFC 8314, 7.3
    options.implicit_tls = !lmtp && port == 465;
    if (const auto login = credentials_.find(host); login != credentials_.end()) options.credentials = login->second;
    return options;
}

Opened Connector::open_unix(const Route& route) {
    const std::string peer = std::string(kUnixPeer) + route.path;
    auto session = smtp_client::Session::open([&] { return net::connect_unix(route.path, settings_.connect_timeout); },
                                              options_for("", 0, true));
    // Local delivery that refuses its greeting is being repaired.
    if (!session) return failure(false, session.error().text, "4.3.0", peer);
    return {std::move(*session), peer, false, {}, {}, {}};
}

Opened Connector::open_lmtp(const Route& route) {
    std::vector<std::string> ips = {route.host};
    if (!is_ip(route.host)) {
        auto addresses = dns::find_addresses(*resolver_, route.host, settings_.ipv6);
        if (!addresses) return failure(false, addresses.error().text, "4.4.3");
        if (addresses->ips.empty())
            return failure(false, fmt::format("host {} has no address", text::printable(route.host)), "4.4.4");
        ips = std::move(addresses->ips);
    }
    Opened last;
    for (const auto& ip : ips) {
        const std::string peer = std::string(kLmtpPeer) + peer_text(route.host, ip, route.port);
        // RFC 8689, 4.2: LMTP has no TLS here, so that only this host itself may be at the other end.
        if (route.wish == tlspolicy::Wish::RequireTls && !ip.starts_with("127.") && ip != "::1")
            return failure(true, "the sender demands REQUIRETLS, and LMTP to another host is plain text", "5.7.30",
                           peer);
        auto session =
            smtp_client::Session::open([&] { return net::connect_tcp(ip, route.port, settings_.connect_timeout); },
                                       options_for(route.host, route.port, true));
        if (session) return {std::move(*session), peer, false, {}, {}, {}};
        last = refused(session.error(), peer);
    }
    return last;
}

Opened Connector::open_host(const tlspolicy::DomainPlan& plan, const tlspolicy::HostPlan& host, const Way& way,
                            std::uint16_t port, bool& policy_failed) {
    const std::string peer = peer_text(host.host, way.ip, port);
    auto options = options_for(host.host, port, false);
    options.helo = way.helo;
    // An MX record of others may name a host that we log in at; our password is for those who configured it alone.
    if (!plan.is_configured) options.credentials.reset();
    options.peer = host.demand.peer;
    if (is_ip(options.peer.server_name) && !is_fatal(host.demand)) options.peer.server_name.clear();
    options.tls = tls_policy_for(host.demand.demand);
    std::string own_ip;
    smtp_client::TlsTrace trace;
    auto session = smtp_client::Session::open(
        [&] {
            auto socket = net::connect_tcp(way.ip, port, way.timeout, way.own_ip);
            if (socket) {
                own_ip = net::local_of((*socket)->fd()).ip;
                reachability_.answered(way.ip);
            } else if (socket.error().os_errno != EADDRNOTAVAIL) {  // that one is of ours
                reachability_.failed(way.ip, socket.error());
            }
            return socket;
        },
        options, &trace);
    const auto problem = tls_problem(host, trace);
    const bool is_counted = !plan.is_configured && host.demand.demand != tlspolicy::Demand::Plain;
    const Connection connection{host.host, way.ip, own_ip};
    // Who does not answer at all says nothing of TLS.
    if (is_counted && (problem || trace.greeted)) {
        const bool is_mismatch = host.demand.noticed && host.demand.policy == tlspolicy::PolicyType::Sts;
        observe(settings_.reports_dir, plan, &host, problem || !is_mismatch ? problem : host.demand.noticed, connection,
                &trace);
        if (host.demand.noticed && !is_mismatch)
            observe(settings_.reports_dir, plan, &host, host.demand.noticed, connection, &trace,
                    tlspolicy::PolicyType::Sts);
    }
    if (!session) {
        policy_failed = problem && is_fatal(host.demand);
        return policy_failed ? failure(false, problem->text, problem->status, peer) : refused(session.error(), peer);
    }
    // We have come to ourselves, by a name or address of ours that the MX records have and the settings do not.
    if (!plan.is_configured && text::equals_nocase(trace.helo, settings_.hostname)) {
        (*session)->quit();
        return failure(true, fmt::format("mail for {} loops back to this host", plan.domain), kLoop, peer);
    }
    if (plan.wish == tlspolicy::Wish::RequireTls && !(*session)->capabilities().requiretls) {
        (*session)->quit();
        return failure(true, fmt::format("the sender demands REQUIRETLS, which {} does not support", host.host),
                       "5.7.30", peer);
    }
    std::string tls = (*session)->tls_text();
    if (!tls.empty()) tls += ", " + protection_text(host.demand, trace);
    return {std::move(*session), peer, false, {}, {}, std::move(tls)};
}

std::vector<Connector::Way> Connector::ways_to(const tlspolicy::HostPlan& host, const std::string& sender) const {
    const auto& sources = settings_.source_addresses;
    const auto choice = settings_.sender_addresses.find(sender);
    std::vector<Way> ways;
    for (auto& ip : reachability_.order(host.ips)) {
        Way way{std::move(ip), {}, settings_.hostname, settings_.connect_timeout};
        if (!sources.empty()) {
            auto own = choose_source(
                sources, choice == settings_.sender_addresses.end() ? std::vector<std::string>() : choice->second,
                way.ip, host.host);
            if (!own) continue;
            way.helo = sources.at(*own);
            way.own_ip = std::move(*own);
        }
        ways.push_back(std::move(way));
    }
    // While there is another address to go on to, a silent one gets less.
    for (std::size_t i = 0; i + 1 < ways.size(); ++i)
        ways[i].timeout = std::min(ways[i].timeout, std::max(ways[i].timeout / 3, kLeastConnect));
    return ways;
}

Opened Connector::open_hosts(const tlspolicy::DomainPlan& plan, const Route& route) {
    const auto port = route.port;
    Opened last = failure(true, "no host to send to", "5.4.4");
    Opened policy;  // the first failure of that kind: what there is to mend
    bool any_temporary = false, is_looped = false;
    std::size_t tried = 0, hosts = 0;
    const auto given_up = std::chrono::steady_clock::now() + kMaxSearch;
    for (const auto& mx : plan.mail_hosts.hosts) {
        if (is_looped) break;
        if (tried >= kMaxAddresses || ++hosts > kMaxHosts || std::chrono::steady_clock::now() > given_up) {
            any_temporary = true;
            break;
        }
        const auto host = planner_->host(plan, mx.host, port);
        if (!host) {
            any_temporary |= host.error().code != Errc::BadInput;
            const bool bogus = dns::is_bogus(host.error());
            last = failure(false, host.error().text, bogus ? "4.7.5" : "4.4.3");
            if (!bogus) continue;
            if (policy.text.empty()) policy = failure(false, last.text, last.status, mx.host);
            observe(settings_.reports_dir, plan, nullptr, bogus_problem(host.error()), {mx.host, {}, {}}, nullptr,
                    tlspolicy::PolicyType::Tlsa);
            continue;
        }
        if (!host->has_address) {
            if (tried == 0)
                last = failure(true, fmt::format("host {} has no address", text::printable(mx.host)), "5.4.4");
            continue;
        }
        if (const auto& blocked = host->demand.blocked) {
            const bool permanent = blocked->status.starts_with('5');
            any_temporary |= !permanent;
            last = failure(permanent, blocked->text, blocked->status, mx.host);
            if (policy.text.empty()) policy = failure(permanent, blocked->text, blocked->status, mx.host);
            if (!plan.is_configured) observe(settings_.reports_dir, plan, &*host, *blocked, {mx.host, {}, {}}, nullptr);
            continue;
        }
        const auto ways = ways_to(*host, route.sender);
        if (ways.empty()) {
            any_temporary = true;
            last =
                failure(false, "no address in queue.source_addresses is of the family of " + mx.host, "4.4.4", mx.host);
        }
        for (const auto& way : ways) {
            if (++tried > kMaxAddresses) break;
            bool policy_failed = false;
            Opened opened = open_host(plan, *host, way, port, policy_failed);
            if (opened.session) return opened;
            // RFC 5321, 5.1: from here on only hosts that would send it back to us; a better one may yet come back.
            if (opened.status == kLoop) {
                if (!any_temporary) return opened;
                is_looped = true;
                break;
            }
            any_temporary |= !opened.permanent;
            if (policy_failed && policy.text.empty()) policy = failure(false, opened.text, opened.status, opened.peer);
            last = std::move(opened);
        }
    }
    if (!policy.text.empty() && policy.text != last.text) {
        policy.text += fmt::format("; then {}: {}", last.peer.empty() ? "another host" : last.peer, last.text);
        last = std::move(policy);
    }
    // One host that may come back is reason enough to wait.
    if (any_temporary && last.permanent) {
        last.permanent = false;
        last.status = "4.4.1";
    }
    return last;
}

Opened Connector::open_mx(const Route& route, bool is_report) {
    auto plan = planner_->domain(route.host, route.wish);
    if (!plan) {
        if (plan.error().code == Errc::BadInput) return failure(true, plan.error().text, "5.1.2");
        if (!dns::is_bogus(plan.error())) return failure(false, plan.error().text, "4.4.3");
        tlspolicy::DomainPlan unknown;
        unknown.domain = route.host;
        unknown.is_report = is_report;
        observe(settings_.reports_dir, unknown, nullptr, bogus_problem(plan.error()), {}, nullptr,
                tlspolicy::PolicyType::Tlsa);
        return failure(false, plan.error().text, "4.7.5");
    }
    plan->is_report = is_report;
    auto& found = plan->mail_hosts;
    if (found.no_domain) return failure(true, fmt::format("domain {} does not exist", route.host), "5.1.2");
    // RFC 7505, 4
    if (found.null_mx) return failure(true, fmt::format("domain {} accepts no mail (null MX)", route.host), "5.1.10");
    if (drop_own_host(found.hosts, settings_.hostname) && found.hosts.empty())
        return failure(true, fmt::format("mail for {} loops back to this host", route.host), kLoop);
    return open_hosts(*plan, route);
}

Opened Connector::open_configured(const Route& route) {
    Opened opened = open_hosts(planner_->configured(route.host, route.wish), route);
    // A smarthost without an address is a configuration to mend, not the sender's fault.
    if (!opened.session && opened.peer.empty()) opened.permanent = false, opened.status = "4.4.4";
    return opened;
}

Opened Connector::open(const Route& route, bool is_report) {
    switch (route.kind) {
        case Route::Kind::LmtpUnix: return open_unix(route);
        case Route::Kind::LmtpHost: return open_lmtp(route);
        case Route::Kind::Mx: return open_mx(route, is_report);
        case Route::Kind::Host: break;
    }
    return open_configured(route);
}

}  // namespace gk::queue
