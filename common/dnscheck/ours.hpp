// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/mailauth/dkim/key_store.hpp"

namespace gk::dnscheck {

// A certificate chain as far as DNS has a say in it.
struct Certificate {
    std::vector<std::string> chain;  // DER, leaf first
    std::vector<std::string> names;  // DNS names of the leaf, lower case
    std::string issuer;              // organisation that issued the leaf, or its common name
    std::int64_t not_after_s = 0;
    bool self_signed = false;
    std::string origin;  // "port 25 of 192.0.2.1", "keys/tls/default.crt"
};

struct DkimKey {
    std::string selector;
    mailauth::dkim::KeyState state = mailauth::dkim::KeyState::Active;
    mailauth::Algorithm algorithm = mailauth::Algorithm::RsaSha256;
    unsigned bits = 0;
    std::string record;  // what DNS must show
};

// What a fetch of https://mta-sts.DOMAIN/.well-known/mta-sts.txt came to.
struct FetchedPolicy {
    bool reached = false;
    std::string text;  // the policy, or why there is none
};

// The MTA-STS policy that the configuration makes.
struct OwnPolicy {
    std::string record, text;
};

// Our side, as far as it is known: what DNS is held against.
struct Ours {
    std::string host;              // server.hostname, without a dot at the end
    std::vector<std::string> ips;  // our public addresses; empty: not said
    bool ips_said = false;         // said by a person or a setting, not taken from DNS
    std::optional<Certificate> certificate;
    std::string certificate_error;  // why there is none, where it was looked for
    std::string greeting;           // the name in the greeting on port 25; empty: not seen
    std::string rua;                // where reports go; empty: postmaster@DOMAIN
    std::int64_t now_s = 0;
    // The DKIM keys of a domain; empty where keys are not to be looked at (no --root).
    std::function<Result<std::vector<DkimKey>>(const std::string& domain)> keys;
    // Fetches from these addresses of mta-sts.DOMAIN; empty: not to be fetched.
    std::function<FetchedPolicy(const std::string& domain, const std::vector<std::string>& ips)> fetch_policy;
    // For a domain with these MX hosts; empty, or nothing: none is configured.
    std::function<std::optional<OwnPolicy>(const std::vector<std::string>& mx_hosts)> own_policy;
};

}  // namespace gk::dnscheck
