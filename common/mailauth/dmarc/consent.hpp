// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "common/mailauth/dmarc/discovery.hpp"

// May reports about a domain go to that address: verification of external destinations (RFC 9990, 4).
namespace gk::mailauth::dmarc {

struct Consent {
    enum class State {
        Inside,     // the address is of the same organization: nobody has to be asked
        Given,      // its domain says that it takes reports about this one
        Refused,    // it does not say so: no report may go there
        TempError,  // DNS did not answer: no report may go there now
    };
    State state = State::Refused;
    std::string asked;  // the name of the record, where it was looked for
    // Where that record names addresses of its own, at the same host: they take the place of the one asked about.
    std::vector<ReportUri> instead;
    std::string reason;  // for people; untrusted bytes escaped

    bool permits() const noexcept { return state == State::Inside || state == State::Given; }
};
std::string_view consent_name(Consent::State state) noexcept;  // "inside", "given", "refused", "temperror"

// POLICY_DOMAIN is where the record with URI stands. RECORDS makes the walks for both organizations; its limit of
// queries is the caller's.
Consent find_consent(const std::string& policy_domain, const ReportUri& uri, DnsSource& dns, Records& records,
                     const SuffixList* suffixes);

}  // namespace gk::mailauth::dmarc
