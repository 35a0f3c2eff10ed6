// SPDX-License-Identifier: MIT
#include "common/message/decoder.hpp"

#include <array>

#include "common/base/text.hpp"
#include "common/message/header.hpp"

namespace gk::message {

namespace {

constexpr std::size_t kMaxPending = 1000;  // white space held back; RFC 2045, 6.7 allows lines of 76
constexpr std::size_t kMaxUuLine = 200;    // a line holds 45 bytes in 61 characters

constexpr std::array<signed char, 256> kBase64 = [] {
    std::array<signed char, 256> t{};
    t.fill(-1);
    constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (std::size_t i = 0; i < digits.size(); ++i)
        t[static_cast<unsigned char>(digits[i])] = static_cast<signed char>(i);
    return t;
}();

int hex_digit(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

bool is_blank_or_cr(char c) noexcept { return c == ' ' || c == '\t' || c == '\r'; }

}  // namespace

Encoding encoding_named(std::string_view value) noexcept {
    value = text::trim(value);
    if (text::equals_nocase(value, "base64")) return Encoding::Base64;
    if (text::equals_nocase(value, "quoted-printable")) return Encoding::QuotedPrintable;
    for (const std::string_view name : {"x-uuencode", "uuencode", "x-uue", "uue"})
        if (text::equals_nocase(value, name)) return Encoding::UuEncode;
    return Encoding::Identity;
}

bool encoding_is_known(std::string_view value) noexcept {
    value = text::trim(value);
    if (value.empty() || encoding_named(value) != Encoding::Identity) return true;
    return text::equals_nocase(value, "7bit") || text::equals_nocase(value, "8bit") ||
           text::equals_nocase(value, "binary");
}

void Decoder::feed(std::string_view bytes, std::string& out) {
    switch (encoding_) {
        case Encoding::Identity: out += bytes; break;
        case Encoding::Base64: feed_base64(bytes, out); break;
        case Encoding::QuotedPrintable: feed_quoted_printable(bytes, out); break;
        case Encoding::UuEncode: feed_uuencode(bytes, out); break;
    }
}

void Decoder::finish(std::string& out) {
    if (encoding_ == Encoding::Base64) {
        if (count_ != 0) errors_ = true;  // not padded; the whole bytes that are there count
        if (count_ == 2) out += static_cast<char>(bits_ >> 4);
        if (count_ == 3) out += static_cast<char>(bits_ >> 10), out += static_cast<char>(bits_ >> 2);
        count_ = 0, bits_ = 0;
    } else if (encoding_ == Encoding::QuotedPrintable) {
        // "=" at the very end is a soft line break; white space at a line's end is not content.
        if (pending_.size() > 1 && pending_[0] == '=' && !is_blank_or_cr(pending_[1])) out += pending_, errors_ = true;
        pending_.clear();
    } else if (encoding_ == Encoding::UuEncode) {
        if (!line_.empty()) uu_line(out);
        if (uu_state_ != 2) errors_ = true;
    }
}

// RFC 2045, 6.8: bytes outside the alphabet are passed over. Padding ends a group, not the text: bodies that
// were pasted together from several are seen.
void Decoder::feed_base64(std::string_view bytes, std::string& out) {
    out.reserve(out.size() + bytes.size() / 4 * 3 + 3);
    std::size_t i = 0;
    const auto value = [&](std::size_t at) { return kBase64[static_cast<unsigned char>(bytes[at])]; };
    while (i < bytes.size()) {
        while (count_ == 0 && i + 4 <= bytes.size()) {
            const int a = value(i), b = value(i + 1), c = value(i + 2), d = value(i + 3);
            if ((a | b | c | d) < 0) break;
            const unsigned group = static_cast<unsigned>((a << 18) | (b << 12) | (c << 6) | d);
            const char three[3] = {static_cast<char>(group >> 16), static_cast<char>(group >> 8),
                                   static_cast<char>(group)};
            out.append(three, 3);
            i += 4;
        }
        if (i == bytes.size()) break;
        const char c = bytes[i++];
        if (c == '=') {
            if (count_ == 2) out += static_cast<char>(bits_ >> 4);
            if (count_ == 3) out += static_cast<char>(bits_ >> 10), out += static_cast<char>(bits_ >> 2);
            if (count_ == 1) errors_ = true;
            count_ = 0, bits_ = 0, padded_ = true;
            continue;
        }
        const int v = kBase64[static_cast<unsigned char>(c)];
        if (v < 0) {
            if (!text::is_space(c)) errors_ = true;
            continue;
        }
        if (std::exchange(padded_, false)) errors_ = true;
        bits_ = (bits_ << 6) | static_cast<unsigned>(v);
        if (++count_ == 4) {
            const char three[3] = {static_cast<char>(bits_ >> 16), static_cast<char>(bits_ >> 8),
                                   static_cast<char>(bits_)};
            out.append(three, 3);
            count_ = 0, bits_ = 0;
        }
    }
}

// RFC 2045, 6.7. pending_ is "=…" (an escape or a soft line break under way) or white space that the line may end with.
void Decoder::feed_quoted_printable(std::string_view bytes, std::string& out) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const char c = bytes[i];
        if (!pending_.empty() && pending_[0] != '=') {
            if (c == '\n') {
                out += pending_.back() == '\r' ? "\r\n" : "\n";
                pending_.clear();
                continue;
            }
            if (is_blank_or_cr(c) && pending_.size() < kMaxPending) {
                pending_ += c;
                continue;
            }
            out += std::exchange(pending_, {});
        } else if (!pending_.empty()) {
            const bool escape = pending_.size() == 2 && hex_digit(pending_[1]) >= 0;
            if (escape && hex_digit(c) >= 0) {
                out += static_cast<char>(hex_digit(pending_[1]) * 16 + hex_digit(c));
                pending_.clear();
                continue;
            }
            if (!escape && c == '\n') {
                pending_.clear();
                continue;
            }
            if (!escape && pending_.size() < kMaxPending &&
                (is_blank_or_cr(c) || (pending_.size() == 1 && hex_digit(c) >= 0))) {
                pending_ += c;
                continue;
            }
            errors_ = true;  // RFC 2045, 6.7: leave it as it is
            out += std::exchange(pending_, {});
        }
        if (c == '=' || is_blank_or_cr(c)) {
            const bool inside_line =
                c != '=' && i + 1 < bytes.size() && !is_blank_or_cr(bytes[i + 1]) && bytes[i + 1] != '\n';
            if (inside_line) out += c;
            else pending_ = c;
            continue;
        }
        std::size_t run = i + 1;
        while (run < bytes.size() && bytes[run] != '=' && !is_blank_or_cr(bytes[run])) ++run;
        out += bytes.substr(i, run - i);
        i = run - 1;
    }
}

