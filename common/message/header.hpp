// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/message/structure.hpp"

// The fields of a header block (RFC 5322, 2.2), as views into it; LF and CRLF both end a line.
namespace gk::message {

struct Field {
    std::string_view name;   // as written, without white space before the colon; empty for a line without a colon
    std::string_view value;  // after the colon: folds included, without the last line end
    std::string_view whole;  // name to last line end, as stored
};

// Reads one field after the other; stops at the empty line or the end. BLOCK must outlive it.
class FieldReader {
public:
    explicit FieldReader(std::string_view block) noexcept : block_(block) {}
    bool next(Field& field) noexcept;
    std::size_t position() const noexcept { return position_; }  // after what was read

private:
    std::string_view block_;
    std::size_t position_ = 0;
};

// The length of the header block that MESSAGE begins with, its empty line included (all of it where there is none).
std::size_t header_length(std::string_view message) noexcept;

// The first field of that name (ASCII case ignored), as its raw value.
std::optional<std::string_view> find_field(std::string_view block, std::string_view name) noexcept;
std::size_t count_fields(std::string_view block, std::string_view name) noexcept;

// Folds undone: line ends that white space follows are dropped, and white space on both sides (RFC 5322, 2.2.3).
std::string unfold(std::string_view value, std::size_t limit = std::size_t(-1));

// A field's text for people and for searching: unfolded, encoded words decoded (RFC 2047), 8-bit bytes as UTF-8 where
// they are that, else as Windows-1252. Valid UTF-8, without NUL or line ends.
std::string decode_text(std::string_view value);
// RFC 2047 on unfolded text: also in display names. Text that is not an encoded word stays.
std::string decode_words(std::string_view text);
// As decode_words, for a phrase of a header that gk writes: encoded in UTF-8 words where not ASCII.
std::string encode_words(std::string_view utf8);

// Comments (nested) dropped, as structured fields permit them.
std::string without_comments(std::string_view value);

// A structured value with parameters: Content-Type, Content-Disposition.
struct Structured {
    std::string value;                  // lower case, comments and white space dropped: "text/plain", "attachment"
    std::vector<Parameter> parameters;  // at most 1,000
};
Structured parse_structured(std::string_view value);

Envelope parse_envelope(std::string_view header_block, const Limits& limits = {});

}  // namespace gk::message
