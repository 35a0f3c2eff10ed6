// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.hpp"

// The cryptography of DKIM and ARC, by OpenSSL. Both algorithms sign a SHA-256 digest, so whoever holds a key needs to
// see no more than 32 octets.
namespace gk::mailauth {

class Sha256 {
public:
    Sha256();
    ~Sha256();
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;
    void update(std::string_view bytes) noexcept;
    std::string digest();  // 32 octets; ends it
    Sha256 copy() const;   // as far as it is, to go on in another way

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

enum class Algorithm { RsaSha256, Ed25519Sha256 };
std::string_view algorithm_name(Algorithm algorithm) noexcept;  // "rsa-sha256"
std::string_view key_type_name(Algorithm algorithm) noexcept;   // "rsa": as in k=
std::optional<Algorithm> algorithm_named(std::string_view name) noexcept;

class RsaPublicKey;

class PublicKey {
public:
    // What p= of a key record holds: for RSA a SubjectPublicKeyInfo (or, as some publish, the bare RSAPublicKey), for
    // Ed25519 the 32 octets. BadInput for anything else, and for a modulus past MOST_BITS.
    static Result<PublicKey> load(Algorithm algorithm, std::string_view octets, unsigned most_bits = 8192);
    unsigned bits() const noexcept { return bits_; }
    bool verifies(std::string_view digest, std::string_view signature) const;

private:
    std::shared_ptr<void> key_;  // of Ed25519: EVP_PKEY
    std::shared_ptr<const RsaPublicKey> rsa_;
    Algorithm algorithm_ = Algorithm::RsaSha256;
    unsigned bits_ = 0;
};

class PrivateKey {
public:
    static Result<PrivateKey> generate(Algorithm algorithm, unsigned rsa_bits = 2048);
    static Result<PrivateKey> from_pem(std::string_view pem);  // PKCS #8 or PKCS #1, not encrypted
    std::string to_pem() const;                                // PKCS #8
    Algorithm algorithm() const noexcept { return algorithm_; }
    unsigned bits() const noexcept { return bits_; }
    std::string public_octets() const;  // for p=, before base64
    Result<std::string> sign(std::string_view digest) const;

private:
    std::shared_ptr<void> key_;
    Algorithm algorithm_ = Algorithm::RsaSha256;
    unsigned bits_ = 0;
};

}  // namespace gk::mailauth
