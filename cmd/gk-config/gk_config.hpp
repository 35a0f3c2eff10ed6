// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

namespace gk::config_tool {

struct Arguments {
    std::string root;
    bool json = false, origin = false, changed = false, dry_run = false;
    std::string hostname;
    std::string key, value;
};

int init(const Arguments& arguments);  // makes a gk where none is
int check(const Arguments& arguments);
int show(const Arguments& arguments);
int get(const Arguments& arguments);
int set(const Arguments& arguments);
int settings_mdoc();  // for gk.toml(5)

}  // namespace gk::config_tool
