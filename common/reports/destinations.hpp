// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/mailauth/dns_source.hpp"
#include "common/reports_log/observations.hpp"

// Where reports are wanted, and whether they may go there.
namespace gk::reports {

struct Destination {
    enum class Scheme { Mailto, Https };
    Scheme scheme = Scheme::Mailto;
    std::string address;      // Mailto: "d@a.test", its domain in A-labels; Https: the URI
    std::string host;         // of the authority: what consents
    std::uint64_t limit = 0;  // octets of the message; 0: none
    bool operator==(const Destination&) const = default;
};

// One URI of a rua tag, "!10m" at its end included. BadInput: neither mailto: nor https:, no sound address.
Result<Destination> parse_destination(std::string_view uri);
// A tag's value: URIs with commas between. What is not sound is left out.
std::vector<Destination> parse_rua(std::string_view value);

enum class Consent { Given, Refused, Unknown };  // Unknown: DNS gives no answer for now
struct ConsentAnswer {
    Consent consent = Consent::Refused;
    std::optional<Destination> instead;  // the receiver wants it at this address of the same host
    std::string why;
};
// RFC 9990, 4: for a destination outside the organization of POLICY_DOMAIN, whose own have consented by publishing the
// record. Asks POLICY_DOMAIN._report._dmarc.HOST.
ConsentAnswer ask_consent(mailauth::DnsSource& dns, std::string_view policy_domain, const Destination& destination);

struct TlsWanted {
    bool unknown = false;  // DNS gives no answer for now
    std::vector<Destination> destinations;
    std::string why;  // of none, or unknown
};
// RFC 8460, 3: the record at _smtp._tls.DOMAIN.
TlsWanted find_tls_destinations(mailauth::DnsSource& dns, std::string_view domain);
// The rua of one such record; nothing where it is none.
std::optional<std::string> parse_tls_record(std::string_view record);

}  // namespace gk::reports
