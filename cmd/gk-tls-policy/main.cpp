// SPDX-License-Identifier: MIT
#include <cstdlib>

#include "cmd/gk-tls-policy/tls_policy.hpp"
#include "common/cli/cli.hpp"

int main(int argc, char** argv) {
    using namespace gk;
    namespace tool = tls_policy_tool;
    tool::Arguments a;
    if (const char* root = std::getenv("GK_ROOT")) a.root = root;
    const cli::Operand domain{"domain", &a.domain, "the recipients' domain"};
    const cli::Option require_tls{"--requiretls", &a.require_tls, "as for a message that was sent with REQUIRETLS"};
    return cli::run(
        {.name = "gk-tls-policy",
         .summary = "how safely mail travels to a domain, and what we publish for ours",
         .description = "Shows what gk-queue demands of the hosts of a domain before it hands a message over: DANE, "
                        "MTA-STS, and the configured level; by the code that gk-queue uses.",
         .options = {{"-j,--json", &a.json, "one JSON object per line"},
                     {"--server", &a.servers, "ask this name server, in place of the configured ones; may be repeated",
                      "IP"},
                     {"--root", &a.root, "where everything of this gk lives, instead of the system's places", "DIR"}},
         .commands = {{.name = "show",
                       .summary = "show what is demanded of each MX host of a domain, and why",
                       .options = {require_tls},
                       .operands = {domain},
                       .run = [&] { return tool::show(a); }},
                      {.name = "check",
                       .summary = "connect to each MX host of a domain, and see whether it comes up to the demand",
                       .options = {require_tls},
                       .operands = {domain},
                       .run = [&] { return tool::check(a); }},
                      {.name = "cached",
                       .summary = "list the MTA-STS policies of other domains that are kept",
                       .run = [&] { return tool::cached(a); }},
                      {.name = "renew",
                       .summary = "fetch the MTA-STS policy of a domain now, and keep it",
                       .operands = {domain},
                       .run = [&] { return tool::renew(a); }},
                      {.name = "forget",
                       .summary = "drop the kept MTA-STS policy of a domain",
                       .operands = {domain},
                       .run = [&] { return tool::forget(a); }},
                      {.name = "tlsa",
                       .summary = "print the TLSA records for our certificates",
                       .run = [&] { return tool::tlsa(a); }},
                      {.name = "sts-policy",
                       .summary = "print the MTA-STS policy of one of our domains",
                       .options = {{"--record", &a.record, "the TXT record that announces it, in place of the policy"}},
                       .operands = {{"domain", &a.domain, "our domain"}},
                       .run = [&] { return tool::sts_policy(a); }}},
         .examples = {"gk-tls-policy show b.test  # what must hold before mail leaves for b.test",
                      "gk-tls-policy check b.test  # and whether its hosts come up to it today",
                      "gk-tls-policy tlsa  # records to publish for our certificates",
                      "gk-tls-policy sts-policy a.test > /var/www/mta-sts/.well-known/mta-sts.txt"}},
        argc, argv);
}
