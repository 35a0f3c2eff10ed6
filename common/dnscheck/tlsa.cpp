// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/base/time.hpp"
#include "common/dnscheck/certificate.hpp"
#include "common/dnscheck/context.hpp"
#include "common/tls/certificate.hpp"
#include "common/tlspolicy/dane.hpp"

namespace gk::dnscheck {
namespace {

using dns::Type;

// Usage 3 is the server's own certificate, usage 2 any authority's in the chain that is sent.
bool fits(const dns::Tlsa& tlsa, const Certificate& certificate) {
    const tls::Tlsa record{tlsa.usage, tlsa.selector, tlsa.matching, tlsa.data};
    const std::size_t from = tlsa.usage == 3 ? 0 : 1, end = tlsa.usage == 3 ? 1 : certificate.chain.size();
    for (std::size_t at = from; at < end; ++at)
        if (tls::matches(record, certificate.chain[at])) return true;
    return false;
}

// DANE-EE with the digest of the key: it stays when the certificate is renewed for the same key (RFC 7672, 3.1.1).
std::string wanted_record(const std::optional<Certificate>& certificate) {
    if (!certificate || certificate->chain.empty()) return {};
    const auto record = tls::make_tlsa(certificate->chain[0], 3, 1, 1);
    return record ? tls::format_tlsa(*record) : std::string();
}

}  // namespace

void check_tlsa(const Context& c) {
    const std::string name = "_25._tcp." + c.subject;
    const Answer* answer = c.ask(name, Type::Tlsa);
    if (answer == nullptr) return;
    const auto& certificate = c.ours.certificate;
    const std::string wanted = wanted_record(certificate);
    const std::string origin = certificate ? " (" + certificate->origin + ")" : "";
    const auto mend = [&](const std::vector<std::string>& from) {
        return wanted.empty() ? std::vector<Change>() : replace(name, Type::Tlsa, from, wanted);
    };
    if (!answer->found()) {
        if (is_signed(c, c.subject))
            c.found("tlsa-missing", name, "no TLSA record",
                    wanted.empty() ? "the digest of the server's key; run this again when its certificate can be seen"
                                   : wanted + origin,
                    mend({}));
        return;
    }
    const std::vector<std::string> records = answer->data;
    if (!is_signed(c, c.subject))
        c.found("tlsa-insecure", name, listed(records), "a signed zone, with a DS record at its parent");
    std::vector<std::string> unusable, usable, strange;
    for (const auto& data : records) {
        const auto tlsa = read_tlsa(data);
        if (!tlsa || !tlspolicy::is_usable(*tlsa)) unusable.push_back(data);
        else if (usable.push_back(data); certificate && !fits(*tlsa, *certificate)) strange.push_back(data);
    }
    if (!unusable.empty()) {
        std::vector<Change> changes;
        for (const auto& data : unusable) changes.push_back(remove(name, Type::Tlsa, data));
        if (usable.empty() && !wanted.empty()) changes.push_back(add(name, Type::Tlsa, wanted));
        if (usable.empty() && wanted.empty()) changes.clear();
        c.found("tlsa-unusable", name, listed(unusable),
                wanted.empty() ? "usage 3 or 2 with a digest of the key" : wanted + origin, std::move(changes));
    }
    if (usable.empty()) return;
    if (!certificate)
        return c.unknown(name + " TLSA", c.ours.certificate_error.empty() ? "the server's certificate was not looked at"
                                                                          : c.ours.certificate_error);
    if (strange.size() == usable.size())
        return c.found("tlsa-differs", name, listed(strange), wanted + origin, mend(strange));
    if (strange.empty()) return;
    std::vector<Change> changes;
    for (const auto& data : strange) changes.push_back(remove(name, Type::Tlsa, data));
    c.found("tlsa-stale", name, listed(strange), "only records of certificates in use, or about to be",
            std::move(changes));
}

void check_certificate(const Context& c) {
    const auto& certificate = c.ours.certificate;
    if (!certificate) return;
    if (certificate->not_after_s != 0 && certificate->not_after_s < c.ours.now_s)
        c.found(
            "certificate-expired", c.subject,
            fmt::format("expired {} ({})", format_rfc3339(from_unix_s(certificate->not_after_s)), certificate->origin),
            "a certificate that is valid today");
    if (!names_host(*certificate, c.subject))
        c.found("certificate-name", c.subject,
                fmt::format("{} ({})", certificate->names.empty() ? "no name" : listed(certificate->names),
                            certificate->origin),
                c.subject);
}

}  // namespace gk::dnscheck
