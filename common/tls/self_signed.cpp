// SPDX-License-Identifier: MIT
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "common/base/ids.hpp"
#include "common/net/network.hpp"
#include "common/os/file.hpp"
#include "common/tls/internal.hpp"

namespace gk::tls {
namespace {

using KeyPtr = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using BioPtr = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, Deleter<X509_EXTENSION_free>>;

constexpr long kLifetime_s = 10L * 365 * 24 * 3600;
constexpr std::size_t kCommonNameMax = 64;  // RFC 5280, ub-common-name

bool is_name(std::string_view name) {
    if (name.empty() || name.size() > 253) return false;
    for (const char c : name)
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
              c == '_' || c == '*'))
            return false;
    return true;
}

Result<std::string> alternative_names(const std::string& hostname, const std::vector<std::string>& names) {
    std::string text;
    const auto add = [&text](const std::string& name) -> Status {
        const bool ip = net::parse_ip(name).has_value();
        if (!ip && !is_name(name)) return fail(Errc::BadInput, "'" + name + "' is not a host name or address");
        if (!text.empty()) text += ',';
        text += (ip ? "IP:" : "DNS:") + name;
        return ok();
    };
    GK_CHECK(add(hostname));
    for (const auto& name : names)
        if (name != hostname) GK_CHECK(add(name));
    return text;
}

bool add_extension(X509* certificate, int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
    const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
    return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

std::string contents(BIO* bio) {
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(bio, &bytes);
    return {bytes, static_cast<std::size_t>(size)};
}

Status write_new(const std::string& path, const std::string& text, unsigned mode) {
    GK_TRY(auto file, os::NewFile::create(path, mode));
    GK_CHECK(file.write(text));
    GK_CHECK(file.sync());
    return file.close();
}

}  // namespace

Status make_self_signed(const std::string& hostname, const std::vector<std::string>& names,
                        const std::string& certificate_path, const std::string& key_path) {
    GK_TRY(const auto alternative, alternative_names(hostname, names));
    const KeyPtr key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
    const X509Ptr certificate(X509_new());
    if (!key || !certificate) return fail(openssl_error(Errc::Bug, "cannot make a key"));
    X509* x = certificate.get();

    std::string serial = random_bytes(16);
    serial[0] = static_cast<char>((serial[0] & 0x3f) | 0x40);  // positive, and always 16 bytes
    const std::unique_ptr<BIGNUM, Deleter<BN_free>> number(
        BN_bin2bn(reinterpret_cast<const unsigned char*>(serial.data()), static_cast<int>(serial.size()), nullptr));
    X509_set_version(x, X509_VERSION_3);
    BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(x));
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);  // clocks of clients that run late
    X509_gmtime_adj(X509_getm_notAfter(x), kLifetime_s);
    X509_set_pubkey(x, key.get());
    const std::string common_name = hostname.substr(0, kCommonNameMax);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    const bool extended = add_extension(x, NID_subject_alt_name, alternative) &&
                          add_extension(x, NID_basic_constraints, "critical,CA:TRUE") &&
                          add_extension(x, NID_ext_key_usage, "serverAuth,clientAuth") &&
                          add_extension(x, NID_subject_key_identifier, "hash");
    if (!extended || X509_sign(x, key.get(), EVP_sha256()) == 0)
        return fail(openssl_error(Errc::Bug, "cannot make a certificate for '" + hostname + "'"));

    const BioPtr key_text(BIO_new(BIO_s_mem())), certificate_text(BIO_new(BIO_s_mem()));
    if (PEM_write_bio_PKCS8PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1 ||
        PEM_write_bio_X509(certificate_text.get(), x) != 1)
        return fail(openssl_error(Errc::Bug, "cannot write a certificate"));
    GK_CHECK(write_new(key_path, contents(key_text.get()), 0600));
    return write_new(certificate_path, contents(certificate_text.get()), 0644);
}

}  // namespace gk::tls
