// SPDX-License-Identifier: MIT
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <vector>

namespace gk::testing {

// A certificate with its key, made for a test.
struct TestCertificate {
    std::shared_ptr<EVP_PKEY> key;
    std::shared_ptr<X509> certificate;

    std::string der() const {
        unsigned char* bytes = nullptr;
        const int size = i2d_X509(certificate.get(), &bytes);
        std::string der(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
        OPENSSL_free(bytes);
        return der;
    }
    std::string certificate_pem() const {
        BIO* bio = BIO_new(BIO_s_mem());
        PEM_write_bio_X509(bio, certificate.get());
        return take(bio);
    }
    std::string key_pem() const {
        BIO* bio = BIO_new(BIO_s_mem());
        PEM_write_bio_PKCS8PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
        return take(bio);
    }

private:
    static std::string take(BIO* bio) {
        char* bytes = nullptr;
        const long size = BIO_get_mem_data(bio, &bytes);
        std::string text(bytes, static_cast<std::size_t>(size));
        BIO_free_all(bio);
        return text;
    }
};

// Signed by ISSUER, or by itself where that is null; NAMES go into subjectAltName, none for an authority.
inline TestCertificate make_certificate(const std::string& common_name, const std::vector<std::string>& names,
                                        const TestCertificate* issuer, long from_s = -3600, long until_s = 86400) {
    static long serial = 1;
    TestCertificate made{{EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"), EVP_PKEY_free}, {X509_new(), X509_free}};
    X509* x = made.certificate.get();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(x), from_s);
    X509_gmtime_adj(X509_getm_notAfter(x), until_s);
    X509_set_pubkey(x, made.key.get());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1, 0);
    X509* parent = issuer ? issuer->certificate.get() : x;
    X509_set_issuer_name(x, X509_get_subject_name(parent));
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, parent, x, nullptr, nullptr, 0);
    const auto add = [&](int nid, const std::string& value) {
        X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
        X509_add_ext(x, extension, -1);
        X509_EXTENSION_free(extension);
    };
    add(NID_basic_constraints, names.empty() ? "critical,CA:TRUE" : "critical,CA:FALSE");
    std::string alternative;
    for (const auto& name : names) alternative += (alternative.empty() ? "DNS:" : ",DNS:") + name;
    if (!alternative.empty()) add(NID_subject_alt_name, alternative);
    X509_sign(x, issuer ? issuer->key.get() : made.key.get(), EVP_sha256());
    return made;
}

}  // namespace gk::testing
