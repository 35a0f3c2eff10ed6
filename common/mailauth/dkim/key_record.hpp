// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/mailauth/dkim/crypto.hpp"

namespace gk::mailauth::dkim {

// What DNS says about a key at SELECTOR._domainkey.DOMAIN (RFC 6376, 3.6.1).
struct KeyRecord {
    std::string type = "rsa";           // k=
    std::vector<std::string> hashes;    // h=; empty: all
    std::vector<std::string> services;  // s=; empty: all
    std::string octets;                 // p=, decoded; empty: revoked
    bool testing = false;               // t=y
    bool strict = false;                // t=s: i= must be in d= itself, not below it

    bool revoked() const noexcept { return octets.empty(); }
    bool permits_sha256() const noexcept;
    bool permits_mail() const noexcept;
};

// BadInput with what is wrong.
Result<KeyRecord> parse_key_record(std::string_view txt);
// The record for a key of ours.
std::string format_key_record(const PrivateKey& key);

}  // namespace gk::mailauth::dkim
