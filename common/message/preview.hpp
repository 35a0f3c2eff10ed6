// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "common/message/structure.hpp"

namespace gk::message {

// How long a preview may be (RFC 8970, 3.1).
constexpr std::size_t kMaxPreview = 200;  // characters

// The first words that a reader would see, in one line of UTF-8: of the first text part that has any, HTML reduced to
// its text, and what is quoted passed over where there are other words. Empty where there is no text to read (an
// encrypted message, pictures). Looks at a bounded part of the file.
std::string preview(std::string_view file, const Structure& structure);

}  // namespace gk::message
