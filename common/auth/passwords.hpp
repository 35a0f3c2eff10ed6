// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.hpp"

// Password hashes other than SCRAM's. Slow on purpose; run them inside a hashing slot.
namespace gk::auth {

// argon2id, 19 MiB, 2 passes, 1 lane (OWASP's first choice), in its usual text form.
Result<std::string> hash_argon2id(std::string_view password);
bool verify_argon2id(const std::string& encoded, std::string_view password);
// Work equal to verify_argon2id of a hash that hash_argon2id made.
void pretend_argon2id(std::string_view password);

// Hashes from elsewhere as crypt(3) knows them: yescrypt, scrypt, bcrypt, sha512, sha256; also argon2id; a scheme
// in braces as Dovecot writes it ({SHA512-CRYPT}) is taken off. BadInput for anything else, weak ones included.
Result<std::string> imported_hash(std::string_view text);
bool verify_crypt(const std::string& hash, std::string_view password);

}  // namespace gk::auth
