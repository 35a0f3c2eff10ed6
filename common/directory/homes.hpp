// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "common/base/result.hpp"
#include "common/config/config.hpp"

namespace gk::directory {

struct Home {
    std::string account;  // "ann@a.test"
    std::string path;
};

// The homes below PATHS.mail that hold a Maildir, whether or not the directory still knows their accounts; sorted by
// account. For tools that work on all the mail there is.
Result<std::vector<Home>> homes_with_mail(const config::Paths& paths);

}  // namespace gk::directory
