// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/message/structure.hpp"

// BODY[…]: which bytes a section is, and how they reach the wire.
namespace gk::imap {

// section-spec of RFC 3501, 9: part numbers, then what of that part.
struct Section {
    enum class Text : unsigned char { All, Header, HeaderFields, HeaderFieldsNot, Text, Mime };
    std::vector<std::uint32_t> part;  // empty: the message
    Text text = Text::All;
    std::vector<std::string> fields;  // of HeaderFields and HeaderFieldsNot, as the client wrote them

    bool operator==(const Section&) const = default;
};

constexpr std::size_t kMaxSectionDepth = 1000;  // part numbers
constexpr std::size_t kMaxSectionFields = 1000;

// What stands between "[" and "]". Field names may be atoms or quoted strings; a grammar that reads literals fills
// Section itself.
std::optional<Section> parse_section(std::string_view spec);
// The same for a reply: "1.2.HEADER.FIELDS (From To)".
std::string format_section(const Section& section);

struct Partial {
    std::uint64_t offset = 0, length = 0;
};  // "<offset.length>"

// Bytes on their way to the client: either OWN bytes, or a slice of the message file.
struct Piece {
    std::string own;                   // where not empty, the piece is these bytes
    std::uint64_t begin = 0, end = 0;  // else this range of the file
    bool to_crlf = false;  // its LFs without CR become CRLF on the way; the slice never begins inside a CRLF
};

struct Content {
    std::uint64_t octets = 0;  // on the wire: the number of the literal
    std::vector<Piece> pieces;
};

// Nothing where the message has no such part (answered as NIL, or as an empty string where the client's RFC says so).
// FILE is the whole message that STRUCTURE was scanned from; of another length, it is scanned again.
// A partial past the end is empty content.
std::optional<Content> find_section(const message::Structure& structure, std::string_view file, const Section& section,
                                    std::optional<Partial> partial = std::nullopt);
// The part that SECTION's numbers name, for BINARY and for SEARCH; message::kNone where there is none.
std::uint32_t find_part(const message::Structure& structure, const std::vector<std::uint32_t>& numbers);

// LF to CRLF as a stream: any split of the input gives the same output.
class CrlfWriter {
public:
    void feed(std::string_view bytes, std::string& out);

private:
    bool after_cr_ = false;
};

// The whole of CONTENT as a string: for tests, small sections, and tools.
std::string read_all(const Content& content, std::string_view file);

}  // namespace gk::imap
