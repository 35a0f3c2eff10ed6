// SPDX-License-Identifier: MIT
#include "common/dnscheck/certificate.hpp"

#include <fmt/format.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>

#include "common/base/text.hpp"

namespace gk::dnscheck {
namespace {

constexpr std::size_t kMaxChain = 10;
constexpr int kMaxNames = 200;

using X509Ptr = std::unique_ptr<X509, decltype(&X509_free)>;

X509Ptr parse_der(std::string_view der) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
    return {d2i_X509(nullptr, &bytes, static_cast<long>(der.size())), &X509_free};
}

std::string to_der(X509* certificate) {
    unsigned char* out = nullptr;
    const int size = i2d_X509(certificate, &out);
    if (size <= 0) return {};
    std::string der(reinterpret_cast<char*>(out), static_cast<std::size_t>(size));
    OPENSSL_free(out);
    return der;
}

std::string text_of(const X509_NAME* name, int nid) {
    const int at = X509_NAME_get_index_by_NID(name, nid, -1);
    if (at < 0) return {};
    unsigned char* out = nullptr;
    const int size = ASN1_STRING_to_UTF8(&out, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    if (size < 0) return {};
    std::string text(reinterpret_cast<char*>(out), static_cast<std::size_t>(size));
    OPENSSL_free(out);
    return text;
}

std::vector<std::string> names_of(X509* certificate) {
    std::vector<std::string> names;
    auto* all = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
    for (int i = 0; all != nullptr && i < sk_GENERAL_NAME_num(all) && i < kMaxNames; ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(all, i);
        if (name->type != GEN_DNS) continue;
        const ASN1_STRING* text = name->d.dNSName;
        names.push_back(text::lower({reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                                     static_cast<std::size_t>(ASN1_STRING_length(text))}));
    }
    GENERAL_NAMES_free(all);
    return names;
}

std::int64_t seconds_of(const ASN1_TIME* time) {
    std::tm parts{};
    return ASN1_TIME_to_tm(time, &parts) == 1 ? static_cast<std::int64_t>(::timegm(&parts)) : 0;
}

std::string digest(const EVP_MD* algorithm, std::string_view bytes) {
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (EVP_Digest(bytes.data(), bytes.size(), out, &size, algorithm, nullptr) != 1) return {};
    return {reinterpret_cast<const char*>(out), size};
}

}  // namespace

Result<Certificate> read_chain(std::vector<std::string> der, std::string origin) {
    if (der.size() > kMaxChain) der.resize(kMaxChain);
    const auto leaf = der.empty() ? X509Ptr(nullptr, &X509_free) : parse_der(der[0]);
    if (!leaf) return fail(Errc::BadInput, fmt::format("{}: no certificate that can be read", origin));
    Certificate out;
    out.chain = std::move(der);
    out.names = names_of(leaf.get());
    const X509_NAME* issuer = X509_get_issuer_name(leaf.get());
    out.issuer = text_of(issuer, NID_organizationName);
    if (out.issuer.empty()) out.issuer = text_of(issuer, NID_commonName);
    out.not_after_s = seconds_of(X509_get0_notAfter(leaf.get()));
    out.self_signed = X509_NAME_cmp(issuer, X509_get_subject_name(leaf.get())) == 0;
    out.origin = std::move(origin);
    return out;
}

Result<Certificate> read_pem(std::string_view pem, std::string origin) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())),
                                                        &BIO_free);
    std::vector<std::string> der;
    while (der.size() < kMaxChain) {
        const X509Ptr each(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr), &X509_free);
        if (!each) break;
        der.push_back(to_der(each.get()));
    }
    return read_chain(std::move(der), std::move(origin));
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

std::string tlsa_octets(const Certificate& certificate, std::size_t at, unsigned selector, unsigned matching) {
    if (at >= certificate.chain.size() || selector > 1) return {};
    std::string octets = certificate.chain[at];
    if (selector == 1) {
        const auto parsed = parse_der(octets);
        if (!parsed) return {};
        unsigned char* out = nullptr;
        const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(parsed.get()), &out);
        if (size <= 0) return {};
        octets.assign(reinterpret_cast<char*>(out), static_cast<std::size_t>(size));
        OPENSSL_free(out);
    }
    if (matching == 0) return octets;
    if (matching == 1) return digest(EVP_sha256(), octets);
    if (matching == 2) return digest(EVP_sha512(), octets);
    return {};
}

}  // namespace gk::dnscheck
