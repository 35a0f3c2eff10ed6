// SPDX-License-Identifier: MIT
#include <cstdlib>

#include "cmd/gk-authres/arguments.hpp"
#include "common/cli/cli.hpp"

using namespace gk;

int main(int argc, char** argv) {
    authres_tool::Arguments a;
    if (const char* root = std::getenv("GK_ROOT")) a.dns.root = root;
    return cli::run(
        {.name = "gk-authres",
         .summary = "check who sent a message, and read what others found",
         .description = "Runs all checks of inbound mail over a message by the code that gk-smtpd uses, and says what "
                        "that would write and do (RFC 8601); reads Authentication-Results fields.",
         .options = {{"-j,--json", &a.json, "one JSON object per line"},
                     {"--root", &a.dns.root, "where everything of this gk lives, instead of the system's places",
                      "DIR"}},
         .commands =
             {{.name = "check",
               .summary = "check a message: iprev, SPF, DKIM, ARC and DMARC",
               .options = {{"--ip", &a.ip, "address of the client", "IP"},
                           {"--helo", &a.helo, "what it said in HELO or EHLO", "NAME"},
                           {"--from", &a.from, "the reverse-path of MAIL FROM; empty: the null one", "ADDRESS"},
                           {"--sample", &a.sample,
                            "of a hundred messages, which one this is: those from pct= of a DMARC record on are spared",
                            "N"},
                           {"--dns-file", &a.dns.file,
                            "take the answers from this file, in place of DNS; see gk-spf(1)", "FILE"},
                           {"--server", &a.dns.servers,
                            "ask this name server, in place of the configured ones; may be repeated", "IP"}},
               .operands = {{"file", &a.file, "the message; standard input where it is - or absent", false}},
               .run = [&] { return authres_tool::check(a); }},
              {.name = "parse",
               .summary = "read the Authentication-Results of a message, or one such field",
               .options = {{"-i,--id", &a.ids, "only those that claim to be of this authserv-id; may be repeated",
                            "NAME"}},
               .operands = {{"file", &a.file, "the message; standard input where it is - or absent", false}},
               .run = [&] { return authres_tool::parse(a); }}},
         .examples = {"gk-authres check --ip 192.0.2.1 --helo mx.b.test --from ann@b.test < message",
                      "gk-authres parse message  # what others found"}},
        argc, argv);
}
