// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"

// The grammar of SCRAM's messages: comma-separated "a=value" attributes (RFC 5802, 7).
namespace gk::auth {

constexpr std::size_t kMostScramMessage = 8192;  // gs2 header, name, nonce and binding, with much room

// The value of the attribute NAME at the begin of REST, up to the next comma; REST moves past both.
std::optional<std::string_view> take_attribute(std::string_view& rest, char name);
// saslname: "=2C" is a comma, "=3D" an equals sign, and no other '=' is permitted.
std::optional<std::string> decode_saslname(std::string_view name);
std::string encode_saslname(std::string_view name);
bool is_scram_nonce(std::string_view nonce) noexcept;  // printable ASCII but the comma

}  // namespace gk::auth
