// SPDX-License-Identifier: MIT
#include <cstdlib>

#include "cmd/gk-dkim/arguments.hpp"
#include "common/cli/cli.hpp"

using namespace gk;

int main(int argc, char** argv) {
    dkim_tool::Arguments a;
    if (const char* root = std::getenv("GK_ROOT")) a.dns.root = root;
    const cli::Operand file{"file", &a.file, "the message; standard input where it is - or absent", false};
    const cli::Option dns_file{"--dns-file", &a.dns.file,
                               "take the answers from this file, in place of DNS; see gk-spf(1)", "FILE"};
    const cli::Option server{"--server", &a.dns.servers,
                             "ask this name server, in place of the configured ones; may be repeated", "IP"};
    return cli::run(
        {.name = "gk-dkim",
         .summary = "keys and signatures of DKIM",
         .description = "Makes and keeps the keys by which the domains here sign, and signs and verifies messages (RFC "
                        "6376) by the code that "
                        "gk's daemons use.",
         .options = {{"-j,--json", &a.json, "one JSON object per line"},
                     {"--root", &a.dns.root, "where everything of this gk lives, instead of the system's places",
                      "DIR"}},
         .commands =
             {{.name = "genkey",
               .summary = "make keys for a domain, to be published before they sign",
               .options = {{"-a,--algorithm", &a.algorithm, "rsa, ed25519 or both", "NAME"},
                           {"-b,--bits", &a.bits, "of an RSA key", "N"},
                           {"-s,--selector", &a.selector, "name of the key; made from the date where absent", "NAME"},
                           {"--active", &a.active,
                            "sign with it at once: it is in DNS already, or nobody listens yet"}},
               .operands = {{"domain", &a.domain, "that signs"}},
               .run = [&] { return dkim_tool::genkey(a); }},
              {.name = "list",
               .summary = "list the keys, their states and what comes next",
               .operands = {{"domain", &a.domain, "only its keys", false}},
               .run = [&] { return dkim_tool::list(a); }},
              {.name = "dns",
               .summary = "write the records to be published, as lines of a zone file",
               .options = {{"-c,--check", &a.check, "look whether DNS shows them, instead"}, dns_file, server},
               .operands = {{"domain", &a.domain, "that signs"}, {"selector", &a.selector, "only this key", false}},
               .run = [&] { return dkim_tool::dns(a); }},
              {.name = "rotate",
               .summary = "go on with the plan for a domain's keys: make, activate, retire, remove",
               .options = {{"--all", &a.all, "every domain that has keys; new ones are made by age alone"},
                           {"-n,--dry-run", &a.dry_run, "say what would be done, and do nothing"},
                           dns_file,
                           {"--server", &a.dns.servers,
                            "this name server must show a key, in place of the zone's own; may be repeated", "IP"}},
               .operands = {{"domain", &a.domain, "whose active keys are to have successors", false}},
               .run = [&] { return dkim_tool::rotate(a); }},
              {.name = "revoke",
               .summary = "destroy a key at once, and write the record that says so",
               .options = {{"-y,--yes", &a.yes, "do not ask"}},
               .operands = {{"domain", &a.domain, "that signs"}, {"selector", &a.selector, "the key"}},
               .run = [&] { return dkim_tool::revoke(a); }},
              {.name = "sign",
               .summary = "put a signature in front of a message, one for each active key",
               .options = {{"-d,--domain", &a.domain, "that signs; absent: that of the From field", "DOMAIN"},
                           {"-s,--selector", &a.selector, "this key, active or not", "NAME"},
                           {"-k,--key", &a.key_file, "private key in PEM, in place of one of ours", "FILE"},
                           {"-c,--canon", &a.canon, "canonicalisation of header and body", "FORM"},
                           {"-x,--expires", &a.expires, "the signature is good for this long: 7d", "TIME"},
                           {"-f,--fields", &a.fields_only, "write only the new fields"}},
               .operands = {file},
               .run = [&] { return dkim_tool::sign(a); }},
              {.name = "verify",
               .summary = "verify each signature of a message",
               .options = {dns_file, server},
               .operands = {file},
               .run = [&] { return dkim_tool::verify(a); }},
              {.name = "serve",
               .summary = "sign hashes for other programs on the dkim socket until SIGTERM",
               .run = [&] { return dkim_tool::serve(a); }}},
         .examples = {"gk-dkim genkey a.test  # an RSA and an Ed25519 key", "gk-dkim dns a.test  # what to publish",
                      "gk-dkim dns --check a.test  # whether it is",
                      "gk-dkim rotate a.test  # successors of the keys that sign",
                      "gk-dkim rotate --all  # as the timer does it",
                      "gk-dkim sign < message | gk-dkim verify  # as a receiver sees it"}},
        argc, argv);
}
