// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/mailauth/dns_source.hpp"
#include "common/mailauth/spf/check.hpp"

namespace gk::mailauth::spf {

// A domain's policy with all that it includes, for people: what a check of a message that nothing matches would walk.
struct Tree {
    struct Line {
        unsigned depth = 0;
        std::string domain;    // whose record the term stands in
        std::string term;      // as written, untrusted bytes escaped
        unsigned lookups = 0;  // counted so far, this term included
        std::string note;      // addresses found, or what is wrong
    };
    std::vector<Line> lines;
    unsigned lookups = 0, void_lookups = 0;
    bool none = false;                  // the domain has no record
    bool temporary = false;             // something was not answered
    std::vector<std::string> problems;  // each makes a check end in permerror, at the latest when it gets there
};

Tree show(std::string_view domain, DnsSource& dns, const Limits& limits = {});

}  // namespace gk::mailauth::spf
