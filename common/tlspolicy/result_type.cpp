// SPDX-License-Identifier: MIT
#include "common/tlspolicy/result_type.hpp"

namespace gk::tlspolicy {

std::string_view policy_type_name(PolicyType type) noexcept {
    switch (type) {
        case PolicyType::NoPolicyFound: return "no-policy-found";
        case PolicyType::Sts: return "sts";
        case PolicyType::Tlsa: return "tlsa";
    }
    return "";
}

std::string_view result_type_name(ResultType type) noexcept {
    switch (type) {
        case ResultType::Success: return "success";
        case ResultType::StarttlsNotSupported: return "starttls-not-supported";
        case ResultType::CertificateHostMismatch: return "certificate-host-mismatch";
        case ResultType::CertificateExpired: return "certificate-expired";
        case ResultType::CertificateNotTrusted: return "certificate-not-trusted";
        case ResultType::ValidationFailure: return "validation-failure";
        case ResultType::TlsaInvalid: return "tlsa-invalid";
        case ResultType::DnssecInvalid: return "dnssec-invalid";
        case ResultType::DaneRequired: return "dane-required";
        case ResultType::StsPolicyFetchError: return "sts-policy-fetch-error";
        case ResultType::StsPolicyInvalid: return "sts-policy-invalid";
        case ResultType::StsWebpkiInvalid: return "sts-webpki-invalid";
    }
    return "";
}

ResultType result_of(tls::Trust trust) noexcept {
    switch (trust) {
        case tls::Trust::Ok: return ResultType::Success;
        case tls::Trust::Expired: return ResultType::CertificateExpired;
        case tls::Trust::WrongName: return ResultType::CertificateHostMismatch;
        case tls::Trust::NotTrusted: return ResultType::CertificateNotTrusted;
        case tls::Trust::NoTlsaMatch: return ResultType::TlsaInvalid;
        case tls::Trust::Unchecked:
        case tls::Trust::Failed: break;
    }
    return ResultType::ValidationFailure;
}

}  // namespace gk::tlspolicy
