// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace gk {

// SHA-256 of BYTES. For names and ids; secrets have their own module.
std::array<unsigned char, 32> sha256_of(std::string_view bytes) noexcept;
// Its first 64 bits: an id that nobody need fear to meet twice by chance.
std::uint64_t short_digest(std::string_view bytes) noexcept;

}  // namespace gk
