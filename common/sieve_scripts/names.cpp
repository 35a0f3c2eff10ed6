// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/base/digest.hpp"
#include "common/base/text.hpp"
#include "common/sieve_scripts/store.hpp"

namespace gk::sieve_scripts {

namespace {

constexpr std::size_t kMaxCharacters = 128;  // RFC 5804, 1.6: at least so many
constexpr std::size_t kMaxFileName = 200;    // NAME_MAX is 255; room for the suffix of a temporary file
constexpr std::string_view kHex = "0123456789ABCDEF";

}  // namespace

Status check_name(std::string_view name) {
    if (name.empty()) return fail(Errc::BadInput, "a script's name is not empty");
    if (!text::is_utf8(name)) return fail(Errc::BadInput, "a script's name is UTF-8");
    std::size_t characters = 0;
    for (std::size_t i = 0; i < name.size(); ++i) {
        const auto byte = static_cast<unsigned char>(name[i]);
        const auto next = static_cast<unsigned char>(i + 1 < name.size() ? name[i + 1] : 0);
        const auto third = static_cast<unsigned char>(i + 2 < name.size() ? name[i + 2] : 0);
        const bool c1 = byte == 0xC2 && next >= 0x80 && next <= 0x9F;                             // U+0080 to U+009F
        const bool separator = byte == 0xE2 && next == 0x80 && (third == 0xA8 || third == 0xA9);  // U+2028, U+2029
        if (byte < 0x20 || byte == 0x7F || c1 || separator)
            return fail(Errc::BadInput, "a script's name has no control characters");
        characters += (byte & 0xC0) != 0x80;
    }
    if (characters > kMaxCharacters)
        return fail(Errc::BadInput, fmt::format("a script's name has at most {} characters", kMaxCharacters));
    return ok();
}

std::string file_of(std::string_view name) {
    std::string file;
    for (const char c : name) {
        const bool plain = c != '/' && c != '%' && !(c == '.' && file.empty());
        if (plain) {
            file += c;
        } else {
            const auto byte = static_cast<unsigned char>(c);
            file += {'%', kHex[byte >> 4], kHex[byte & 15]};
        }
    }
    if (file.size() > kMaxFileName) {
        const auto digest = sha256_of(name);
        file = "%long-" + text::to_hex({reinterpret_cast<const char*>(digest.data()), 16});
    }
    return file + ".sieve";
}

}  // namespace gk::sieve_scripts
