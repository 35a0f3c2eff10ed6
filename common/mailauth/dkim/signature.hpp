// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/mailauth/dkim/canonical.hpp"
#include "common/mailauth/dkim/crypto.hpp"

namespace gk::mailauth::dkim {

// A DKIM-Signature field (RFC 6376, 3.5; RFC 8616, 5: its domains may be U-labels).
struct Signature {
    std::string algorithm_name;  // a=, as written: it may be one that is not accepted any more
    std::optional<Algorithm> algorithm;
    Canon header_canon = Canon::Simple, body_canon = Canon::Simple;
    std::string domain;                // d=, in A-labels
    std::string selector;              // s=, in A-labels
    std::string identity;              // i=, or "@" and the domain
    std::string identity_domain;       // in A-labels
    std::vector<std::string> headers;  // h=, in lower case
    std::string signature, body_hash;  // b= and bh=, decoded
    std::optional<std::uint64_t> body_length, timestamp_s, expires_s;

    std::string key_name() const { return selector + "._domainkey." + domain; }
};

// VALUE is the field's body, folds included. BadInput says what is missing or malformed, or that the signature does not
// cover From.
Result<Signature> parse_signature(std::string_view value);

// The field with the value of its b= taken out (3.7).
std::string without_signature(std::string_view field);

}  // namespace gk::mailauth::dkim
