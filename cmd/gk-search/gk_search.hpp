// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.hpp"
#include "common/config/config.hpp"
#include "common/search/index.hpp"
#include "common/store/account.hpp"

namespace gk::search_tool {

struct Arguments {
    std::string root, account, home;
    std::vector<std::string> words;
    std::int64_t limit = 50;
    bool all = false, json = false, paths = false, null = false, as_it_is = false;
};

struct Opened {
    std::string name, home;
    std::shared_ptr<store::Account> account;
    search::IndexOptions options;
};

// Runs ACTION for each account that --account, --home or --all name, as its owner where we are root; goes on after an
// error, and returns the first one's exit code.
int for_each(const Arguments& arguments, const std::function<Status(const Opened&)>& action);

// Takes in up to MOST waiting messages (0: all), newest first in each mailbox. ADVANCE is told how many were gone
// through.
Status take_in(search::Index& index, const Opened& opened, std::size_t most,
               const std::function<void(std::size_t)>& advance);

int index(const Arguments& arguments);
int query(const Arguments& arguments);
int check(const Arguments& arguments);
int drop(const Arguments& arguments);

}  // namespace gk::search_tool
