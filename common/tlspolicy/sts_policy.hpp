// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"

// The texts of MTA-STS (RFC 8461): the TXT record and the policy. Values only; nothing here asks anybody.
namespace gk::tlspolicy {

constexpr std::size_t kMostPolicyBytes = 64 * 1024;  // RFC 8461, 3.3
constexpr std::int64_t kMostMaxAge_s = 31'557'600;   // RFC 8461, 3.2: a year
constexpr std::string_view kStsPath = "/.well-known/mta-sts.txt";

// The record's id (RFC 8461, 3.1), out of all TXT records at _mta-sts.DOMAIN. NotFound where none is an MTA-STS record;
// BadInput where several are, or the one is malformed: then there is no policy either.
Result<std::string> parse_sts_record(const std::vector<std::string>& records);
std::string format_sts_record(std::string_view id);

enum class StsMode { None, Testing, Enforce };
std::string_view sts_mode_name(StsMode mode) noexcept;

struct StsPolicy {
    StsMode mode = StsMode::None;
    std::int64_t max_age_s = 0;
    std::vector<std::string> mx;  // patterns: "mx.a.test", "*.a.test"; lower case
};

// RFC 8461, 3.2. BadInput, naming the line, for a policy that is none.
Result<StsPolicy> parse_sts_policy(std::string_view text);
std::string format_sts_policy(const StsPolicy& policy);  // lines end with CRLF
// RFC 8461, 4.1: "*" stands for exactly one label.
bool is_mx_allowed(const StsPolicy& policy, std::string_view host) noexcept;

}  // namespace gk::tlspolicy
