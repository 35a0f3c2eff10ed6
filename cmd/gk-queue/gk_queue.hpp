// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/queue/access.hpp"

namespace gk::queue_tool {

struct Arguments {
    std::string root;
    bool json = false, nul = false, yes = false, dry_run = false;
    // Filters.
    std::string sender, recipient, domain, status, account, reason, next_hop, older, newer;
    std::int64_t limit = 0;
    std::vector<std::string> ids;
    bool message = false, header = false;  // show
    std::vector<std::string> to;           // redirect, send
    std::string from, at;                  // send, reschedule
    std::string what;                      // suppress
    std::string via, why;                  // reroute, bounce
    std::string by = "destination";        // stats
    bool off = false;                      // drain
};

// commands.cpp
Result<std::unique_ptr<queue::Access>> open(const Arguments& arguments);
Result<queue::Filter> filter_of(const Arguments& arguments);
bool has_filter(const Arguments& arguments);
// Operands, "-" replaced by what stdin lists; the first column counts, so that a list can be piped in.
std::vector<std::string> ids_of(const Arguments& arguments);
int list(const Arguments& arguments);
int flush(const Arguments& arguments);
int bounces(const Arguments& arguments);

// show.cpp
int show(const Arguments& arguments);
int explain(const Arguments& arguments);

// change.cpp
int change(const Arguments& arguments, queue::Action action);

// operate.cpp
int stats(const Arguments& arguments);
int drain(const Arguments& arguments);

// send.cpp
int send(const Arguments& arguments);        // one message from stdin
int reschedule(const Arguments& arguments);  // of what send --at left to wait

// suppress.cpp
int suppress(const Arguments& arguments);

}  // namespace gk::queue_tool
