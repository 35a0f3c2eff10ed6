// SPDX-License-Identifier: MIT
#include "common/queue/schedule.hpp"

#include <algorithm>

namespace gk::queue {

seconds Schedule::wait(unsigned attempts, std::uint64_t random) const noexcept {
    std::int64_t s = std::max<std::int64_t>(1, first.count());
    for (unsigned i = 1; i < attempts && s < most.count(); ++i) s *= 2;
    s = std::min(s, std::max<std::int64_t>(1, most.count()));
    const std::int64_t spread = s / 2;  // from 3/4 to 5/4
    if (spread > 0) s += static_cast<std::int64_t>(random % static_cast<std::uint64_t>(spread + 1)) - spread / 2;
    return seconds(s);
}

}  // namespace gk::queue
