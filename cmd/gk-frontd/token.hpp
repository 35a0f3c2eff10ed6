// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace gk::front {

// What an event of epoll is about: a connection's place, the side of it, and how often the place was used, so that an
// event for one that ended is not taken for its successor's.
constexpr std::uint64_t kListenerSide = 3;
constexpr std::uint32_t kSignals = UINT32_MAX, kControl = UINT32_MAX - 1;  // places on that side

constexpr std::uint64_t token(std::uint32_t slot, std::uint64_t side, std::uint32_t generation) {
    return slot | side << 32 | static_cast<std::uint64_t>(generation & 0x3FFFFFFF) << 34;
}

}  // namespace gk::front
