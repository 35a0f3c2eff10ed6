// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/message/structure.hpp"

// SEARCH keys that look into a message (RFC 3501, 6.4.4): substrings without regard to case (RFC 5051 folding), in text
// whose encoded words, transfer encodings and charsets are decoded. Memory is bounded, whatever the message's size.
namespace gk::imap {

// What is looked for, prepared once for many messages.
class Needle {
public:
    // TEXT in CHARSET (that of the SEARCH command; US-ASCII and UTF-8 need no other). Empty matches everything.
    explicit Needle(std::string_view text, std::string_view charset = "utf-8");

    bool empty() const noexcept { return folded_.empty(); }
    bool in(std::string_view utf8) const;  // folds UTF8 first
    bool in_folded(std::string_view folded) const noexcept;
    const std::string& folded() const noexcept { return folded_; }

private:
    std::string folded_;
    bool ascii_ = false;
};

// HEADER field-name string: in any field of that name. An empty needle asks whether there is one. HEADER_BLOCK is
// enough.
bool matches_header(std::string_view header_block, std::string_view field, const Needle& needle);
// The same from a cached envelope: FROM TO CC BCC SUBJECT, and HEADER of date, sender, reply-to, in-reply-to,
// message-id. Nothing where the envelope does not hold that field.
std::optional<bool> matches_envelope(const message::Envelope& envelope, std::string_view field, const Needle& needle);

// BODY: in the text parts, and in the headers of enclosed messages and of parts. TEXT: in the message's header too.
bool matches_body(const message::Structure& structure, std::string_view file, const Needle& needle);
bool matches_text(const message::Structure& structure, std::string_view file, const Needle& needle);

// The day that SENTON, SENTBEFORE and SENTSINCE compare: days since 1970-01-01 of the Date field as written, without
// regard to time and zone; nothing where there is no readable Date.
std::optional<int> sent_day(const message::Envelope& envelope);
// "1-Feb-1994" (date of the grammar, without quotes) as the same number.
std::optional<int> parse_search_date(std::string_view s);

}  // namespace gk::imap
