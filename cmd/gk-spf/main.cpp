// SPDX-License-Identifier: MIT
#include <cstdio>
#include <cstdlib>

#include "common/base/text.hpp"
#include "common/base/time.hpp"
#include "common/charset/charset.hpp"
#include "common/cli/cli.hpp"
#include "common/mailauth/open_source.hpp"
#include "common/mailauth/spf/check.hpp"
#include "common/mailauth/spf/tree.hpp"

using namespace gk;
using namespace gk::mailauth;

namespace {

struct Arguments {
    DnsChoice dns;
    bool json = false;
    std::string ip, helo, from, receiver = "unknown", domain;
};

int exit_code(spf::Verdict verdict) {
    return verdict == spf::Verdict::Pass ? 0 : verdict == spf::Verdict::TempError ? 75 : 1;
}

int check(const Arguments& a) {
    spf::Facts facts;
    const auto ip = Ip::parse(a.ip);
    if (!ip)
        return cli::usage(a.ip.empty() ? "--ip is needed: the client's address"
                                       : "'" + text::printable(a.ip) + "' is not an IP address");
    if (a.helo.empty() && a.from.empty()) return cli::usage("--helo or --from is needed: who the client says it is");
    facts.ip = *ip;
    facts.helo = a.helo;
    facts.mail_from = a.from == "<>" ? "" : a.from;
    if (facts.mail_from.starts_with('<') && facts.mail_from.ends_with('>'))
        facts.mail_from = facts.mail_from.substr(1, facts.mail_from.size() - 2);
    facts.receiver = a.receiver;
    facts.now_s = to_unix_s(now());
    const auto source = open_source(a.dns);
    if (!source) return cli::fail(source.error());
    const auto checked = spf::check_mail_from(facts, **source);
    cli::Rows rows(a.json,
                   {"check", "result", "identity", "domain", "lookups", "void_lookups", "reason", "explanation"});
    rows.add({std::string("spf"), std::string(spf::verdict_name(checked.verdict)),
              std::string(spf::identity_name(checked.identity)), charset::valid_utf8(checked.domain),
              static_cast<std::int64_t>(checked.lookups), static_cast<std::int64_t>(checked.void_lookups),
              checked.reason, checked.explanation});
    return exit_code(checked.verdict);
}

int show(const Arguments& a) {
    const auto source = open_source(a.dns);
    if (!source) return cli::fail(source.error());
    const auto tree = spf::show(a.domain, **source);
    {
        cli::Rows rows(a.json, {"domain", "term", "lookups", "note"});
        for (const auto& line : tree.lines) {
            const std::string indent = a.json ? "" : std::string(2 * line.depth, ' ');
            rows.add({indent + line.domain, line.term, static_cast<std::int64_t>(line.lookups),
                      text::printable(line.note, 2000)});
        }
    }
    std::fflush(stdout);
    for (const auto& problem : tree.problems) std::fprintf(stderr, "gk-spf: %s\n", problem.c_str());
    if (tree.none) std::fprintf(stderr, "gk-spf: %s has no SPF record\n", text::printable(a.domain, 255).c_str());
    else std::fprintf(stderr, "gk-spf: %u lookups of 10, %u void ones of 2\n", tree.lookups, tree.void_lookups);
    if (!tree.problems.empty() || tree.none) return 1;
    return tree.temporary ? 75 : 0;
}

}  // namespace

int main(int argc, char** argv) {
    Arguments a;
    if (const char* root = std::getenv("GK_ROOT")) a.dns.root = root;
    return cli::run(
        {.name = "gk-spf",
         .summary = "may this address send for this domain",
         .description = "Checks the Sender Policy Framework (RFC 7208) by the code that gk's receiver uses, and shows "
                        "what a domain publishes.",
         .options = {{"-j,--json", &a.json, "one JSON object per line"},
                     {"--dns-file", &a.dns.file, "take the answers from this file, in place of DNS", "FILE"},
                     {"--server", &a.dns.servers,
                      "ask this name server, in place of the configured ones; may be repeated", "IP"},
                     {"--root", &a.dns.root, "where everything of this gk lives, instead of the system's places",
                      "DIR"}},
         .commands =
             {{.name = "check",
               .summary = "check a client's address against the reverse-path, or the HELO name where that is null",
               .options = {{"--ip", &a.ip, "address of the client", "IP"},
                           {"--helo", &a.helo, "what it said in HELO or EHLO", "NAME"},
                           {"--from", &a.from, "the reverse-path of MAIL FROM; empty: the null one", "ADDRESS"},
                           {"--receiver", &a.receiver, "our host name, for explanations that quote it", "NAME"}},
               .run = [&] { return check(a); }},
              {.name = "show",
               .summary = "show a domain's policy with all that it includes, and count the lookups",
               .operands = {{"domain", &a.domain, "whose policy"}},
               .run = [&] { return show(a); }}},
         .examples = {"gk-spf check --ip 192.0.2.1 --helo mx.a.test --from ann@a.test  # as a receiver asks",
                      "gk-spf check --ip 192.0.2.1 --helo mx.a.test  # only the HELO identity",
                      "gk-spf show a.test  # the tree, with its lookups",
                      "gk-spf show a.test --dns-file zone.txt  # before it is published"}},
        argc, argv);
}
