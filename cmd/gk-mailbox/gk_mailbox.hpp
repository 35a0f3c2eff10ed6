// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.hpp"
#include "common/store/account.hpp"

namespace gk::mailbox_tool {

struct Arguments {
    std::string root, account, home, older_than;
    std::vector<std::string> mailboxes;
    bool all = false, json = false, files = false, rebuild = false, only_deleted = false, only_seen = false,
         dry_run = false, yes = false;
};

struct Chosen {
    std::string name;  // the address, or the home where that was given
    std::string home;
};

// The accounts that --account, --home or --all name.
Result<std::vector<Chosen>> choose(const Arguments& arguments);
// What choose() said: a wrong command line is told as such.
int refuse(const Error& error);
// As its owner where we are root. Tells listening sessions of what is changed.
Result<std::shared_ptr<store::Account>> open(const Arguments& arguments, const Chosen& chosen);
// Runs ACTION for each chosen account; goes on after an error, and returns the first one's exit code.
int for_each(const Arguments& arguments, const std::function<Status(const Chosen&, store::Account&)>& action);

int list(const Arguments& arguments);
int status(const Arguments& arguments);
int check(const Arguments& arguments);
int repair(const Arguments& arguments);
int adopt(const Arguments& arguments);
int expunge(const Arguments& arguments);

}  // namespace gk::mailbox_tool
