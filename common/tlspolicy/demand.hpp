// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/tlspolicy/dane.hpp"
#include "common/tlspolicy/level.hpp"
#include "common/tlspolicy/result_type.hpp"
#include "common/tlspolicy/sts_store.hpp"

// From facts to what is demanded of one host: pure.
namespace gk::tlspolicy {

// What a message asks for (RFC 8689).
enum class Wish {
    None,
    RequireTls,  // REQUIRETLS: an authenticated way, or none
    TlsOptional  // TLS-Required: No: rather delivered than protected
};

struct Facts {
    Level level = Level::Opportunistic;
    Wish wish = Wish::None;
    std::string domain;          // the next hop: the recipients' domain, or the smarthost's name
    std::string host;            // the MX host, lower case; an IP literal for none
    bool is_configured = false;  // the host's name comes from the configuration, not from DNS
    bool mx_secure = false;      // DNSSEC says that HOST is an MX of DOMAIN
    HostTlsa tlsa;               // looked up where DANE may apply
    StsView sts;
};

enum class Demand { Plain, Opportunistic, Encrypt, Certificate, Dane };
std::string_view demand_name(Demand demand) noexcept;

// Why a host must not be used, or did not come up to what was demanded.
struct Problem {
    ResultType type = ResultType::ValidationFailure;
    std::string status;  // RFC 3463: "4.7.5"; a 5.7.x is for good
    std::string text;
    std::string reason_code = {};  // for reports: "mx-not-in-policy"
};

struct HostDemand {
    Demand demand = Demand::Opportunistic;
    bool is_tested = false;  // MTA-STS in testing: the certificate is checked for the report only (RFC 8461, 5)
    tls::Peer peer;          // for the handshake
    PolicyType policy = PolicyType::NoPolicyFound;
    std::string why;                 // "the TLSA records of mx.b.test", "the TLS level encrypt", …
    std::optional<Problem> blocked;  // the host must not be used
    std::optional<Problem> noticed;  // it may be used, but not for what was published: for the report
};

HostDemand decide(const Facts& facts);

// The level that counts, with what the message asks for.
Level effective_level(Level level, Wish wish) noexcept;
// Whether DANE and MTA-STS are to be looked up.
bool looks_at_published(Level level, Wish wish) noexcept;

}  // namespace gk::tlspolicy
