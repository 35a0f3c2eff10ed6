// SPDX-License-Identifier: MIT
#include "common/tlspolicy/dane.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <memory>

#include "common/base/text.hpp"

namespace gk::tlspolicy {
namespace {

// More records than any sane host has; each costs a hash a handshake.
constexpr std::size_t kMostRecords = 64;

// A certificate or key given whole has to be one (RFC 7672, 3.1.1 and 3.2): OpenSSL takes no other for a record either.
bool is_der(std::string_view data, bool is_key) noexcept {
    const auto* at = reinterpret_cast<const unsigned char*>(data.data());
    const auto* const end = at + data.size();
    const auto length = static_cast<long>(data.size());
    bool parsed = false;
    if (is_key) {
        const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(d2i_PUBKEY(nullptr, &at, length), EVP_PKEY_free);
        parsed = key != nullptr;
    } else {
        const std::unique_ptr<X509, decltype(&X509_free)> certificate(d2i_X509(nullptr, &at, length), X509_free);
        parsed = certificate && X509_get0_pubkey(certificate.get());
    }
    ERR_clear_error();
    return parsed && at == end;
}

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
        case 0: return is_der(record.data, record.selector == 1);
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
