// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// Content-Transfer-Encodings undone (RFC 2045, 6), as streams: any split of the input gives the same output, and what
// is malformed is passed over as 6.7 and 6.8 advise, never an error.
namespace gk::message {

enum class Encoding : unsigned char { Identity, Base64, QuotedPrintable, UuEncode };

// The encoding that a Content-Transfer-Encoding value names; Identity for 7bit, 8bit, binary and what is unknown.
Encoding encoding_named(std::string_view value) noexcept;
// False for a value that is none of RFC 2045's (nor uuencode): its content cannot be decoded.
bool encoding_is_known(std::string_view value) noexcept;

class Decoder {
public:
    explicit Decoder(Encoding encoding) noexcept : encoding_(encoding) {}

    void feed(std::string_view bytes, std::string& out);  // appends
    void finish(std::string& out);
    bool saw_errors() const noexcept { return errors_; }

private:
    void feed_base64(std::string_view bytes, std::string& out);
    void feed_quoted_printable(std::string_view bytes, std::string& out);
    void feed_uuencode(std::string_view bytes, std::string& out);
    void end_of_line(std::string& out, bool with_cr);
    void uu_line(std::string& out);

    Encoding encoding_;
    bool errors_ = false;
    // base64
    std::uint32_t bits_ = 0;
    unsigned count_ = 0;
    bool padded_ = false;
    // quoted-printable: "=" or "=X" seen, and white space that may turn out to be trailing
    std::string pending_;
    // uuencode
    std::string line_;
    unsigned uu_state_ = 0;
};

// All of it at once.
std::string decode(std::string_view bytes, Encoding encoding);
std::string encode_quoted_printable(std::string_view bytes);  // CRLF line ends; text

}  // namespace gk::message
