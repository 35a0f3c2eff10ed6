// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/mailauth/open_source.hpp"

namespace gk::authres_tool {

struct Arguments {
    mailauth::DnsChoice dns;
    bool json = false;
    std::string ip, helo, from;
    std::int64_t sample = 0;
    std::string file = "-";
    std::vector<std::string> ids;
};

int check(const Arguments& arguments);
int parse(const Arguments& arguments);

}  // namespace gk::authres_tool
