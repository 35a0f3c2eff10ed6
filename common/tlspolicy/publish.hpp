// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/config/config.hpp"
#include "common/tls/certificate.hpp"
#include "common/tlspolicy/sts_policy.hpp"

// What our own domains should say of themselves.
namespace gk::tlspolicy {

// One certificate that we show, as a TLSA record: DANE-EE(3) SPKI(1) SHA2-256(1), which RFC 7672, 3.1.1 recommends,
// since a renewed certificate with the same key needs no new record.
struct OwnTlsa {
    std::string certificate_path;
    tls::CertificateFacts facts;
    tls::Tlsa record;
};
// Of all configured certificates, the default one first.
Result<std::vector<OwnTlsa>> own_tlsa(const config::Config& config);

struct OwnSts {
    StsPolicy policy;
    std::string id;      // changes with the policy, and only with it
    std::string record;  // TXT at _mta-sts.DOMAIN: "v=STSv1; id=…;"
    std::string text;    // at https://mta-sts.DOMAIN/.well-known/mta-sts.txt
};
// The policy by mta_sts.mode and mta_sts.max_age, for a domain with these MX hosts; nothing where the mode is off.
std::optional<OwnSts> own_sts(const config::Config& config, const std::vector<std::string>& mx_hosts);

}  // namespace gk::tlspolicy
