// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/mailauth/arc/sets.hpp"
#include "common/mailauth/dkim/sign.hpp"

// Sealing a message that is passed on (RFC 8617, 5.1). The key may be elsewhere: it is asked to sign 32 octets, twice.
namespace gk::mailauth::arc {

struct SealOptions {
    std::int64_t timestamp_s = 0;  // t=
    // Fields that the message signature covers, where they are there. Empty: those of dkim::default_headers(), and all
    // DKIM-Signature fields (4.1.2).
    std::vector<std::string> headers = {};
    std::size_t header_octets = 1u << 20;
};

// Feed it the message as it leaves, in pieces of any size, LF or CRLF, then finish. Single use.
class Sealer {
public:
    explicit Sealer(SealOptions options);
    void feed(std::string_view bytes);

    // The three fields of a new set, each ending in CRLF, to be put in front of the message. PAYLOAD: the body of the
    // Authentication-Results field that says what was seen when the message came. CV: what its chain was then. BadInput
    // where the message has no From field, or has a chain where CV is None or none where it is another.
    // Exists: the chain is at its end, of 50 sets or by cv=fail, and nobody adds to it.
    Result<std::string> finish(const dkim::SignWith& key, std::string_view payload, Status cv);

private:
    const SealOptions options_;
    MessageSplitter splitter_;
    BodyHashes body_;
};

}  // namespace gk::mailauth::arc
