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

// The fields that are written in the same way: DKIM-Signature (RFC 6376, 3.5), ARC-Message-Signature and ARC-Seal
// (RFC 8617, 4.1.2 and 4.1.3).
enum class SignatureKind { Dkim, ArcMessage, ArcSeal };

// One of them. RFC 8616, 5: its domains may be U-labels. ARC's have an instance where DKIM's have an identity; a seal
// has neither body hash nor list of fields, and its header is canonicalised in the relaxed form.
struct Signature {
    std::string algorithm_name;  // a=, as written: it may be one that is not accepted any more
    std::optional<Algorithm> algorithm;
    Canon header_canon = Canon::Simple, body_canon = Canon::Simple;
    std::string domain;                // d=, in A-labels
    std::string selector;              // s=, in A-labels
    std::string identity;              // i=, or "@" and the domain
    std::string identity_domain;       // in A-labels
    unsigned instance = 0;             // i= of ARC: 1 to 99
    std::vector<std::string> headers;  // h=, in lower case
    std::string signature, body_hash;  // b= and bh=, decoded
    std::optional<std::uint64_t> body_length, timestamp_s, expires_s;

    std::string key_name() const { return selector + "._domainkey." + domain; }
};

// VALUE is the field's body, folds included. BadInput says what is missing or malformed, or that the signature does not
// cover From, or that it covers what it must not.
Result<Signature> parse_signature(std::string_view value, SignatureKind kind = SignatureKind::Dkim);

// i= of an ARC field (RFC 8617, 4.2.1): one or two digits, not 0.
std::optional<unsigned> parse_instance(std::string_view digits) noexcept;

// The field with the value of its b= taken out (3.7).
std::string without_signature(std::string_view field);

}  // namespace gk::mailauth::dkim
