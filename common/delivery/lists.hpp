// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <set>
#include <string>

#include "common/delivery/deliverer.hpp"

namespace gk::delivery {

// Each list once a message, however many lists lead to it; bounded in depth and in members, as aliases are.
struct Deliverer::Lists {
    std::set<std::string> done;
    std::size_t depth = 0, members = 0;
};

}  // namespace gk::delivery
