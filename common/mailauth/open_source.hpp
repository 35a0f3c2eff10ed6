// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/mailauth/dns_source.hpp"

namespace gk::mailauth {

// Where a program that was called by hand asks DNS.
struct DnsChoice {
    std::string root;  // --root: of the gk.toml with the dns settings; where none is there, the defaults
    std::string file;  // --dns-file: answers from there alone, as DnsTable reads them
    std::vector<std::string> servers;  // --server: in place of the configured ones
};

Result<std::unique_ptr<DnsSource>> open_source(const DnsChoice& choice);

}  // namespace gk::mailauth
