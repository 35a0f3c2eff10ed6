// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "common/base/text.hpp"
#include "common/net/network.hpp"
#include "common/tls/certificate.hpp"
#include "common/tls/internal.hpp"

// What a client holds a server's certificate against.
namespace gk::tls {
namespace {

Status expect_tlsa(SSL* ssl, const Peer& peer) {
    // Sets SNI and the first reference name as well.
    if (SSL_dane_enable(ssl, peer.server_name.c_str()) != 1)
        return fail(openssl_error(Errc::Bug, "cannot set up DANE"));
    // RFC 7672, 3.1.1: the record binds the key to the name; neither names nor dates in the certificate matter.
    SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
    int usable = 0;
    for (const auto& record : peer.tlsa) {
        // RFC 7672, 3.1.3: 0 and 1 have no use for SMTP, where no set of roots is agreed on.
        if (record.usage != 2 && record.usage != 3) continue;
        const auto* data = reinterpret_cast<const unsigned char*>(record.data.data());
        const int added =
            SSL_dane_tlsa_add(ssl, record.usage, record.selector, record.matching, data, record.data.size());
        if (added < 0) return fail(openssl_error(Errc::Temporary, "cannot use a TLSA record"));
        usable += added;
    }
    ERR_clear_error();
    if (usable == 0) return fail(Errc::BadInput, "no TLSA record can be used");
    return ok();
}

}  // namespace

Status expect_peer(SSL* ssl, const Peer& peer) {
    if (net::parse_ip(peer.server_name)) {
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), peer.server_name.c_str());
        return ok();
    }
    if (peer.server_name.empty()) return ok();
    // RFC 8461, 4.1 wants a DNS-ID; RFC 7672, 3.2.3 still knows the common name.
    SSL_set_hostflags(
        ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | (peer.tlsa.empty() ? X509_CHECK_FLAG_NEVER_CHECK_SUBJECT : 0U));
    if (!peer.tlsa.empty()) {
        GK_CHECK(expect_tlsa(ssl, peer));
    } else {
        SSL_set_tlsext_host_name(ssl, peer.server_name.c_str());
        SSL_set1_host(ssl, peer.server_name.c_str());
    }
    for (const auto& name : peer.names)
        if (name != peer.server_name) SSL_add1_host(ssl, name.c_str());
    return ok();
}

std::string session_key(const Peer& peer) {
    std::string key = peer.server_name;
    for (const auto& name : peer.names) key += ' ' + name;
    for (const auto& record : peer.tlsa) key += '\n' + format_tlsa(record);
    return key;
}

Trust trust_of(long verify_result) noexcept {
    switch (verify_result) {
        case X509_V_OK: return Trust::Ok;
        case X509_V_ERR_CERT_HAS_EXPIRED:
        case X509_V_ERR_CERT_NOT_YET_VALID: return Trust::Expired;
        case X509_V_ERR_HOSTNAME_MISMATCH:
        case X509_V_ERR_IP_ADDRESS_MISMATCH: return Trust::WrongName;
        case X509_V_ERR_DANE_NO_MATCH: return Trust::NoTlsaMatch;
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        case X509_V_ERR_CERT_UNTRUSTED:
        case X509_V_ERR_CERT_REJECTED:
        case X509_V_ERR_INVALID_CA: return Trust::NotTrusted;
        default: return Trust::Failed;
    }
}

}  // namespace gk::tls
