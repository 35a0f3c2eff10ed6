// SPDX-License-Identifier: MIT
#pragma once

#include "common/config/config.hpp"

namespace gk::config {

// The settings message.*; LIMITS is message::Limits, which lies on a higher floor.
template <class Limits>
void read_message_limits(const Config& config, Limits& limits) {
    limits.depth = static_cast<std::uint32_t>(config.integer("message.depth"));
    limits.parts = static_cast<std::uint32_t>(config.integer("message.parts"));
    limits.header_block = config.size("message.header_block");
    limits.header_line = config.size("message.header_line");
    limits.details = config.size("message.details");
}

}  // namespace gk::config
