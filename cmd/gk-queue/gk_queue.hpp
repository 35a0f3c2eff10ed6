// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "common/queue/access.hpp"

namespace gk::queue_tool {

struct Arguments {
    std::string root;
    bool json = false, nul = false, yes = false, dry_run = false;
    std::string sender, recipient, status;
    std::int64_t limit = 0;
    std::vector<std::string> ids;
};

int list(const Arguments& arguments);
int show(const Arguments& arguments);
int change(const Arguments& arguments, queue::Action action);
int flush(const Arguments& arguments);
int bounces(const Arguments& arguments);

}  // namespace gk::queue_tool
