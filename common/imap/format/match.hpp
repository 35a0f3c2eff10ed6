// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/imap/format/needle.hpp"
#include "common/message/structure.hpp"

// SEARCH keys that look into a message (RFC 3501, 6.4.4): substrings without regard to case (RFC 5051 folding), in text
// whose encoded words, transfer encodings and charsets are decoded. Memory is bounded, whatever the message's size.
namespace gk::imap {

// HEADER field-name string: in any field of that name. An empty needle asks whether there is one. HEADER_BLOCK is
// enough.
bool matches_header(std::string_view header_block, std::string_view field, const Needle& needle);
// The same from a cached envelope: FROM TO CC BCC SUBJECT, and HEADER of date, sender, reply-to, in-reply-to,
// message-id. Nothing where the envelope does not hold that field.
message::EnvelopeFields envelope_field(std::string_view field) noexcept;  // 0: not held
std::optional<bool> matches_envelope(const message::Envelope& envelope, std::string_view field, const Needle& needle);

// BODY: in the text parts, and in the headers of enclosed messages and of parts. TEXT: in the message's header too.
bool matches_body(const message::Structure& structure, std::string_view file, const Needle& needle);
bool matches_text(const message::Structure& structure, std::string_view file, const Needle& needle);

// "1-Feb-1994" (date of the grammar, without quotes) as days since 1970-01-01.
std::optional<int> parse_search_date(std::string_view s);

}  // namespace gk::imap
