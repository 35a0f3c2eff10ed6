// SPDX-License-Identifier: MIT
#pragma once

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

}  // namespace gk::mailauth
