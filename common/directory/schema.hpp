// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

namespace gk::directory {

// The steps of gk.db's schema, oldest first; a step that was released never changes.
const std::vector<std::string>& schema();

}  // namespace gk::directory
