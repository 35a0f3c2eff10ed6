// SPDX-License-Identifier: MIT
#include <cstdlib>

#include "cmd/gk-dmarc/commands.hpp"

using namespace gk;

int main(int argc, char** argv) {
    dmarc_tool::Common common;
    if (const char* root = std::getenv("GK_ROOT")) common.dns.root = root;
    std::vector<cli::Command> commands = {dmarc_tool::check_command(common), dmarc_tool::show_command(common)};
    for (auto& command : dmarc_tool::report_commands(common)) commands.push_back(std::move(command));
    return cli::run(
        {.name = "gk-dmarc",
         .summary = "may this message say that it is from there",
         .description =
             "Evaluates DMARC (RFC 9989) by the code that gk's receiver uses, and shows which record applies "
             "to a domain. Sends aggregate reports (RFC 9990) about mail that came here, and takes in those that "
             "others "
             "send about ours.",
         .options = {{"-j,--json", &common.json, "one JSON object per line"},
                     {"--dns-file", &common.dns.file, "take the answers from this file, in place of DNS; see gk-spf(1)",
                      "FILE"},
                     {"--server", &common.dns.servers,
                      "ask this name server, in place of the configured ones; may be repeated", "IP"},
                     {"--root", &common.dns.root, "where everything of this gk lives, instead of the system's places",
                      "DIR"}},
         .commands = std::move(commands),
         .examples =
             {"gk-dmarc check --ip 192.0.2.1 --helo mx.a.test --from ann@a.test < message  # as a receiver asks",
              "gk-dmarc check --spf-result pass --spf-domain a.test < message  # with SPF known already",
              "gk-dmarc show a.test  # the record that applies, and how it is found",
              "gk-dmarc show a.test --dns-file zone.txt  # before it is published",
              "gk-dmarc send --dry-run  # which reports are due, and who gets them",
              "gk-dmarc ingest --account dmarc@a.test  # what came by mail",
              "gk-dmarc report --since 30d  # who sends in our name"}},
        argc, argv);
}
