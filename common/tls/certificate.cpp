// SPDX-License-Identifier: MIT
#include "common/tls/certificate.hpp"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <ctime>

#include "common/base/ids.hpp"
#include "common/base/text.hpp"
#include "common/os/file.hpp"
#include "common/tls/internal.hpp"

namespace gk::tls {
namespace {

using BioPtr = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, Deleter<GENERAL_NAMES_free>>;

constexpr std::size_t kMostCertificates = 20;

std::string name_text(const X509_NAME* name) {
    const BioPtr bio(BIO_new(BIO_s_mem()));
    if (!bio || X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0) return {};
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &bytes);
    return text::printable({bytes, static_cast<std::size_t>(size)}, 500);
}

TimePoint time_of(const ASN1_TIME* time) {
    struct tm parts {};
    if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
    return from_unix_s(::timegm(&parts));
}

std::string digest_of(const EVP_MD* function, std::string_view bytes) {
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (EVP_Digest(bytes.data(), bytes.size(), hash, &size, function, nullptr) != 1) return {};
    return {reinterpret_cast<char*>(hash), size};
}

}  // namespace

std::string to_der(const X509* certificate) {
    unsigned char* bytes = nullptr;
    const int size = i2d_X509(certificate, &bytes);
    if (size <= 0) return {};
    std::string der(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
    OPENSSL_free(bytes);
    return der;
}

X509Ptr from_der(std::string_view der) {
    const auto* at = reinterpret_cast<const unsigned char*>(der.data());
    X509Ptr certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
    ERR_clear_error();
    return certificate;
}

Result<CertificateFacts> read_certificate(std::string_view der) {
    const auto certificate = from_der(der);
    if (!certificate) return fail(Errc::BadInput, "that is no certificate");
    const X509* x = certificate.get();
    CertificateFacts facts{name_text(X509_get_subject_name(x)),
                           name_text(X509_get_issuer_name(x)),
                           {},
                           time_of(X509_get0_notBefore(x)),
                           time_of(X509_get0_notAfter(x))};
    const NamesPtr names(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(x, NID_subject_alt_name, nullptr, nullptr)));
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
        if (name->type != GEN_DNS) continue;
        const auto* bytes = reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName));
        facts.names.push_back(
            text::printable({bytes, static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName))}, 300));
    }
    ERR_clear_error();
    return facts;
}

Result<std::vector<std::string>> read_chain(const std::string& pem_path) {
    GK_TRY(const std::string pem, os::read_file(pem_path, 1 << 20));
    const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    std::vector<std::string> chain;
    while (bio && chain.size() < kMostCertificates) {
        const X509Ptr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
        if (!certificate) break;
        chain.push_back(to_der(certificate.get()));
    }
    ERR_clear_error();
    if (chain.empty()) return fail(Errc::BadInput, fmt::format("'{}' holds no certificate", pem_path));
    return chain;
}

Result<Tlsa> make_tlsa(std::string_view der, std::uint8_t usage, std::uint8_t selector, std::uint8_t matching) {
    const auto certificate = from_der(der);
    if (!certificate) return fail(Errc::BadInput, "that is no certificate");
    Tlsa record{usage, selector, matching, {}};
    if (selector == 0) {
        record.data = to_der(certificate.get());
    } else if (selector == 1) {
        unsigned char* bytes = nullptr;
        const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate.get()), &bytes);
        if (size <= 0) return fail(openssl_error(Errc::BadInput, "cannot read the certificate's key"));
        record.data.assign(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
        OPENSSL_free(bytes);
    } else {
        return fail(Errc::Unsupported, fmt::format("TLSA selector {} is not known", selector));
    }
    if (matching == 1) record.data = digest_of(EVP_sha256(), record.data);
    else if (matching == 2) record.data = digest_of(EVP_sha512(), record.data);
    else if (matching != 0) return fail(Errc::Unsupported, fmt::format("TLSA matching type {} is not known", matching));
    return record;
}

bool matches(const Tlsa& record, std::string_view der) {
    const auto own = make_tlsa(der, record.usage, record.selector, record.matching);
    return own && own->data == record.data;
}

std::string format_tlsa(const Tlsa& record) {
    return fmt::format("{} {} {} {}", record.usage, record.selector, record.matching, text::to_hex(record.data));
}

Result<Verdict> verify_chain(ClientContext& context, std::span<const std::string> chain, const Peer& peer) {
    const SslPtr ssl(SSL_new(context.state().context.get()));
    if (!ssl) return fail(openssl_error(Errc::Temporary, "cannot begin TLS"));
    GK_CHECK(expect_peer(ssl.get(), peer));
    std::vector<X509Ptr> certificates;
    for (const auto& der : chain) {
        certificates.push_back(from_der(der));
        if (!certificates.back()) return fail(Errc::BadInput, "the chain holds what is no certificate");
    }
    if (certificates.empty()) return fail(Errc::BadInput, "the chain is empty");
    const std::unique_ptr<STACK_OF(X509), decltype([](STACK_OF(X509) * s) { sk_X509_free(s); })> rest(
        sk_X509_new_null());
    for (const auto& certificate : certificates) sk_X509_push(rest.get(), certificate.get());
    const std::unique_ptr<X509_STORE_CTX, Deleter<X509_STORE_CTX_free>> store(X509_STORE_CTX_new());
    if (!rest || !store ||
        X509_STORE_CTX_init(store.get(), SSL_CTX_get_cert_store(context.state().context.get()),
                            certificates.front().get(), rest.get()) != 1)
        return fail(openssl_error(Errc::Temporary, "cannot check a chain"));
    X509_STORE_CTX_set_default(store.get(), "ssl_server");
    X509_VERIFY_PARAM_set1(X509_STORE_CTX_get0_param(store.get()), SSL_get0_param(ssl.get()));
    if (!peer.tlsa.empty()) X509_STORE_CTX_set0_dane(store.get(), SSL_get0_dane(ssl.get()));
    const bool holds = X509_verify_cert(store.get()) == 1;
    const int result = X509_STORE_CTX_get_error(store.get());
    ERR_clear_error();
    if (holds) return Verdict{Trust::Ok, {}};
    const Trust trust = trust_of(result);
    return Verdict{trust == Trust::Ok ? Trust::Failed : trust, X509_verify_cert_error_string(result)};
}

}  // namespace gk::tls
