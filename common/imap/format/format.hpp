// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/time.hpp"
#include "common/message/structure.hpp"

// What FETCH shows of a message, in the exact syntax of RFC 3501 and RFC 9051 (section 9 in both). All functions
// append.
namespace gk::imap {

// A string: quoted where the grammar permits it, else a literal "{n}CRLF…". 8-bit text is a literal before
// UTF8=ACCEPT or IMAP4rev2, and quoted after, where it is valid UTF-8. A NUL, which no literal may hold, becomes
// U+FFFD's stand-in "?".
void append_string(std::string& out, std::string_view s, bool utf8 = false);
void append_nil(std::string& out);

// envelope: "(" date subject from sender reply-to to cc bcc in-reply-to message-id ")"
void append_envelope(std::string& out, const message::Envelope& envelope, bool utf8 = false);
// body: of the whole message; with extension data it is BODYSTRUCTURE, without it BODY.
void append_body(std::string& out, const message::Structure& structure, bool extensions, bool utf8 = false);
// INTERNALDATE's date-time, quotes included: "17-Jul-1996 02:44:25 -0700" in UTC (+0000).
void append_internal_date(std::string& out, TimePoint t);
// date-time or date of APPEND and SEARCH, without quotes.
std::optional<TimePoint> parse_internal_date(std::string_view s);

}  // namespace gk::imap
