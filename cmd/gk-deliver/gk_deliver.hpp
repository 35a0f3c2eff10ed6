// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

// The two ways gk-deliver works; each returns the program's exit code.
namespace gk::deliver {

int serve(const std::string& root);

struct LocalDelivery {
    std::string root, reverse_path, mailbox;
    std::vector<std::string> recipients;
    bool dry_run = false, json = false;
};
// The message is on stdin.
int deliver_stdin(const LocalDelivery& wanted);

}  // namespace gk::deliver
