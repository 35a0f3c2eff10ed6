// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "common/base/result.hpp"
#include "common/tlspolicy/result_type.hpp"

namespace gk::tlspolicy {

struct FetchOptions {
    std::chrono::milliseconds timeout{20'000};  // of the whole
    std::string ca_file;                        // PEM; empty for the system's
    std::uint16_t port = 443;
};

// What came of asking https://mta-sts.DOMAIN/.well-known/mta-sts.txt.
struct Fetched {
    ResultType result = ResultType::StsPolicyFetchError;  // Success, StsWebpkiInvalid or StsPolicyFetchError
    std::string text;                                     // the policy, or why there is none
};

// One HTTPS request to the given addresses of mta-sts.DOMAIN: certificate checked, redirects refused, at most 64 KiB
// (RFC 8461, 3.3). Blocking; any thread.
Fetched fetch_sts_policy(const std::string& domain, const std::vector<std::string>& ips, const FetchOptions& options);

}  // namespace gk::tlspolicy
