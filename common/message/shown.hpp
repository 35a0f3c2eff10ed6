// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "common/message/structure.hpp"

// What IMAP shows of a message's structure, in the exact syntax of RFC 3501 and RFC 9051 (section 9 in both). Here and
// not in imap/, so that the store can keep it ready. All functions append.
namespace gk::message {

// A string: quoted where the grammar permits it, else a literal "{n}CRLF…". 8-bit text is a literal before
// UTF8=ACCEPT or IMAP4rev2, and quoted after, where it is valid UTF-8. A NUL, which no literal may hold, becomes
// U+FFFD's stand-in "?".
void append_string(std::string& out, std::string_view s, bool utf8 = false);
void append_nil(std::string& out);

// envelope: "(" date subject from sender reply-to to cc bcc in-reply-to message-id ")"
void append_envelope(std::string& out, const Envelope& envelope, bool utf8 = false);
// body: of the whole message; with extension data it is BODYSTRUCTURE, without it BODY.
void append_body(std::string& out, const Structure& structure, bool extensions, bool utf8 = false);

}  // namespace gk::message
