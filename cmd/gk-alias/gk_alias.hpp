// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/base/result.hpp"
#include "common/directory/directory.hpp"

namespace gk::alias_tool {

struct Arguments {
    std::string root;
    bool json = false, yes = false, dry_run = false, replace = false, no_list = false, prune = false;
    std::string alias, domain, file = "-";
    std::string owner, post, name;
    std::vector<std::string> targets, addresses;
};

Result<std::shared_ptr<directory::Directory>> open(const Arguments& arguments, bool read_only);

int add(const Arguments& arguments);
int change(const Arguments& arguments);
int list(const Arguments& arguments);
int remove(const Arguments& arguments);
int test(const Arguments& arguments);
int export_aliases(const Arguments& arguments);
int apply(const Arguments& arguments);

// One alias on a line: JSON as export prints it, or an address and its targets apart by white space.
Result<directory::NewAlias> parse_line(std::string_view line);
std::string format_line(const directory::Alias& alias);

}  // namespace gk::alias_tool
