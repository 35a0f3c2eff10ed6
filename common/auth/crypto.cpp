// SPDX-License-Identifier: MIT
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "common/auth/scram.hpp"
#include "common/base/text.hpp"

namespace gk::auth {

namespace {

const unsigned char* bytes_of(std::string_view s) { return reinterpret_cast<const unsigned char*>(s.data()); }
unsigned char* bytes_of(std::string& s) { return reinterpret_cast<unsigned char*>(s.data()); }

// One UTF-8 character at the begin of S, which is valid UTF-8.
char32_t first_character(std::string_view s, std::size_t& length) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
    if (byte(0) < 0x80) return length = 1, byte(0);
    if (byte(0) < 0xE0) return length = 2, static_cast<char32_t>((byte(0) & 0x1F) << 6 | (byte(1) & 0x3F));
    if (byte(0) < 0xF0)
        return length = 3, static_cast<char32_t>((byte(0) & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F));
    return length = 4, static_cast<char32_t>((byte(0) & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 |
                                             (byte(3) & 0x3F));
}

bool is_foreign_space(char32_t c) {  // RFC 3454, C.1.2
    return c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x202F || c == 0x205F || c == 0x3000;
}
bool vanishes(char32_t c) {  // RFC 3454, B.1
    return c == 0xAD || c == 0x34F || c == 0x1806 || (c >= 0x180B && c <= 0x180D) || (c >= 0x200B && c <= 0x200D) ||
           c == 0x2060 || (c >= 0xFE00 && c <= 0xFE0F) || c == 0xFEFF;
}
bool is_prohibited(char32_t c) {  // RFC 3454, C.2 to C.9, as RFC 4013, 2.3 lists them
    return c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0x6DD || c == 0x70F || c == 0x180E ||
           (c >= 0x200E && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) || (c >= 0x2061 && c <= 0x206F) ||
           (c >= 0xE000 && c <= 0xF8FF) || (c >= 0xFDD0 && c <= 0xFDEF) || (c >= 0xFFF9 && c <= 0xFFFF) ||
           (c & 0xFFFE) == 0xFFFE || (c >= 0x1D173 && c <= 0x1D17A) || c >= 0xE0000;
}

}  // namespace

std::string salted_password(std::string_view password, std::string_view salt, int iterations) {
    std::string out(SHA256_DIGEST_LENGTH, '\0');
    ::PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), bytes_of(salt),
                        static_cast<int>(salt.size()), iterations, ::EVP_sha256(), static_cast<int>(out.size()),
                        bytes_of(out));
    return out;
}

std::string hmac_sha256(std::string_view key, std::string_view bytes) {
    std::string out(SHA256_DIGEST_LENGTH, '\0');
    unsigned length = 0;
    ::HMAC(::EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes_of(bytes), bytes.size(), bytes_of(out),
           &length);
    return out;
}

std::string sha256(std::string_view bytes) {
    std::string out(SHA256_DIGEST_LENGTH, '\0');
    ::SHA256(bytes_of(bytes), bytes.size(), bytes_of(out));
    return out;
}

ScramKeys scram_keys(std::string_view salted) {
    return {sha256(hmac_sha256(salted, "Client Key")), hmac_sha256(salted, "Server Key")};
}

Result<std::string> prepare_password(std::string_view password) {
    if (password.size() > 1024) return fail(Errc::BadInput, "the password is longer than 1024 bytes");
    if (!text::is_utf8(password)) return fail(Errc::BadInput, "the password is not UTF-8");
    std::string out;
    for (std::size_t i = 0; i < password.size();) {
        std::size_t length = 1;
        const char32_t c = first_character(password.substr(i), length);
        if (is_foreign_space(c)) out += ' ';
        else if (vanishes(c)) {
        } else if (is_prohibited(c)) return fail(Errc::BadInput, "the password holds a control character");
        else out += password.substr(i, length);
        i += length;
    }
    if (out.empty()) return fail(Errc::BadInput, "the password is empty");
    return out;
}

}  // namespace gk::auth
