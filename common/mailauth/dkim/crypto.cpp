// SPDX-License-Identifier: MIT
#include "common/mailauth/dkim/crypto.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <fmt/format.h>

#include <algorithm>

#include "common/base/text.hpp"
#include "common/mailauth/dkim/rsa_key.hpp"

namespace gk::mailauth {
namespace {

constexpr std::size_t kEd25519Octets = 32;
constexpr std::size_t kMaxExponent = 8;  // octets; all that is in use is 65537 and, seldom, 3

const unsigned char* octets_of(std::string_view s) { return reinterpret_cast<const unsigned char*>(s.data()); }
EVP_PKEY* raw(const std::shared_ptr<void>& key) { return static_cast<EVP_PKEY*>(key.get()); }
std::shared_ptr<void> owned(EVP_PKEY* key) {
    return {key, [](void* each) { EVP_PKEY_free(static_cast<EVP_PKEY*>(each)); }};
}

using Context = std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;
using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;

// Fetched once: a lookup by name costs more than the hash of a short header.
const EVP_MD* sha256() {
    static EVP_MD* const md = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    return md;
}

Error crypto_error(std::string_view what) {
    const unsigned long code = ERR_get_error();
    ERR_clear_error();
    const char* reason = code ? ERR_reason_error_string(code) : nullptr;
    return Error{Errc::Permanent, fmt::format("{}: {}", what, reason ? reason : "not possible"), 0};
}

bool set_up_rsa(EVP_PKEY_CTX* context) {
    return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1 &&
           EVP_PKEY_CTX_set_signature_md(context, sha256()) == 1;
}

}  // namespace

struct Sha256::Impl {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    ~Impl() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : impl_(std::make_unique<Impl>()) { EVP_DigestInit_ex(impl_->context, sha256(), nullptr); }
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::string_view bytes) noexcept { EVP_DigestUpdate(impl_->context, bytes.data(), bytes.size()); }

Sha256 Sha256::copy() const {
    Sha256 other;
    EVP_MD_CTX_copy_ex(other.impl_->context, impl_->context);
    return other;
}

std::string Sha256::digest() {
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_DigestFinal_ex(impl_->context, out, &size);
    return {reinterpret_cast<char*>(out), size};
}

std::string_view algorithm_name(Algorithm algorithm) noexcept {
    return algorithm == Algorithm::RsaSha256 ? "rsa-sha256" : "ed25519-sha256";
}
std::string_view key_type_name(Algorithm algorithm) noexcept {
    return algorithm == Algorithm::RsaSha256 ? "rsa" : "ed25519";
}

std::optional<Algorithm> algorithm_named(std::string_view name) noexcept {
    for (const auto algorithm : {Algorithm::RsaSha256, Algorithm::Ed25519Sha256})
        if (text::equals_nocase(name, algorithm_name(algorithm))) return algorithm;
    return std::nullopt;
}

Result<PublicKey> PublicKey::load(Algorithm algorithm, std::string_view octets, unsigned most_bits) {
    PublicKey key;
    key.algorithm_ = algorithm;
    if (algorithm == Algorithm::Ed25519Sha256) {
        if (octets.size() != kEd25519Octets)
            return fail(Errc::BadInput,
                        fmt::format("an Ed25519 key of {} octets, not {}", octets.size(), kEd25519Octets));
        key.key_ = owned(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, octets_of(octets), octets.size()));
        if (!key.key_) return fail(Errc::BadInput, "not a key");
        key.bits_ = static_cast<unsigned>(std::max(EVP_PKEY_bits(raw(key.key_)), 0));
    } else {
        const auto numbers = read_rsa_numbers(octets);
        if (!numbers) return fail(Errc::BadInput, "not an RSA key");
        // The time that a signature takes to check grows with the square of the modulus and with the exponent.
        if (numbers->modulus.size() * 8 > most_bits)
            return fail(Errc::BadInput,
                        fmt::format("a key of {} bits, more than {}", numbers->modulus.size() * 8, most_bits));
        if (numbers->exponent.size() > kMaxExponent) return fail(Errc::BadInput, "an exponent past 64 bits");
        key.rsa_ = RsaPublicKey::create(*numbers);
        if (!key.rsa_) return fail(Errc::BadInput, "not an RSA key");
        key.bits_ = key.rsa_->bits();
    }
    return key;
}

