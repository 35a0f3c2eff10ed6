// SPDX-License-Identifier: MIT
#include "common/charset/charset.hpp"

#include "common/base/text.hpp"

namespace gk::charset {

namespace {
constexpr char32_t kReplacement = 0xFFFD;
}

void append_utf8(std::string& out, char32_t c) {
    if (c >= 0x110000 || (c >= 0xD800 && c < 0xE000)) c = kReplacement;
    if (c < 0x80) {
        out += static_cast<char>(c);
    } else if (c < 0x800) {
        out += static_cast<char>(0xC0 | (c >> 6));
        out += static_cast<char>(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        out += static_cast<char>(0xE0 | (c >> 12));
        out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
        out += static_cast<char>(0x80 | (c & 0x3F));
    } else {
        out += static_cast<char>(0xF0 | (c >> 18));
        out += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
        out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
        out += static_cast<char>(0x80 | (c & 0x3F));
    }
}

char32_t next_utf8(std::string_view s, std::size_t& pos) noexcept {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
    const unsigned char lead = byte(pos++);
    if (lead < 0x80) return lead;
    std::size_t more;
    char32_t c, least;
    if (lead >= 0xC2 && lead < 0xE0) {
        more = 1, c = lead & 0x1Fu, least = 0x80;
    } else if (lead >= 0xE0 && lead < 0xF0) {
        more = 2, c = lead & 0x0Fu, least = 0x800;
    } else if (lead >= 0xF0 && lead < 0xF5) {
        more = 3, c = lead & 0x07u, least = 0x10000;
    } else {
        return kReplacement;
    }
    if (s.size() - pos < more) return kReplacement;
    for (std::size_t i = 0; i < more; ++i) {
        if ((byte(pos + i) & 0xC0) != 0x80) return kReplacement;
        c = (c << 6) | (byte(pos + i) & 0x3Fu);
    }
    if (c < least || c >= 0x110000 || (c >= 0xD800 && c < 0xE000)) return kReplacement;
    pos += more;
    return c;
}

std::string valid_utf8(std::string_view s) {
    if (text::is_utf8(s)) return std::string(s);
    std::string out;
    out.reserve(s.size() + 16);
    for (std::size_t i = 0; i < s.size();) append_utf8(out, next_utf8(s, i));
    return out;
}

}  // namespace gk::charset
