// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string_view>

#include "common/message/structure.hpp"

namespace gk::message {

// The content of a leaf part, transfer encoding undone, in chunks of bounded size. SINK returns false to stop.
void read_content(std::string_view file, const Part& part, const std::function<bool(std::string_view)>& sink);
// The same of a text part as UTF-8. HTML is not interpreted.
void read_text(std::string_view file, const Part& part, const std::function<bool(std::string_view)>& sink);

}  // namespace gk::message
