// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

// Text in the charsets that mail names, as UTF-8. Only charsets of a fixed list reach iconv(3), so a
// hostile name never chooses a converter. Nothing here fails: what cannot be decoded is U+FFFD.
namespace gk::charset {

// The name that iconv knows for what mail calls NAME ("latin1", "cp-1252", "gb2312" → "GB18030" …); empty where
// the charset is not one we decode.
std::string_view canonical_name(std::string_view name) noexcept;

// BYTES in CHARSET as valid UTF-8 of at most LIMIT bytes (cut between characters). An unknown charset is
// read as UTF-8 with U+FFFD for every byte that is not.
std::string to_utf8(std::string_view bytes, std::string_view charset, std::size_t limit = std::size_t(-1));

// S where it is valid UTF-8, else a copy in which every malformed sequence is U+FFFD.
std::string valid_utf8(std::string_view s);

// Appends the UTF-8 of one code point (U+FFFD for surrogates and what is past U+10FFFF).
void append_utf8(std::string& out, char32_t c);
// The code point at S[POS], and POS moved past it; U+FFFD and one byte for a malformed sequence. POS < S.size().
char32_t next_utf8(std::string_view s, std::size_t& pos) noexcept;

// A stream of bytes to a stream of UTF-8; a character may be split between two calls. Not thread-safe.
class Decoder {
public:
    explicit Decoder(std::string_view charset);
    ~Decoder();
    Decoder(Decoder&&) noexcept;
    Decoder& operator=(Decoder&&) noexcept;

    void feed(std::string_view bytes, std::string& out);  // appends
    void finish(std::string& out);                        // what an incomplete last character becomes

private:
    struct State;
    std::unique_ptr<State> state_;
};

// Opens the converters that mail uses most and keeps them for the life of the process, so that a session which
// later closes itself off from the file system can still use them. Call before fork; cheap the second time.
void preload();

// Simple Unicode case folding, as searches compare (RFC 5051 without decomposition; covers i;ascii-casemap).
char32_t fold(char32_t c) noexcept;
std::string fold_case(std::string_view utf8);

// What i;unicode-casemap compares octet by octet (RFC 5051, 2): titlecase, decomposed, as UTF-8.
std::string collation_key(std::string_view utf8);

}  // namespace gk::charset
