// SPDX-License-Identifier: MIT
// links: tlspolicy
#include <cstdlib>

#include "common/tlspolicy/sts_cache.hpp"

// A policy as a web server gives it, and a cache's file.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gk::tlspolicy;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    if (const auto policy = parse_sts_policy(bytes)) {
        if (policy->max_age_s < 0 || policy->max_age_s > kMostMaxAge_s) std::abort();
        if (policy->mode != StsMode::None && policy->mx.empty()) std::abort();
        const auto again = parse_sts_policy(format_sts_policy(*policy));
        if (!again || again->mx != policy->mx || again->mode != policy->mode) std::abort();
        (void)is_mx_allowed(*policy, bytes.substr(0, 255));
        for (const auto& mx : policy->mx)
            if (!mx.starts_with('*') && !is_mx_allowed(*policy, mx)) std::abort();
    }
    if (const auto entry = parse_sts_entry(bytes)) {
        const auto again = parse_sts_entry(format_sts_entry(*entry));
        if (!again || again->domain != entry->domain || again->expires != entry->expires) std::abort();
    }
    return 0;
}
