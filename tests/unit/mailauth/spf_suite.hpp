// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "common/mailauth/dns_table.hpp"

namespace gk::mailauth::spf {

// One question to SPF and the answers that are right.
struct SuiteCase {
    std::string name;
    std::shared_ptr<DnsTable> zone;
    std::string ip, helo, mail_from;
    std::vector<std::string> results;  // any of them
    std::string explanation;           // empty: not looked at; "DEFAULT": none from the domain
};
inline void PrintTo(const SuiteCase& each, std::ostream* out) { *out << each.name; }

std::string source_directory();
// Cases of tests/data/spf/*.txt, in our own format.
std::vector<SuiteCase> own_cases();
// Cases of the public suite for RFC 7208 (openspf.org), read from $GK_SPF_SUITE or from data/rfc7208-tests.yml of a
// directory beside the repository. Empty where it is in neither place.
std::vector<SuiteCase> public_cases();

}  // namespace gk::mailauth::spf
