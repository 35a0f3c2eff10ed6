// SPDX-License-Identifier: MIT
#include "common/address/orcpt.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"

namespace gk::address {
namespace {

constexpr std::string_view kUtf8 = "utf-8";

void append_utf8(std::string& out, std::uint32_t point) {
    if (point < 0x80) {
        out += static_cast<char>(point);
        return;
    }
    const int more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    constexpr unsigned char kLead[] = {0, 0xC0, 0xE0, 0xF0};
    out += static_cast<char>(kLead[more] | point >> (6 * more));
    for (int shift = 6 * (more - 1); shift >= 0; shift -= 6) out += static_cast<char>(0x80 | (point >> shift & 63u));
}

// HEXPOINT of RFC 6533, 3: a character, and none of UTF-16's halves.
bool read_point(std::string_view hex, std::uint32_t& point) {
    if (hex.empty() || hex.size() > 6) return false;
    point = 0;
    for (const char c : hex) {
        const char upper = text::to_upper(c);
        if (!text::is_digit(c) && (upper < 'A' || upper > 'F')) return false;
        point = point << 4 | static_cast<std::uint32_t>(text::is_digit(c) ? c - '0' : upper - 'A' + 10);
    }
    return point <= 0x10FFFF && (point < 0xD800 || point > 0xDFFF);
}

}  // namespace

std::string encode_xtext(std::string_view bytes) {
    std::string out;
    for (const char c : bytes) {
        if (c > ' ' && c < 0x7F && c != '+' && c != '=') out += c;
        else out += fmt::format("+{:02X}", static_cast<unsigned char>(c));
    }
    return out;
}

std::string decode_xtext(std::string_view xtext) {
    std::string out;
    for (std::size_t i = 0; i < xtext.size(); ++i) {
        if (xtext[i] == '+' && i + 2 < xtext.size()) {
            if (const auto byte = text::from_hex(xtext.substr(i + 1, 2))) {
                out += *byte;
                i += 2;
                continue;
            }
        }
        out += xtext[i];
    }
    return out;
}

std::string encode_utf8_address(std::string_view address) {
    std::string out;
    for (std::size_t i = 0; i < address.size();) {
        const auto byte = static_cast<unsigned char>(address[i]);
        if (byte < 0x80) {
            if (byte == '\\' || byte == '+' || byte == '=' || byte <= ' ' || byte == 0x7F)
                out += fmt::format("\\x{{{:02X}}}", byte);
            else out += address[i];
            ++i;
            continue;
        }
        const int more = byte >= 0xF0 ? 3 : byte >= 0xE0 ? 2 : byte >= 0xC0 ? 1 : 0;
        std::uint32_t point = more == 3 ? byte & 7u : more == 2 ? byte & 15u : byte & 31u;
        ++i;
        for (int k = 0; k < more && i < address.size(); ++k, ++i)
            point = point << 6 | (static_cast<unsigned char>(address[i]) & 63u);
        out += fmt::format("\\x{{{:X}}}", point);
    }
    return out;
}

std::string decode_utf8_address(std::string_view encoded) {
    std::string out;
    for (std::size_t i = 0; i < encoded.size();) {
        if (encoded.substr(i).starts_with("\\x{")) {
            const auto end = encoded.find('}', i);
            std::uint32_t point = 0;
            if (end != std::string_view::npos && read_point(encoded.substr(i + 3, end - i - 3), point)) {
                append_utf8(out, point);
                i = end + 1;
                continue;
            }
        }
        out += encoded[i++];
    }
    return out;
}

std::string make_orcpt(std::string_view address) {
    if (text::is_ascii(address)) return "rfc822;" + encode_xtext(address);
    return fmt::format("{};{}", kUtf8, encode_utf8_address(address));
}

std::string orcpt_in_ascii(std::string_view orcpt) {
    if (text::is_ascii(orcpt)) return std::string(orcpt);
    // What has escapes already keeps them: a backslash stands for nothing else in this type.
    std::string out;
    for (std::size_t i = 0; i < orcpt.size();) {
        std::size_t end = i;
        while (end < orcpt.size() &&
               (static_cast<unsigned char>(orcpt[end]) >= 0x80) == (static_cast<unsigned char>(orcpt[i]) >= 0x80))
            ++end;
        const auto run = orcpt.substr(i, end - i);
        out += text::is_ascii(run) ? std::string(run) : encode_utf8_address(run);
        i = end;
    }
    return out;
}

OriginalRecipient parse_orcpt(std::string_view orcpt) {
    const auto semicolon = orcpt.find(';');
    if (semicolon == std::string_view::npos || semicolon == 0) return {};
    OriginalRecipient found{text::lower(orcpt.substr(0, semicolon)), {}};
    const auto written = orcpt.substr(semicolon + 1);
    found.address = found.type == kUtf8 ? decode_utf8_address(written) : decode_xtext(written);
    return found;
}

}  // namespace gk::address
