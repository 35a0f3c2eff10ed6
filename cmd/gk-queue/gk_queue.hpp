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
    std::string from, at;
    std::vector<std::string> to;
};

// Operands, "-" replaced by what stdin lists; the first column counts, so that a list can be piped in.
std::vector<std::string> ids_of(const Arguments& arguments);

int list(const Arguments& arguments);
int show(const Arguments& arguments);
int change(const Arguments& arguments, queue::Action action);
int send(const Arguments& arguments);        // one message from stdin
int reschedule(const Arguments& arguments);  // of what send --at left to wait
int flush(const Arguments& arguments);
int bounces(const Arguments& arguments);

}  // namespace gk::queue_tool
