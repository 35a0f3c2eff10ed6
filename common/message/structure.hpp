// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/address/list.hpp"
#include "common/base/result.hpp"

// What a message is made of: the flat tree of its MIME parts (RFC 2045, 2046) with everything that IMAP's
// ENVELOPE and BODYSTRUCTURE show. One bounded pass finds it; hostile bytes cost time linear in their number.
namespace gk::message {

// Strings are raw: unfolded, comments kept, encoded words not decoded, perhaps 8-bit. Nothing: no such field.
struct Envelope {
    std::optional<std::string> date, subject, in_reply_to, message_id;
    std::vector<address::Listed> from, sender, reply_to, to, cc, bcc;
};

// The fields of an envelope as bits, for those who want a few of them.
using EnvelopeFields = unsigned;
inline constexpr EnvelopeFields kDateField = 1, kSubjectField = 2, kInReplyToField = 4, kMessageIdField = 8,
                                kFromField = 16, kSenderField = 32, kReplyToField = 64, kToField = 128, kCcField = 256,
                                kBccField = 512, kAllFields = 1023;

struct Parameter {
    std::string name;   // lower case, as written: RFC 2231 forms ("filename*0*") are kept; see find_parameter
    std::string value;  // unquoted
    bool operator==(const Parameter&) const = default;
};

constexpr std::uint32_t kNone = 0xffffffff;

struct Part {
    enum class Kind : unsigned char {
        Leaf,
        Multipart,
        Message
    };  // Message: message/rfc822 or message/global, one child

    Kind kind = Kind::Leaf;
    bool opaque = false;  // a limit was reached here: whatever it says, its body was not looked into
    std::uint32_t parent = kNone, first_child = kNone, next_sibling = kNone;  // indices into Structure::parts
    std::uint32_t depth = 0;
    std::uint32_t envelope = kNone;  // index into Structure::envelopes, where this part's header is a message's

    // In the file: the header block with its empty line, then the body. An own boundary's line end is outside.
    std::uint64_t header_begin = 0, body_begin = 0, body_end = 0;
    // As IMAP counts them: octets with CRLF line ends, and lines.
    std::uint64_t header_octets = 0, body_octets = 0;
    std::uint32_t header_lines = 0, body_lines = 0;

    std::string type = "text", subtype = "plain";  // lower case; the default where the field is absent or malformed
    std::vector<Parameter> parameters;
    bool has_type = false;  // a Content-Type field was there and could be read
    std::string encoding;   // lower case: "base64"; empty: none given (7bit)
    std::optional<std::string> id, description, md5, location;
    std::optional<std::string> disposition;  // lower case: "attachment"
    std::vector<Parameter> disposition_parameters;
    std::vector<std::string> languages;

    bool is(std::string_view type_, std::string_view subtype_) const noexcept {
        return type == type_ && subtype == subtype_;
    }
};

// How the file's bytes become IMAP's octets.
enum class LineEnds : unsigned char {
    Convert,   // a LF without CR goes out as CRLF: what Maildir tools write
    AsStored,  // the file is in wire form already (its name has S= equal to W=): bytes go out unchanged
};

struct Limits {
    std::uint32_t depth = 100;
    std::uint32_t parts = 10'000;
    std::uint64_t header_block = 1u << 20;  // fields past it are not read, and the part is opaque
    std::uint64_t header_line = 64u << 10;  // of one field, unfolded; the rest of it is not read
    std::uint64_t details = 16u << 20;      // memory for envelopes and Content fields; past it only types are read
};

struct Structure {
    std::vector<Part> parts;          // in the order of the file; [0] is the message itself; never empty
    std::vector<Envelope> envelopes;  // [0] is the message's own
    LineEnds line_ends = LineEnds::Convert;

    const Part& root() const noexcept { return parts.front(); }
    const Envelope& envelope() const noexcept { return envelopes.front(); }
    std::uint64_t octets() const noexcept { return root().header_octets + root().body_octets; }  // RFC822.SIZE
};

// FILE is the whole message. Never fails and never recurses: any bytes are some message.
Structure scan(std::string_view file, LineEnds line_ends = LineEnds::Convert, const Limits& limits = {});

// A compact, versioned byte string for a cache, and back. BadInput for anything else, older versions included: scan
// again.
std::string serialise(const Structure& structure);
Result<Structure> deserialise(std::string_view bytes);
// Only the message's own envelope, and of that WANTED, into ENVELOPE, whose memory is used again and whose other fields
// stay. False where deserialise would fail before it had read that.
bool deserialise_envelope(std::string_view bytes, Envelope& envelope, EnvelopeFields wanted = kAllFields);

// The parameter NAME as UTF-8, with RFC 2231 continuations and charsets, and encoded words where senders put them.
std::optional<std::string> find_parameter(const std::vector<Parameter>& parameters, std::string_view name);
// The value of one plain parameter as written, else empty.
std::string_view raw_parameter(const std::vector<Parameter>& parameters, std::string_view name) noexcept;
// The name a part is to be saved under: filename of its disposition, else name of its type; as UTF-8, maybe empty,
// not fit for a path as it is.
std::string file_name(const Part& part);
// IMAP's number of a part ("1.2.3"); empty for the root of a multipart or message.
std::string part_number(const Structure& structure, std::uint32_t index);

}  // namespace gk::message
