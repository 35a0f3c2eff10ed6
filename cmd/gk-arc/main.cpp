// SPDX-License-Identifier: MIT
#include <cstdlib>

#include "cmd/gk-arc/arguments.hpp"
#include "common/cli/cli.hpp"

using namespace gk;

int main(int argc, char** argv) {
    arc_tool::Arguments a;
    if (const char* root = std::getenv("GK_ROOT")) a.dns.root = root;
    const cli::Operand file{"file", &a.file, "the message; standard input where it is - or absent", false};
    const cli::Option dns_file{"--dns-file", &a.dns.file,
                               "take the answers from this file, in place of DNS; see gk-spf(1)", "FILE"};
    const cli::Option server{"--server", &a.dns.servers,
                             "ask this name server, in place of the configured ones; may be repeated", "IP"};
    return cli::run(
        {.name = "gk-arc",
         .summary = "validate and seal chains of forwarders",
         .description = "Validates the Authenticated Received Chain of a message (RFC 8617) by the code that gk's "
                        "receiver uses, and seals a message as gk does when it forwards one.",
         .options = {{"-j,--json", &a.json, "one JSON object per line"},
                     {"--root", &a.dns.root, "where everything of this gk lives, instead of the system's places",
                      "DIR"}},
         .commands = {{.name = "verify",
                       .summary = "validate the chain of a message",
                       .options = {dns_file, server},
                       .operands = {file},
                       .run = [&] { return arc_tool::verify(a); }},
                      {.name = "seal",
                       .summary = "put a set of ARC fields in front of a message",
                       .options = {{"-d,--domain", &a.domain, "that seals", "DOMAIN"},
                                   {"-s,--selector", &a.selector, "this key, active or not", "NAME"},
                                   {"-k,--key", &a.key_file, "private key in PEM, in place of one of ours", "FILE"},
                                   {"-i,--authserv-id", &a.authserv_id,
                                    "whose Authentication-Results are recorded; absent: those of the domain that seals",
                                    "NAME"},
                                   {"-r,--results", &a.results,
                                    "what to record, in place of such a field: 'mx.a.test; spf=pass'", "TEXT"},
                                   {"-f,--fields", &a.fields_only, "write only the new fields"},
                                   dns_file,
                                   server},
                       .operands = {file},
                       .run = [&] { return arc_tool::seal(a); }}},
         .examples = {"gk-arc verify message  # who passed it on, and whether the chain holds",
                      "gk-arc seal -d a.test -r 'mx.a.test; dmarc=pass header.from=b.test' < message"}},
        argc, argv);
}