void Decoder::feed_uuencode(std::string_view bytes, std::string& out) {
    for (const char c : bytes) {
        if (c == '\n') {
            uu_line(out);
            line_.clear();
        } else if (line_.size() < kMaxUuLine) {
            line_ += c;
        }
    }
}

// "begin 644 name", lines of a length and 4-character groups, "end" (POSIX, uuencode).
void Decoder::uu_line(std::string& out) {
    std::string_view line = line_;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (uu_state_ == 0) {
        if (line.starts_with("begin ")) uu_state_ = 1;
        return;
    }
    if (uu_state_ == 2 || line.empty()) return;
    if (line == "end") {
        uu_state_ = 2;
        return;
    }
    std::size_t length = (static_cast<unsigned char>(line[0]) - 32u) & 63u;
    const auto value = [&](std::size_t at) {
        return at < line.size() ? (static_cast<unsigned char>(line[at]) - 32u) & 63u : 0u;
    };
    for (std::size_t at = 1; length > 0 && at < line.size(); at += 4) {
        const unsigned group = value(at) << 18 | value(at + 1) << 12 | value(at + 2) << 6 | value(at + 3);
        const char three[3] = {static_cast<char>(group >> 16), static_cast<char>(group >> 8), static_cast<char>(group)};
        const std::size_t take = std::min<std::size_t>(3, length);
        out.append(three, take);
        length -= take;
    }
}

std::string decode(std::string_view bytes, Encoding encoding) {
    std::string out;
    Decoder decoder(encoding);
    decoder.feed(bytes, out);
    decoder.finish(out);
    return out;
}

std::string encode_quoted_printable(std::string_view bytes) {
    constexpr char kHex[] = "0123456789ABCDEF";
    std::string out;
    std::size_t column = 0;
    const auto put = [&](std::string_view piece) {
        if (column + piece.size() > 75) out += "=\r\n", column = 0;
        out += piece;
        column += piece.size();
    };
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const char c = bytes[i];
        if (c == '\r' && i + 1 < bytes.size() && bytes[i + 1] == '\n') continue;
        if (c == '\n') {
            out += "\r\n", column = 0;
            continue;
        }
        const bool at_end = i + 1 == bytes.size() || bytes[i + 1] == '\n' || bytes[i + 1] == '\r';
        // A line that begins with "." or "From " may be changed on its way (RFC 2049, 3).
        const bool fragile = column == 0 && (c == '.' || c == 'F');
        const bool literal = (c > 0x20 && c < 0x7F && c != '=') || ((c == ' ' || c == '\t') && !at_end);
        if (literal && !fragile) {
            put({&c, 1});
        } else {
            const char escape[3] = {'=', kHex[static_cast<unsigned char>(c) >> 4],
                                    kHex[static_cast<unsigned char>(c) & 15]};
            put({escape, 3});
        }
    }
    return out;
}

}  // namespace gk::message
