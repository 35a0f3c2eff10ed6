// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "common/mailauth/open_source.hpp"
#include "common/reports/store.hpp"

// The commands that gk-dmarc and gk-tlsrpt have in common: each prints, and returns its exit code.
namespace gk::reports {

struct ToolArguments {
    mailauth::DnsChoice dns;  // its root is that of --root
    bool json = false;
    bool dry_run = false, print = false;  // send
    std::vector<std::string> files;       // ingest
    std::string account, mailbox;
    std::string domain, since;  // report
};

// 0: all that was due was sent, or may not be; 75: something is to be tried again.
int send_command(Kind kind, const ToolArguments& arguments);
// 0: stored, or known already; 1: no report was there; 65: one was refused.
int ingest_command(const ToolArguments& arguments);
int sent_command(Kind kind, const ToolArguments& arguments);
int received_command(Kind kind, const ToolArguments& arguments);

// reports.db for reading, as its owner; the choice that --domain and --since make.
Result<Store> open_for_report(const ToolArguments& arguments);
Result<Choice> choice_of(const ToolArguments& arguments);
// "2026-11-27"
std::string day_text(std::int64_t seconds);
// "1 message", "3 messages"
std::string counted(std::int64_t count, std::string_view noun);

}  // namespace gk::reports
