// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "common/cli/cli.hpp"
#include "common/mailauth/open_source.hpp"

// The commands of gk-dmarc, a file each. To add one: write NAME.cpp with a function as below, which keeps what its
// options point to in a static struct (one process runs one command) and reads what all commands share from COMMON when
// it runs; declare it here, and list it in main.cpp. Modules that it needs go into the gk_program line.
namespace gk::dmarc_tool {

struct Common {
    mailauth::DnsChoice dns;  // with --root
    bool json = false;
};

cli::Command check_command(const Common& common);
cli::Command show_command(const Common& common);
std::vector<cli::Command> report_commands(const Common& common);  // send, ingest, report, received, sent

}  // namespace gk::dmarc_tool
