// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "common/mailauth/open_source.hpp"

namespace gk::arc_tool {

struct Arguments {
    mailauth::DnsChoice dns;
    bool json = false, fields_only = false;
    std::string file = "-";
    std::string domain, selector, key_file, authserv_id, results;
};

int verify(const Arguments& arguments);
int seal(const Arguments& arguments);

}  // namespace gk::arc_tool
