// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "common/base/text.hpp"

namespace gk::address {

// A dot-string as it is; anything else as a quoted-string.
std::string quote_local_part(std::string_view local_part);
// What a quoted-string means; anything else as it is.
std::string unquote_local_part(std::string_view local_part);

namespace grammar {

// atext of RFC 5322, 3.2.3, and UTF8-non-ascii of RFC 6532, 3.2.
constexpr bool is_atext(char c) noexcept {
    return text::is_alpha(c) || text::is_digit(c) || static_cast<unsigned char>(c) >= 0x80 ||
           (c != '\0' && std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos);
}

constexpr bool is_domain_char(char c) noexcept {
    return text::is_alpha(c) || text::is_digit(c) || c == '.' || c == '-' || c == '_' ||
           static_cast<unsigned char>(c) >= 0x80;
}

}  // namespace grammar
}  // namespace gk::address
