// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/mailauth/dkim/body_hashes.hpp"
#include "common/mailauth/dkim/header_fields.hpp"

// DKIM signing (RFC 6376, 5). The key may be elsewhere: it is asked to sign 32 octets.
namespace gk::mailauth::dkim {

struct SignWith {
    std::string domain;    // d=
    std::string selector;  // s=
    std::string identity;  // i=; empty: left out
    Algorithm algorithm = Algorithm::RsaSha256;
    std::function<Result<std::string>(std::string_view digest)> sign;
};

struct SignOptions {
    Canon header_canon = Canon::Relaxed, body_canon = Canon::Relaxed;
    std::int64_t timestamp_s = 0;                // t=
    std::optional<std::int64_t> expires_s = {};  // x=
    // Fields to sign, where they are there. Empty: the content and threading fields that 5.4.1 recommends.
    std::vector<std::string> headers = {};
    // Of these, one more is named than there is, so that none can be added (8.15). Empty: From and what readers see.
    std::vector<std::string> oversigned = {};
    std::size_t header_octets = 1u << 20;
};

// What signatures are written of; ARC writes its own in the same way.
const std::vector<std::string>& default_headers() noexcept;
// For h=: each of WANTED as often as it is there, and once more where OVERSIGNED lists it.
std::vector<std::string> names_to_sign(const HeaderFields& fields, const std::vector<std::string>& wanted,
                                       const std::vector<std::string>& oversigned);
std::string folded_names(
    const std::vector<std::string>& names);          // "\th=from:to;" and CRLF, on as many lines as it takes
std::string folded_base64(std::string_view octets);  // for b=, without a line end

// Feed it the message in pieces of any size, LF or CRLF, then finish. Single use.
class Signer {
public:
    explicit Signer(SignOptions options);
    void feed(std::string_view bytes);
    // One DKIM-Signature field a key, each ending in CRLF, to be put in front of the message in that order. BadInput
    // where the message has no From field or its header is too large.
    Result<std::string> finish(const std::vector<SignWith>& keys);

private:
    const SignOptions options_;
    MessageSplitter splitter_;
    BodyHashes body_;
    std::optional<HeaderFields> fields_;
};

}  // namespace gk::mailauth::dkim
