// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/config/config.hpp"
#include "common/dns/resolver.hpp"
#include "common/tlspolicy/planner.hpp"

namespace gk::tls_policy_tool {

struct Arguments {
    std::string root, domain;
    std::vector<std::string> servers;
    bool json = false, record = false, require_tls = false;
};

// What the commands stand on: the configuration, where there is one, and DNS.
struct Setup {
    config::Config config;
    std::unique_ptr<dns::Resolver> resolver;
    std::unique_ptr<tlspolicy::Planner> planner;
    std::string ca_file;
    std::uint16_t port = 25;
};
// MAY_STORE: fetched policies go to the cache.
Result<Setup> set_up(const Arguments& arguments, bool may_store);
// As given on the command line, to lower-case A-labels.
Result<std::string> ascii_domain(const std::string& domain);

int show(const Arguments& arguments);
int check(const Arguments& arguments);
int cached(const Arguments& arguments);
int renew(const Arguments& arguments);
int forget(const Arguments& arguments);
int tlsa(const Arguments& arguments);
int sts_policy(const Arguments& arguments);

}  // namespace gk::tls_policy_tool
