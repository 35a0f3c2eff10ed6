// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

#include "common/tls/tls.hpp"

namespace gk::tlspolicy {

// RFC 8460, 4.2: what was applied.
enum class PolicyType { NoPolicyFound, Sts, Tlsa };
std::string_view policy_type_name(PolicyType type) noexcept;  // "no-policy-found", "sts", "tlsa"

// RFC 8460, 4.3: why a session did not come up to it.
enum class ResultType {
    Success,
    StarttlsNotSupported,
    CertificateHostMismatch,
    CertificateExpired,
    CertificateNotTrusted,
    ValidationFailure,
    TlsaInvalid,
    DnssecInvalid,
    DaneRequired,
    StsPolicyFetchError,
    StsPolicyInvalid,
    StsWebpkiInvalid,
};
std::string_view result_type_name(ResultType type) noexcept;  // "certificate-expired"; "success"

// A certificate that did not hold. A TLSA record that does not match is "tlsa-invalid", as large receivers report it.
ResultType result_of(tls::Trust trust) noexcept;

}  // namespace gk::tlspolicy
