// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/mailauth/dkim/body_hashes.hpp"
#include "common/mailauth/dkim/header_fields.hpp"
#include "common/mailauth/dkim/signature.hpp"
#include "common/mailauth/dns_source.hpp"

// DKIM verification (RFC 6376, with 8301, 8463 and 8616).
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

struct Limits {
    std::size_t signatures = 10;  // the first ones are checked, the rest not looked at
    std::size_t header_octets = 1u << 20;
    unsigned least_rsa_bits = 1024;  // RFC 8301, 3.2
    unsigned most_rsa_bits = 8192;
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

// Feed it the message in pieces of any size, LF or CRLF, then finish. Memory is bounded by the header limit. Single
// use.
class Verifier {
public:
    explicit Verifier(std::int64_t now_s, const Limits& limits = {});
    void feed(std::string_view bytes);
    // One verdict for each signature from the top; empty where there is none.
    std::vector<Verified> finish(DnsSource& dns);

    // The message's header block, which a gate reads further: fields are views into it.
    const std::string& header() const noexcept { return splitter_.header(); }

private:
    struct Pending {
        Verified verified;
        std::optional<Signature> signature;  // absent: the verdict is there already
        std::size_t field = 0, body = 0;
    };
    struct Key {
        Verdict verdict = Verdict::PermError;  // Pass: it is there
        std::string reason;
        std::vector<std::string> records;
    };

    void begin_body();
    const Key& key_of(const Signature& signature, DnsSource& dns);
    void check(Pending& pending, DnsSource& dns);
    // Tries one record at the key's name; false where another one may do better.
    bool try_key(Pending& pending, const std::string& txt, const std::string& digest);
    void apply_policy(Pending& pending);

    const std::int64_t now_s_;
    const Limits limits_;
    MessageSplitter splitter_;
    std::optional<HeaderFields> fields_;
    std::vector<Pending> pending_;
    BodyHashes bodies_;
    std::map<std::string, Key> keys_;
};

}  // namespace gk::mailauth::dkim
