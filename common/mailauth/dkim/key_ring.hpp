// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/mailauth/dkim/signature.hpp"
#include "common/mailauth/dns_source.hpp"

namespace gk::mailauth::dkim {

// As Authentication-Results names them (RFC 8601, 2.7.1).
enum class Verdict {
    Pass,
    Fail,       // the message or the signature was changed
    Policy,     // good, but not acceptable: expired, a weak key, a body that goes on past l=
    Neutral,    // the signature is malformed
    TempError,  // the key could not be fetched for now
    PermError,  // it can never be checked: no key, revoked, an algorithm that is not accepted
};
std::string_view verdict_name(Verdict verdict) noexcept;

struct KeyLimits {
    unsigned least_rsa_bits = 1024;  // RFC 8301, 3.2
    unsigned most_rsa_bits = 8192;
};

// The keys that signatures of one message name, each asked for once, and whether they fit.
class KeyRing {
public:
    explicit KeyRing(KeyLimits limits) : limits_(limits) {}

    struct Checked {
        Verdict verdict = Verdict::PermError;
        std::string reason;  // for people; untrusted bytes escaped
        unsigned key_bits = 0;
        bool testing = false;  // t=y
    };
    // SIGNATURE must have an algorithm. DIGEST is what it must be over.
    Checked check(const Signature& signature, std::string_view digest, DnsSource& dns);

private:
    struct Key {
        Verdict verdict = Verdict::PermError;  // Pass: it is there
        std::string reason;
        std::vector<std::string> records;
    };
    const Key& find(const Signature& signature, DnsSource& dns);
    // Tries one record at the key's name.
    Checked try_record(const Signature& signature, std::string_view digest, const std::string& txt) const;

    const KeyLimits limits_;
    std::map<std::string, Key> keys_;
};

}  // namespace gk::mailauth::dkim
