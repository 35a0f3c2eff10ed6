// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

// Mailbox names between the wire and the store, which knows them as UTF-8 with '/'.
namespace gk::imap {

constexpr char kSeparator = '/';

// The store's name for what the client sent: modified UTF-7 (RFC 3501, 5.1.3), or UTF-8 where UTF8 (RFC 9051, 5.1).
// Names with 8-bit bytes are UTF-8 in any case. Nothing where it is neither.
std::optional<std::string> decode_mailbox(std::string_view wire, bool utf8);
// The other way, as an astring.
void append_mailbox(std::string& out, std::string_view name, bool utf8);

// Whether NAME fits PATTERN: "*" stands for anything, "%" for anything but the separator (RFC 9051, 6.3.9).
// INBOX fits in any case. Linear in space, at most quadratic in time.
bool matches_pattern(std::string_view pattern, std::string_view name);

}  // namespace gk::imap
