// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/mailauth/dkim/key_ring.hpp"
#include "common/mailauth/dkim/streamed_message.hpp"
#include "common/mailauth/dns_source.hpp"

// DKIM verification (RFC 6376, with 8301, 8463 and 8616).
namespace gk::mailauth::dkim {

struct Limits {
    std::size_t signatures = 10;  // the first ones are checked, the rest not looked at
    std::size_t header_octets = 1u << 20;
    KeyLimits keys = {};
    std::int64_t clock_skew_s = 300;
    bool accept_partial_body = false;  // l= that leaves an end of the body unsigned
};

struct Verified {
    Verdict verdict = Verdict::Neutral;
    std::string reason;  // for people; untrusted bytes escaped
    std::string domain;  // d=, in A-labels; empty where it could not be read
    std::string selector;
    std::string identity;         // i=
    std::string algorithm;        // "rsa-sha256", as written
    std::string signature_start;  // the first 8 characters of b=: header.b
    unsigned key_bits = 0;
    bool testing = false;              // the domain only tries it out (t=y): a failure is to mean nothing
    std::vector<std::string> headers;  // h=, in lower case
};

// The signatures of a message that streams through a StreamedMessage: begin() at its body, finish() at its end. Single
// use.
class Verification {
public:
    explicit Verification(std::int64_t now_s, const Limits& limits = {});
    void begin(const HeaderFields& fields, BodyHashes& bodies);
    // Names of the keys that finish() will ask for, so that they may be asked for before.
    std::vector<std::string> key_names() const;
    // One verdict for each signature from the top; empty where there is none.
    std::vector<Verified> finish(const StreamedMessage& message, DnsSource& dns);

private:
    struct Pending {
        Verified verified;
        std::optional<Signature> signature;  // absent: the verdict is there already
        std::size_t field = 0, body = 0;
    };
    void check(Pending& pending, const StreamedMessage& message, DnsSource& dns);

    const std::int64_t now_s_;
    const Limits limits_;
    std::vector<Pending> pending_;
    KeyRing keys_;
};

// What a signature that fits its message is accepted as: expired, from the future or over a part of the body only, it
// is Policy; REASON says so. Else Pass.
Verdict accepted(const Signature& signature, const BodyHashes::Digest& body, std::int64_t now_s, const Limits& limits,
                 std::string& reason);

// Feed it the message in pieces of any size, LF or CRLF, then finish. Memory is bounded by the header limit. Single
// use.
class Verifier {
public:
    explicit Verifier(std::int64_t now_s, const Limits& limits = {});
    void feed(std::string_view bytes) { message_.feed(bytes); }
    std::vector<Verified> finish(DnsSource& dns);
    const std::string& header() const noexcept { return message_.header(); }
    // False where it is longer than the limit: then only its begin is there.
    bool header_is_whole() const noexcept { return !message_.too_large(); }

private:
    Verification verification_;
    StreamedMessage message_;
};

}  // namespace gk::mailauth::dkim
