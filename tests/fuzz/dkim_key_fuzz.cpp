// SPDX-License-Identifier: MIT
// links: mailauth
#include <cstdlib>

#include "common/mailauth/dkim/key_record.hpp"
#include "common/mailauth/dkim/tags.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gk::mailauth;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    // The octets of a key come from DNS as well as its record.
    for (const auto algorithm : {Algorithm::RsaSha256, Algorithm::Ed25519Sha256})
        if (const auto key = PublicKey::load(algorithm, bytes); key && key->bits() > 8192) std::abort();
    const auto record = dkim::parse_key_record(bytes);
    if (!record) return 0;
    if (record->octets.size() > size) std::abort();
    const auto algorithm = record->type == "ed25519" ? Algorithm::Ed25519Sha256 : Algorithm::RsaSha256;
    if (const auto key = PublicKey::load(algorithm, record->octets))
        (void)key->verifies(std::string(32, 'd'), std::string(key->bits() / 8, 's'));
    return 0;
}
