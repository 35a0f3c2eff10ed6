// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/mailauth/arc/seal.hpp"
#include "common/mailauth/arc/validate.hpp"

namespace gk::mailauth::arc {

// What a forwarder records of a message: what its receiver found when it came.
struct Recorded {
    std::string payload;           // for ARC-Authentication-Results
    std::optional<Status> status;  // of the chain then; absent where the results do not speak of one
};

// From the topmost Authentication-Results field of HEADER whose id is one of IDS. Whoever receives mail takes such
// fields out of what arrives (authres::FieldFilter), so that it can only be his own. NotFound where there is none:
// nothing is known of the message, and it is not to be sealed.
Result<Recorded> recorded_results(std::string_view header, const std::vector<std::string>& ids);

}  // namespace gk::mailauth::arc
