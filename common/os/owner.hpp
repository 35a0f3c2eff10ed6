// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "common/base/result.hpp"

namespace gk::os {

// Where we are root: takes on the user and groups of PATH's owner for good. Files that root made would be out of the
// daemons' reach, and links laid by the owner must not lead root anywhere. Call before anything below PATH is opened.
[[nodiscard]] Status become_owner_of(const std::string& path);

}  // namespace gk::os
