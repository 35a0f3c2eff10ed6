// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/mailauth/arc/sets.hpp"
#include "common/mailauth/dkim/verify.hpp"

// Validation of an Authenticated Received Chain (RFC 8617, 5.2).
namespace gk::mailauth::arc {

struct Limits {
    std::size_t header_octets = 1u << 20;
    dkim::KeyLimits keys = {};
    std::int64_t clock_skew_s = 300;
    bool find_oldest_pass = true;               // 5.2, step 5, which is optional
    std::size_t oldest_pass_octets = 8u << 20;  // of header that it may canonicalise; it ends there
};

// Who vouches for one step of the way.
struct Link {
    std::string domain, selector;  // of the seal
    std::string signing_domain;    // of the message signature
    std::string payload;           // of ARC-Authentication-Results: what that domain saw
};

struct Chain {
    Status status = Status::None;
    std::string reason;       // for people; untrusted bytes escaped
    bool temporary = false;   // Fail for a key that could not be fetched: another time it may pass
    std::vector<Link> links;  // [0] has instance 1; only where the structure is sound
    // The lowest instance whose message signature still fits; 0: all of them do. Only where it is Pass.
    unsigned oldest_pass = 0;
};

// The chain of a message that streams through a StreamedMessage: begin() at its body, finish() at its end. Single use.
class Validation {
public:
    explicit Validation(std::int64_t now_s, const Limits& limits = {});
    void begin(const HeaderFields& fields, BodyHashes& bodies);
    // Names of the keys that finish() will ask for.
    std::vector<std::string> key_names() const;
    Chain finish(const StreamedMessage& message, DnsSource& dns);

private:
    dkim::KeyRing::Checked check_message(std::size_t index, const StreamedMessage& message, DnsSource& dns);
    void check_seals(const StreamedMessage& message, DnsSource& dns, Chain& chain);
    unsigned oldest_pass(const StreamedMessage& message, DnsSource& dns);

    const std::int64_t now_s_;
    const Limits limits_;
    Sets sets_;
    std::vector<std::size_t> bodies_;  // of each set's message signature; npos: not hashed
    dkim::KeyRing keys_;
};

// As dkim::Verifier.
class Validator {
public:
    explicit Validator(std::int64_t now_s, const Limits& limits = {});
    void feed(std::string_view bytes) { message_.feed(bytes); }
    Chain finish(DnsSource& dns);

private:
    Validation validation_;
    StreamedMessage message_;
};

// The digest that the seal of set INSTANCE is over (5.1.1): all sets up to it, and SEAL, whose b= is empty, last.
// Where the chain has failed that is its own set alone (5.1.2).
class SealDigest {
public:
    void add(std::string_view field);  // of the sets before, and of its own set
    std::string with(std::string_view seal) const;

private:
    Sha256 hash_;
};

}  // namespace gk::mailauth::arc
