// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <string_view>

namespace gk::mailauth {

// The numbers of an RSA public key, big-endian without leading zeros; views into what they were read from.
struct RsaNumbers {
    std::string_view modulus, exponent;
};

// Reads a SubjectPublicKeyInfo (RFC 5280, 4.1.2.7) or a bare RSAPublicKey (RFC 8017, A.1.1) in DER. OpenSSL's own
// decoders try every format they know, which takes longer than to check a signature.
std::optional<RsaNumbers> read_rsa_numbers(std::string_view der) noexcept;

// The key made ready: for many signatures, and cheap enough for one. Checking asks nothing of OpenSSL but a power
// modulo the modulus; its general interface costs a third more, and there is nothing secret here. Any number of
// threads.
class RsaPublicKey {
public:
    // Null where the numbers cannot be a key: an even modulus, or none.
    static std::shared_ptr<const RsaPublicKey> create(const RsaNumbers& numbers);
    ~RsaPublicKey();
    unsigned bits() const noexcept { return bits_; }
    // RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, 8.2.2), by encoding the digest and comparing.
    bool verifies_sha256(std::string_view digest, std::string_view signature) const;

private:
    RsaPublicKey() = default;
    struct Numbers;
    std::unique_ptr<Numbers> numbers_;
    unsigned bits_ = 0;
};

}  // namespace gk::mailauth
