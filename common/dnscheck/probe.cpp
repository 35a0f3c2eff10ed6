// SPDX-License-Identifier: MIT
#include "common/dnscheck/probe.hpp"

#include <fmt/format.h>

#include <array>

#include "common/base/text.hpp"
#include "common/dnscheck/certificate.hpp"
#include "common/dnscheck/update.hpp"
#include "common/net/stream.hpp"
#include "common/smtp_client/reply.hpp"
#include "common/smtp_client/session.hpp"
#include "common/tls/tls.hpp"
#include "common/tlspolicy/sts_fetch.hpp"

namespace gk::dnscheck {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kConnectTime{5000};
constexpr milliseconds kDialogueTime{20'000};  // from the greeting to the certificate

struct Seen {
    std::string greeting;
    Certificate certificate;
};

milliseconds left_until(Clock::time_point deadline) {
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now());
    return std::max(left, milliseconds(1));
}

Result<smtp_client::Reply> read_reply(net::Stream& stream, Clock::time_point deadline) {
    smtp_client::ReplyParser parser;
    std::array<char, 4096> buffer;
    while (Clock::now() < deadline) {
        GK_TRY(const std::size_t count, stream.read_some(buffer, left_until(deadline)));
        if (count == 0) return fail(Errc::Closed, "it ended the connection");
        std::string_view bytes(buffer.data(), count);
        GK_TRY(auto reply, parser.feed(bytes));
        if (!reply) continue;
        // More than one reply was not asked for: what follows would be read as part of the handshake.
        if (!bytes.empty()) return fail(Errc::Permanent, "it says more than it was asked");
        return std::move(*reply);
    }
    return fail(Errc::Timeout, "it is too slow");
}

// As far as TLS: greeting, EHLO, STARTTLS.
Result<Seen> converse(const std::string& ip, unsigned port, const std::string& host) {
    const std::string origin = fmt::format("port {} of {}", port, ip);
    GK_TRY(auto socket, net::connect_tcp(ip, static_cast<std::uint16_t>(port), kConnectTime));
    const auto deadline = Clock::now() + kDialogueTime;
    Seen seen;
    GK_TRY(const auto greeting, read_reply(*socket, deadline));
    if (!greeting.positive()) return fail(Errc::Temporary, greeting.text());
    if (!greeting.lines.empty()) seen.greeting = greeting.lines[0].substr(0, greeting.lines[0].find(' '));
    GK_CHECK(socket->write_all(fmt::format("EHLO {}\r\n", host), left_until(deadline)));
    GK_TRY(const auto hello, read_reply(*socket, deadline));
    if (!hello.positive()) return fail(Errc::Temporary, hello.text());
    if (!smtp_client::parse_capabilities(hello).starttls) return fail(Errc::Permanent, "it does not offer STARTTLS");
    GK_CHECK(socket->write_all("STARTTLS\r\n", left_until(deadline)));
    GK_TRY(const auto ready, read_reply(*socket, deadline));
    if (!ready.positive()) return fail(Errc::Temporary, ready.text());
    GK_TRY(const auto context, tls::ClientContext::create({}));
    GK_TRY(auto secure, tls::connect(std::move(socket), *context, host, left_until(deadline)));
    GK_TRY(seen.certificate, read_certificates(secure->peer_chain(), origin));
    (void)secure->write_all("QUIT\r\n", milliseconds(1000));
    return seen;
}

struct Place {
    std::string ip;
    unsigned port = 25;
};

std::vector<Place> places(const Site& site, const ProbeOptions& options, Lookups& dns) {
    if (!options.smtp_at.empty()) {
        const auto at = parse_server(options.smtp_at);
        const bool has_port = options.smtp_at.find_first_of("@]") != std::string::npos ||
                              std::count(options.smtp_at.begin(), options.smtp_at.end(), ':') == 1;
        return at ? std::vector<Place>{{at->first, has_port ? at->second : 25}} : std::vector<Place>();
    }
    std::vector<std::string> ips = site.ours.ips;
    if (ips.empty() && !site.ours.host.empty())
        for (const auto type : {dns::Type::A, dns::Type::Aaaa})
            for (const auto& ip : dns.data(site.ours.host, type)) ips.push_back(ip);
    std::vector<Place> out;
    for (const auto& ip : ips)
        if (out.size() < 2) out.push_back({ip});
    return out;
}

}  // namespace

void look_at_server(Site& site, const ProbeOptions& options, Lookups& dns) {
    Ours& ours = site.ours;
    if (options.connect) {
        std::vector<std::string> errors;
        for (const auto& place : places(site, options, dns)) {
            auto seen = converse(place.ip, place.port, ours.host.empty() ? "localhost" : ours.host);
            if (!seen) {
                errors.push_back(fmt::format("port {} of {}: {}", place.port, place.ip, seen.error().text));
                continue;
            }
            ours.greeting = seen->greeting;
            ours.certificate = std::move(seen->certificate);
            break;
        }
        ours.certificate_error = text::printable(text::join(errors, "; "), 500);
        tlspolicy::FetchOptions fetch{.timeout = kDialogueTime, .ca_file = options.ca_file, .port = options.https_port};
        if (fetch.ca_file.empty() && site.config) fetch.ca_file = site.config->string("tls.ca_file");
        ours.fetch_policy = [fetch](const std::string& domain, const std::vector<std::string>& ips) {
            const auto fetched = tlspolicy::fetch_sts_policy(domain, ips, fetch);
            return FetchedPolicy{fetched.result == tlspolicy::ResultType::Success, fetched.text};
        };
    }
    if (ours.certificate || !site.config) return;
    auto configured = configured_certificate(*site.config);
    if (configured) ours.certificate = std::move(*configured);
    else if (ours.certificate_error.empty()) ours.certificate_error = configured.error().text;
}

}  // namespace gk::dnscheck