bool PublicKey::verifies(std::string_view digest, std::string_view signature) const {
    if (rsa_) return rsa_->verifies_sha256(digest, signature);
    // RFC 8463, 3: PureEdDSA, with the digest as its message.
    const DigestContext context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    int rc = EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, raw(key_));
    if (rc == 1)
        rc = EVP_DigestVerify(context.get(), octets_of(signature), signature.size(), octets_of(digest), digest.size());
    ERR_clear_error();
    return rc == 1;
}

Result<PrivateKey> PrivateKey::generate(Algorithm algorithm, unsigned rsa_bits) {
    PrivateKey key;
    key.algorithm_ = algorithm;
    key.key_ = owned(algorithm == Algorithm::RsaSha256
                         ? EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", static_cast<std::size_t>(rsa_bits))
                         : EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    if (!key.key_) return fail(crypto_error("cannot make a key"));
    key.bits_ = static_cast<unsigned>(EVP_PKEY_bits(raw(key.key_)));
    return key;
}

Result<PrivateKey> PrivateKey::from_pem(std::string_view pem) {
    const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
    // An encrypted key must not ask on the terminal of a daemon.
    const auto no_password = [](char*, int, int, void*) { return -1; };
    PrivateKey key;
    key.key_ = owned(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
    if (!key.key_) return fail(crypto_error("cannot read the private key"));
    switch (EVP_PKEY_base_id(raw(key.key_))) {
        case EVP_PKEY_RSA: key.algorithm_ = Algorithm::RsaSha256; break;
        case EVP_PKEY_ED25519: key.algorithm_ = Algorithm::Ed25519Sha256; break;
        default: return fail(Errc::Unsupported, "the private key is neither RSA nor Ed25519");
    }
    key.bits_ = static_cast<unsigned>(EVP_PKEY_bits(raw(key.key_)));
    return key;
}

std::string PrivateKey::to_pem() const {
    const Bio bio(BIO_new(BIO_s_mem()), BIO_free);
    if (PEM_write_bio_PKCS8PrivateKey(bio.get(), raw(key_), nullptr, nullptr, 0, nullptr, nullptr) != 1) return {};
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &bytes);
    return {bytes, static_cast<std::size_t>(size)};
}

std::string PrivateKey::public_octets() const {
    if (algorithm_ == Algorithm::Ed25519Sha256) {
        std::string out(kEd25519Octets, '\0');
        std::size_t size = out.size();
        (void)EVP_PKEY_get_raw_public_key(raw(key_), reinterpret_cast<unsigned char*>(out.data()), &size);
        return out;
    }
    unsigned char* der = nullptr;
    const int size = i2d_PUBKEY(raw(key_), &der);
    std::string out(reinterpret_cast<char*>(der), static_cast<std::size_t>(std::max(size, 0)));
    OPENSSL_free(der);
    return out;
}

Result<std::string> PrivateKey::sign(std::string_view digest) const {
    std::size_t size = static_cast<std::size_t>(EVP_PKEY_size(raw(key_)));
    std::string out(size, '\0');
    auto* bytes = reinterpret_cast<unsigned char*>(out.data());
    int rc = 0;
    if (algorithm_ == Algorithm::Ed25519Sha256) {
        const DigestContext context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
        rc = EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, raw(key_));
        if (rc == 1) rc = EVP_DigestSign(context.get(), bytes, &size, octets_of(digest), digest.size());
    } else {
        const Context context(EVP_PKEY_CTX_new(raw(key_), nullptr), EVP_PKEY_CTX_free);
        if (context && EVP_PKEY_sign_init(context.get()) == 1 && set_up_rsa(context.get()))
            rc = EVP_PKEY_sign(context.get(), bytes, &size, octets_of(digest), digest.size());
    }
    if (rc != 1) return fail(crypto_error("cannot sign"));
    out.resize(size);
    return out;
}

}  // namespace gk::mailauth
