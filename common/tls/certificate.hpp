// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/base/time.hpp"
#include "common/tls/tls.hpp"

// Certificates looked at without a connection. A certificate is its DER bytes, a chain has the server's own first.
namespace gk::tls {

struct CertificateFacts {
    std::string subject, issuer;     // "CN=mx.a.test"
    std::vector<std::string> names;  // DNS names in subjectAltName
    TimePoint not_before{}, not_after{};
};
Result<CertificateFacts> read_certificate(std::string_view der);

// The certificates of a PEM file. Errors: those of reading; BadInput where it holds none.
Result<std::vector<std::string>> read_chain(const std::string& pem_path);

// What a TLSA record for this certificate holds (RFC 6698, 2.1). BadInput for bytes that are no certificate,
// Unsupported for a selector or matching type that there is none of.
Result<Tlsa> make_tlsa(std::string_view der, std::uint8_t usage, std::uint8_t selector, std::uint8_t matching);
// The record's selector and matching type, applied to this one certificate, give its data.
bool matches(const Tlsa& record, std::string_view der);
std::string format_tlsa(const Tlsa& record);  // "3 1 1 8cb0fc6c…", as in a zone file

// What a handshake with PEER would find of CHAIN, by the same rules and roots.
struct Verdict {
    Trust trust = Trust::Failed;
    std::string error;  // empty for Ok
};
Result<Verdict> verify_chain(ClientContext& context, std::span<const std::string> chain, const Peer& peer);

}  // namespace gk::tls
