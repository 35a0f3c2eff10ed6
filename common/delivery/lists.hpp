// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "common/delivery/deliverer.hpp"

namespace gk::delivery {

// Each list once a message, however many lists lead to it; bounded in depth and in members, as aliases are.
struct Deliverer::Lists {
    std::map<std::string, Answer> done;
    std::size_t depth = 0, members = 0;  // MEMBERS: of one that a recipient leads to, and of those within it
};

}  // namespace gk::delivery
