// SPDX-License-Identifier: MIT
#include "common/mailauth/dkim/key_dns.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/mailauth/dkim/key_record.hpp"
#include "common/mailauth/resolver_source.hpp"

namespace gk::mailauth::dkim {
namespace {

constexpr std::size_t kMostServers = 13;   // of a zone; RFC 1035 leaves room for no more in an old packet
constexpr std::size_t kMostAddresses = 4;  // of one server: the first that answers speaks for it

// The names of the servers of the zone that DOMAIN lies in.
Result<std::vector<std::string>> zone_servers(dns::Resolver& resolver, std::string domain) {
    for (;;) {
        GK_TRY(const auto answer, resolver.query(domain, dns::Type::Ns));
        if (answer.bogus) return fail(Errc::Temporary, fmt::format("NS of {}: {}", domain, answer.why_bogus));
        std::vector<std::string> names;
        for (const auto& rdata : answer.rdata) {
            std::size_t offset = 0;
            if (auto name = dns::parse_name(rdata, offset); name && names.size() < kMostServers)
                names.push_back(std::move(*name));
        }
        if (!names.empty()) return names;
        const auto dot = domain.find('.');
        if (dot == std::string::npos) return fail(Errc::Temporary, "no name server of the zone was found");
        domain.erase(0, dot + 1);
    }
}

Lookup<std::string> ask(const dns::Options& options, const std::string& server, const std::string& domain,
                        const std::string& name) {
    dns::Options own = options;
    own.stubs[domain] = server;
    const auto resolver = dns::Resolver::create(own);
    if (!resolver) return {Outcome::TempError, {}, resolver.error().text, false};
    return ResolverSource(**resolver).txt(name);
}

Sight ask_host(const dns::Options& options, dns::Resolver& resolver, const std::string& host, const std::string& domain,
               const std::string& name) {
    Sight sight{host, {Outcome::TempError, {}, "no address", false}};
    const auto found = dns::find_addresses(resolver, host);
    if (!found) {
        sight.txt.error = found.error().text;
        return sight;
    }
    std::size_t asked = 0;
    for (const auto& ip : found->ips) {
        sight = {fmt::format("{} [{}]", host, ip), ask(options, ip, domain, name)};
        if (sight.txt.outcome != Outcome::TempError || ++asked == kMostAddresses) break;
    }
    return sight;
}

}  // namespace

LookEverywhere look_at_servers(dns::Options options, std::vector<std::string> servers) {
    return [options = std::move(options), servers = std::move(servers)](
               const std::string& domain, const std::string& name) -> Result<std::vector<Sight>> {
        std::vector<Sight> sights;
        for (const auto& server : servers) sights.push_back({server, ask(options, server, domain, name)});
        if (!sights.empty()) return sights;
        GK_TRY(const auto resolver, dns::Resolver::create(options));
        GK_TRY(const auto hosts, zone_servers(*resolver, domain));
        for (const auto& host : hosts) sights.push_back(ask_host(options, *resolver, host, domain, name));
        return sights;
    };
}

LookEverywhere look_at_source(DnsSource& source) {
    return [&source](const std::string&, const std::string& name) -> Result<std::vector<Sight>> {
        return std::vector<Sight>{{"DNS", source.txt(name)}};
    };
}

std::string compare_key(const Lookup<std::string>& shown, const std::string& record) {
    if (shown.outcome == Outcome::TempError) return text::printable(shown.error);
    if (!shown.found()) return "missing";
    if (shown.records.size() > 1) return fmt::format("differs: {} records", shown.records.size());
    const auto seen = parse_key_record(shown.records[0]);
    if (!seen) return "differs: " + seen.error().text;
    const auto wanted = parse_key_record(record);
    const bool revoked = wanted && wanted->revoked();
    if (seen->revoked()) return revoked ? "published" : "revoked";
    if (!wanted || seen->type != wanted->type || seen->octets != wanted->octets) return "differs: another key";
    if (!seen->permits_sha256() || !seen->permits_mail()) return "differs: not for mail signed by SHA-256";
    return "published";
}

Agreement agree(const std::vector<Sight>& sights, const std::string& record) {
    Agreement out;
    out.everywhere = out.nowhere = !sights.empty();
    for (const auto& sight : sights) {
        const std::string seen = compare_key(sight.txt, record);
        out.temporary |= sight.txt.outcome == Outcome::TempError;
        out.nowhere &= sight.txt.outcome == Outcome::Void;
        if (seen == "published") continue;
        out.everywhere = false;
        if (!out.text.empty()) out.text += "; ";
        out.text += fmt::format("{}: {}", text::printable(sight.server, 200), seen);
    }
    return out;
}

}  // namespace gk::mailauth::dkim
