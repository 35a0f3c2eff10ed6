// SPDX-License-Identifier: MIT
#include "common/auth/passwords.hpp"

#include <argon2.h>
#include <crypt.h>
#include <cstring>
#include <memory>
#include <vector>

#include "common/base/ids.hpp"
#include "common/base/text.hpp"

namespace gk::auth {

namespace {

constexpr std::uint32_t kPasses = 2, kMemoryKiB = 19 * 1024, kLanes = 1;
constexpr std::size_t kSaltBytes = 16, kHashBytes = 32;

}  // namespace

Result<std::string> hash_argon2id(std::string_view password) {
    const std::string salt = random_bytes(kSaltBytes);
    std::vector<char> encoded(::argon2_encodedlen(kPasses, kMemoryKiB, kLanes, kSaltBytes, kHashBytes, Argon2_id));
    const int code = ::argon2id_hash_encoded(kPasses, kMemoryKiB, kLanes, password.data(), password.size(), salt.data(),
                                             salt.size(), kHashBytes, encoded.data(), encoded.size());
    if (code != ARGON2_OK)
        return fail(Errc::Temporary, fmt::format("cannot compute argon2id: {}", ::argon2_error_message(code)));
    return std::string(encoded.data());
}

bool verify_argon2id(const std::string& encoded, std::string_view password) {
    return ::argon2id_verify(encoded.c_str(), password.data(), password.size()) == ARGON2_OK;
}

void pretend_argon2id(std::string_view password) {
    static const std::string salt = random_bytes(kSaltBytes);
    unsigned char out[kHashBytes];
    (void)::argon2id_hash_raw(kPasses, kMemoryKiB, kLanes, password.data(), password.size(), salt.data(), salt.size(),
                              out, sizeof out);
}

Result<std::string> imported_hash(std::string_view text) {
    if (text.starts_with('{')) {
        const auto end = text.find('}');
        if (end == std::string_view::npos) return fail(Errc::BadInput, "the hash names its scheme badly");
        const std::string_view scheme = text.substr(1, end - 1);
        constexpr std::string_view known[] = {"CRYPT", "SHA512-CRYPT", "SHA256-CRYPT", "BLF-CRYPT", "ARGON2ID"};
        if (std::none_of(std::begin(known), std::end(known),
                         [&](auto one) { return text::equals_nocase(one, scheme); }))
            return fail(Errc::BadInput,
                        fmt::format("hashes of the scheme '{}' are not accepted", text::printable(scheme, 40)));
        text.remove_prefix(end + 1);
    }
    constexpr std::string_view prefixes[] = {"$y$", "$gy$", "$7$", "$2a$", "$2b$", "$2y$", "$6$", "$5$", "$argon2id$"};
    const bool known =
        std::any_of(std::begin(prefixes), std::end(prefixes), [&](auto one) { return text.starts_with(one); });
    if (!known || text.size() > 384 || text.size() < 20 || !text::is_ascii(text) ||
        text.find_first_of(":\n *!") != std::string_view::npos)
        return fail(Errc::BadInput, "not a yescrypt, scrypt, bcrypt, sha512, sha256 or argon2id hash");
    return std::string(text);
}

bool verify_crypt(const std::string& hash, std::string_view password) {
    if (password.find('\0') != std::string_view::npos) return false;
    if (hash.starts_with("$argon2id$")) return verify_argon2id(hash, password);
    const auto scratch = std::make_unique<crypt_data>();  // 32 KB: not on a small stack
    std::memset(scratch.get(), 0, sizeof *scratch);
    const char* computed = ::crypt_r(std::string(password).c_str(), hash.c_str(), scratch.get());
    return computed != nullptr && computed[0] != '*' && equals_constant_time(computed, hash);
}

}  // namespace gk::auth
