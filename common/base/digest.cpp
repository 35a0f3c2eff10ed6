// SPDX-License-Identifier: MIT
#include "common/base/digest.hpp"

#include <openssl/sha.h>

namespace gk {

std::array<unsigned char, 32> sha256_of(std::string_view bytes) noexcept {
    std::array<unsigned char, 32> digest{};
    ::SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
    return digest;
}

std::uint64_t short_digest(std::string_view bytes) noexcept {
    const auto digest = sha256_of(bytes);
    std::uint64_t first = 0;
    for (int i = 0; i < 8; ++i) first = first << 8 | digest[static_cast<std::size_t>(i)];
    return first;
}

}  // namespace gk
