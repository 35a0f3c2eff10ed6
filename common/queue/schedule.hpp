// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>

#include "common/base/time.hpp"

namespace gk::queue {

using std::chrono::seconds;

struct Schedule {
    seconds first{60};          // wait before the second attempt
    seconds most{3600};         // the longest wait
    seconds expire{5 * 86400};  // age at which a message is given up
    seconds expire_dsn{2 * 86400};
    seconds delay_warning{4 * 3600};  // 0: none

    // The wait after the ATTEMPTS-th failure (1 and up): first, doubled each time, at most `most`; then a quarter
    // more or less by RANDOM, so that what failed together does not come back together.
    seconds wait(unsigned attempts, std::uint64_t random) const noexcept;
};

}  // namespace gk::queue
