// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/dns/resolver.hpp"
#include "common/tls/tls.hpp"

// DANE for SMTP (RFC 7672). The matching itself is OpenSSL's: tls::Peer takes the records.
namespace gk::tlspolicy {

// RFC 7672, 3.1: usages DANE-TA(2) and DANE-EE(3), selectors 0 and 1, matching types 0, 1 and 2 with data of the right
// size. PKIX-TA(0) and PKIX-EE(1) are unusable (3.1.3).
bool is_usable(const dns::Tlsa& record) noexcept;

// The TLSA records of one host and what they mean.
struct HostTlsa {
    enum class State {
        None,      // no validated records: DANE does not apply
        Usable,    // they decide
        Unusable,  // validated, but none is usable: TLS is due, the certificate is not checked (RFC 7672, 2.2)
        Failed,    // the lookup failed or is bogus: the host must not be used (RFC 7672, 2.2.2)
    };
    State state = State::None;
    std::string base;               // the TLSA base domain: SNI, and first reference identifier
    std::vector<dns::Tlsa> found;   // all of the RRset
    std::vector<tls::Tlsa> usable;  // Usable
    std::string why;                // None and Failed, in words
    bool bogus = false;             // Failed, by DNSSEC
};

// Looks for _PORT._tcp.HOST as RFC 7672, 2.2.2 has it: under the name that CNAMEs lead to, where all on the way is
// secure, else under HOST itself, where its own zone is. ADDRESSES are HOST's, from find_addresses(), found.
HostTlsa find_tlsa(dns::Source& source, const std::string& host, std::uint16_t port, const dns::Addresses& addresses);

}  // namespace gk::tlspolicy
