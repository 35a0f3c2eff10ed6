// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/mailauth/dmarc/evaluate.hpp"

namespace gk::mailauth::dmarc {

// What DMARC makes of a domain, for people: every step of the walk, the policy, and who may get the reports.
struct Survey {
    struct Line {
        std::string what;   // "walk", "policy", "organization", "rua", "ruf"
        std::string name;   // "_dmarc.a.test"; the policy domain; the organization; the address
        std::string value;  // the record; "reject"; …
        std::string note;   // untrusted bytes escaped
    };
    std::string domain;  // in A-labels; empty where it is none
    std::vector<Line> lines;
    std::vector<std::string> problems;  // what is wrong, for who can mend it
    std::vector<std::string> remarks;
    std::size_t queries = 0;  // of the walk
    bool none = false;        // no record applies
    bool temporary = false;   // DNS did not answer: the rest of this is not all
};
Survey survey(std::string_view domain, DnsSource& dns, const Options& options);

}  // namespace gk::mailauth::dmarc
