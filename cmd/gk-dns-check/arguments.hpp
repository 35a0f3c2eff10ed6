// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "common/dnscheck/check.hpp"
#include "common/dnscheck/site.hpp"

namespace gk::dns_check_tool {

struct Arguments {
    dnscheck::Said said;
    std::vector<std::string> domains;
    bool json = false, all = false, no_mail = false, list = false, zone = false;
    std::vector<std::string> ignored;

    std::string dns_file;
    std::vector<std::string> servers;
    bool no_connect = false;
    std::string smtp_at, ca_file;
    std::int64_t https_port = 443;

    bool fix = false, dry_run = false, yes = false;
    std::string key_file, update_server, hooks;
    std::string wait = "1m";
};

void print_kinds(bool json);
void print_report(const dnscheck::Report& report, bool json);
void print_summary(const dnscheck::Report& report);
// The changes as a fragment of a master file; what is to go as comments.
void print_zone(const dnscheck::Report& report);
// 0, 1 or 75, as the page says.
int exit_code(const dnscheck::Report& report);

// Shows the changes, asks, sends them, and waits until DNS shows them; the exit code.
int fix(const Arguments& arguments, const dnscheck::Site& site, const dnscheck::Report& report);

}  // namespace gk::dns_check_tool
