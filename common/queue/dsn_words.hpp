// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

#include "common/queue/dsn.hpp"

// What a DSN says to people.
namespace gk::queue {

std::string_view subject_of(DsnAction action) noexcept;
std::string_view story_of(DsnAction action) noexcept;  // lines with CRLF
// What the sender of a message can do about a failure or delay with this enhanced status code; one sentence or two,
// ASCII. Empty where waiting is all.
std::string_view advice_for(DsnAction action, std::string_view status) noexcept;

}  // namespace gk::queue
