// SPDX-License-Identifier: MIT
#include <cstdlib>

#include "cmd/gk-tlsrpt/show.hpp"
#include "common/cli/cli.hpp"

using namespace gk;

int main(int argc, char** argv) {
    reports::ToolArguments a;
    std::string id;
    if (const char* root = std::getenv("GK_ROOT")) a.dns.root = root;
    const cli::Option since{"--since", &a.since, "only of reports whose period ended since: 2026-11-27, 30d", "TIME"};
    const cli::Option domain{"-d,--domain", &a.domain, "only of this domain and what lies below", "DOMAIN"};
    return cli::run(
        {.name = "gk-tlsrpt",
         .summary = "reports of TLS between mail servers",
         .description =
             "Sends SMTP TLS reports (RFC 8460) about the sessions that gk-queue had to the domains that ask for "
             "them, by mail and HTTPS, and takes in those that others send about ours.",
         .options = {{"-j,--json", &a.json, "one JSON object per line"},
                     {"--root", &a.dns.root, "where everything of this gk lives, instead of the system's places",
                      "DIR"}},
         .commands = {{.name = "send",
                       .summary = "send reports for the days that are over",
                       .options = {{"-n,--dry-run", &a.dry_run, "say what would be sent, and send nothing"},
                                   {"--print", &a.print, "write the JSON of what would be sent, and send nothing"},
                                   {"--dns-file", &a.dns.file,
                                    "take the answers from this file, in place of DNS; see gk-spf(1)", "FILE"},
                                   {"--server", &a.dns.servers,
                                    "ask this name server, in place of the configured ones; may be repeated", "IP"}},
                       .run = [&] { return reports::send_command(reports::Kind::Tls, a); }},
                      {.name = "ingest",
                       .summary = "take in reports that others sent, as messages or files",
                       .options = {{"-a,--account", &a.account, "from the mailbox of this account: what is new there",
                                    "ADDRESS"},
                                   {"-m,--mailbox", &a.mailbox, "that mailbox, in place of INBOX", "NAME"}},
                       .operands = {{"file", &a.files,
                                     "a message, or a report itself, packed or not; standard input where none is given",
                                     false}},
                       .run = [&] { return reports::ingest_command(a); }},
                      {.name = "report",
                       .summary = "say what the reports say of the TLS of each of our domains",
                       .options = {domain, since},
                       .run = [&] { return tlsrpt_tool::report(a); }},
                      {.name = "received",
                       .summary = "list the reports that came in",
                       .options = {domain, since},
                       .run = [&] { return reports::received_command(reports::Kind::Tls, a); }},
                      {.name = "show",
                       .summary = "show one report that came in",
                       .operands = {{"id", &id, "its number, the first column of received"}},
                       .run = [&] { return tlsrpt_tool::show(a, id); }},
                      {.name = "sent",
                       .summary = "list the reports that were sent, and why others were not",
                       .run = [&] { return reports::sent_command(reports::Kind::Tls, a); }}},
         .examples = {"gk-tlsrpt send --dry-run  # whom yesterday's sessions concern",
                      "gk-tlsrpt ingest --account tlsrpt@a.test  # what came by mail",
                      "gk-tlsrpt report --since 30d  # what failed"}},
        argc, argv);
}
