// SPDX-License-Identifier: MIT
#include "common/tlspolicy/dane.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"

namespace gk::tlspolicy {
namespace {

// More records than any sane host has; each costs a hash a handshake.
constexpr std::size_t kMostRecords = 64;

// True where the lookup settles the matter: records found, or a failure.
bool look_up(dns::Source& source, const std::string& base, std::uint16_t port, HostTlsa& host) {
    const std::string name = fmt::format("_{}._tcp.{}", port, base);
    host.base = base;
    auto answer = source.tlsa(name);
    if (!answer) {
        // A name that DNS cannot hold has no records.
        if (answer.error().code == Errc::BadInput) {
            host.why = answer.error().text;
            return false;
        }
        host.state = HostTlsa::State::Failed;
        host.bogus = dns::is_bogus(answer.error());
        host.why = answer.error().text;
        return true;
    }
    if (answer->existence != dns::Existence::Found) {
        host.why = fmt::format("no TLSA records at {}", name);
        return false;
    }
    if (answer->security != dns::Security::Secure) {
        host.why = fmt::format("the TLSA records at {} are not signed", name);
        return false;
    }
    for (auto& record : answer->records) {
        if (host.found.size() >= kMostRecords) break;
        if (is_usable(record)) host.usable.push_back({record.usage, record.selector, record.matching, record.data});
        host.found.push_back(std::move(record));
    }
    host.state = host.usable.empty() ? HostTlsa::State::Unusable : HostTlsa::State::Usable;
    host.why.clear();
    return true;
}

}  // namespace

bool is_usable(const dns::Tlsa& record) noexcept {
    if ((record.usage != 2 && record.usage != 3) || record.selector > 1) return false;
    switch (record.matching) {
        case 0: return !record.data.empty();
        case 1: return record.data.size() == 32;
        case 2: return record.data.size() == 64;
        default: return false;
    }
}

HostTlsa find_tlsa(dns::Source& source, const std::string& host, std::uint16_t port, const dns::Addresses& addresses) {
    HostTlsa found;
    found.base = host;
    const bool is_alias = !addresses.canonical.empty() && !text::equals_nocase(addresses.canonical, host);
    if (addresses.security == dns::Security::Secure) {
        if (is_alias && look_up(source, addresses.canonical, port, found)) return found;
        look_up(source, host, port, found);
        return found;
    }
    // Without a signed address a TLSA lookup is not even tried: many servers of unsigned zones stumble over it.
    found.why = fmt::format("the addresses of {} are not signed", host);
    if (!is_alias) return found;
    const auto alias = source.cname(host);
    if (!alias) {
        found.state = HostTlsa::State::Failed;
        found.bogus = dns::is_bogus(alias.error());
        found.why = alias.error().text;
    } else if (alias->existence == dns::Existence::Found && alias->security == dns::Security::Secure) {
        look_up(source, host, port, found);
    }
    return found;
}

}  // namespace gk::tlspolicy
