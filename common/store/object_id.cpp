// SPDX-License-Identifier: MIT
#include "common/store/object_id.hpp"

#include <algorithm>

#include "common/base/digest.hpp"
#include "common/base/text.hpp"

namespace gk::store {

namespace {

constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";  // RFC 4648, 6, in lower case

// 80 bits: by chance not met twice among a thousand million messages.
constexpr std::size_t kEmailBytes = 10;

void append_base32(std::string& out, const unsigned char* bytes, std::size_t count) {
    unsigned bits = 0, held = 0;
    for (std::size_t i = 0; i < count; ++i) {
        held = (held << 8 | bytes[i]) & 0xffff;
        for (bits += 8; bits >= 5; bits -= 5) out += kAlphabet[held >> (bits - 5) & 31];
    }
    if (bits > 0) out += kAlphabet[held << (5 - bits) & 31];
}

// What can stand in a line of fields that spaces part.
bool is_plain(std::string_view text) noexcept {
    return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

}  // namespace

std::string mailbox_id(std::string_view guid) { return "f" + text::lower(guid); }

std::string email_id(std::string_view guid) {
    const auto digest = sha256_of(guid);
    std::string out = "m";
    append_base32(out, digest.data(), kEmailBytes);
    return out;
}

std::string thread_id(std::uint64_t number) {
    unsigned char bytes[8];
    for (int i = 0; i < 8; ++i) bytes[i] = static_cast<unsigned char>(number >> (56 - 8 * i));
    std::string out = "t";
    append_base32(out, bytes, sizeof bytes);
    return out;
}

std::uint64_t parse_thread_id(std::string_view text) noexcept {
    if (text.size() != 14 || text.front() != 't') return 0;
    std::uint64_t number = 0;
    for (std::size_t i = 1; i < text.size(); ++i) {
        const auto value = kAlphabet.find(text[i]);
        if (value == std::string_view::npos) return 0;
        // 64 bits are twelve letters and four bits of a thirteenth.
        if (i < 13) number = number << 5 | value;
        else number = number << 4 | value >> 1;
    }
    return number;
}

std::string_view uidlist_field(std::string_view fields, char key) noexcept {
    while (!fields.empty()) {
        const auto end = std::min(fields.find(' '), fields.size());
        if (end > 0 && fields.front() == key) return fields.substr(1, end - 1);
        fields.remove_prefix(std::min(end + 1, fields.size()));
    }
    return {};
}

std::string with_uidlist_field(std::string_view fields, char key, std::string_view value) {
    std::string out;
    for (const auto field : text::split(fields, ' ')) {
        if (field.empty() || field.front() == key) continue;
        out.append(field) += ' ';
    }
    return (out += key).append(value);
}

std::string message_guid(std::string_view base, std::string_view fields) {
    const auto given = uidlist_field(fields, 'G');
    if (!given.empty()) return std::string(given);
    if (is_plain(base)) return std::string(base);
    // A foreign tool's name that could not be written down for a copy.
    const auto digest = sha256_of(base);
    return "gk-" + text::to_hex({reinterpret_cast<const char*>(digest.data()), 16});
}

}  // namespace gk::store
