// SPDX-License-Identifier: MIT
#include "common/dnscheck/certificate.hpp"

#include "common/base/text.hpp"
#include "common/base/time.hpp"
#include "common/tls/certificate.hpp"

namespace gk::dnscheck {
namespace {

constexpr std::size_t kMaxChain = 10;

}  // namespace

Result<Certificate> read_certificates(std::vector<std::string> der, std::string origin) {
    if (der.size() > kMaxChain) der.resize(kMaxChain);
    if (der.empty()) return fail(Errc::BadInput, origin + ": no certificate");
    auto facts = tls::read_certificate(der[0]);
    if (!facts) return fail(facts.error().in(origin));
    Certificate out;
    out.chain = std::move(der);
    for (const auto& name : facts->names) out.names.push_back(text::lower(name));
    out.issuer = facts->issuer;
    out.not_after_s = to_unix_s(facts->not_after);
    out.self_signed = facts->issuer == facts->subject;
    out.origin = std::move(origin);
    return out;
}

bool names_host(const Certificate& certificate, std::string_view host) {
    const auto dot = host.find('.');
    for (const auto& name : certificate.names) {
        if (text::equals_nocase(name, host)) return true;
        if (name.starts_with("*.") && dot != std::string_view::npos &&
            text::equals_nocase(std::string_view(name).substr(1), host.substr(dot)))
            return true;
    }
    return false;
}

}  // namespace gk::dnscheck
