// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/mailauth/arc/validate.hpp"

namespace gk::mailauth::arc {

// A forwarder's word, where we take it.
struct TrustedResult {
    unsigned instance = 0;
    std::string domain;  // of the sealer
};

// Whether a trusted sealer saw DMARC pass for FROM_DOMAIN (RFC 8617, 7.2.1). A chain that passes says only that nobody
// changed it: seals are looked at from the newest on, and only as far down as each of them is of a domain that TRUSTED
// lists (or below one), since whoever seals can write what he likes about those before him. Nothing unless CHAIN
// passes.
std::optional<TrustedResult> trusted_pass(const Chain& chain, const std::vector<std::string>& trusted,
                                          std::string_view from_domain);

// Whether the newest seal claims to be of a domain that TRUSTED lists (or below one); whether it is good, is not asked.
bool newest_is_trusted(const Chain& chain, const std::vector<std::string>& trusted);

}  // namespace gk::mailauth::arc
