// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

// Mailbox names on the wire of RFC 3501 and in Maildir++ directory names: modified UTF-7 (RFC 3501, 5.1.3).
namespace gk::charset {

std::string to_mutf7(std::string_view utf8);  // malformed UTF-8 becomes U+FFFD

// Nothing where the input is not the one canonical encoding of its text: 8-bit bytes, superfluous shifts, encoded
// printable ASCII, unpaired surrogates, bits left over. So from_mutf7 and to_mutf7 are inverses.
std::optional<std::string> from_mutf7(std::string_view mutf7);

}  // namespace gk::charset
