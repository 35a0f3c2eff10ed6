// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "cmd/gk-dmarc/commands.hpp"
#include "common/base/text.hpp"
#include "common/base/time.hpp"
#include "common/charset/charset.hpp"
#include "common/mailauth/dmarc/configure.hpp"
#include "common/mailauth/iprev.hpp"
#include "common/os/input.hpp"

namespace gk::dmarc_tool {

using namespace mailauth;

namespace {

struct Arguments {
    std::string file = "-", ip, helo, from, receiver = "unknown", spf_result, spf_domain;
    std::int64_t sample = 0;
};

int exit_code(dmarc::Verdict verdict) {
    return verdict == dmarc::Verdict::Pass ? 0 : verdict == dmarc::Verdict::TempError ? 75 : 1;
}

std::optional<spf::Verdict> spf_verdict_named(std::string_view name) {
    using enum spf::Verdict;
    for (const auto verdict : {None, Neutral, Pass, Fail, SoftFail, TempError, PermError})
        if (name == spf::verdict_name(verdict)) return verdict;
    return std::nullopt;
}

dmarc::SpfFact check_spf(const Arguments& a, const Ip& ip, DnsSource& dns) {
    spf::Facts facts;
    facts.ip = ip;
    facts.helo = a.helo;
    facts.mail_from = a.from == "<>" ? "" : a.from;
    if (facts.mail_from.starts_with('<') && facts.mail_from.ends_with('>'))
        facts.mail_from = facts.mail_from.substr(1, facts.mail_from.size() - 2);
    facts.receiver = a.receiver;
    facts.now_s = to_unix_s(now());
    return dmarc::spf_fact(spf::check_mail_from(facts, dns));
}

// "fail b.test not aligned, pass a.test relaxed": what each mechanism said, and what it is worth.
std::string describe(const dmarc::Evaluation& evaluation, const dmarc::Facts& facts, dmarc::Identifier::Kind kind) {
    std::vector<std::string> parts;
    for (const auto& each : evaluation.identifiers) {
        if (each.kind != kind) continue;
        const std::string_view verdict = kind == dmarc::Identifier::Kind::Spf
                                             ? spf::verdict_name(facts.spf.verdict)
                                             : dkim::verdict_name(facts.dkim[each.index].verdict);
        std::string part(verdict);
        if (!each.domain.empty()) part += ' ' + each.domain;
        if (each.passed) part += fmt::format(" ({})", alignment_name(each.alignment));
        parts.push_back(std::move(part));
    }
    return parts.empty() ? "none" : text::join(parts, ", ");
}

std::string overrides_of(const dmarc::Evaluation& evaluation) {
    std::vector<std::string> parts;
    for (const auto& each : evaluation.overrides) {
        std::string part(override_name(each.type));
        if (!each.comment.empty()) part += ": " + each.comment;
        parts.push_back(std::move(part));
    }
    return text::join(parts, "; ");
}

void print(const Common& common, const dmarc::Evaluation& evaluation, const dmarc::Facts& facts) {
    cli::Rows rows(common.json,
                   {"check", "result", "disposition", "from", "policy_domain", "policy", "tag", "organization",
                    "method", "spf", "spf_aligned", "dkim", "dkim_aligned", "overrides", "queries", "reason"});
    const auto& published = evaluation.published;
    rows.add({std::string("dmarc"), std::string(verdict_name(evaluation.verdict)),
              std::string(policy_name(evaluation.disposition)), evaluation.author,
              published ? published->domain : std::string(),
              published ? std::string(policy_name(published->policy)) : std::string(),
              published ? published->tag : std::string(), evaluation.organization,
              std::string(method_name(evaluation.method)),
              charset::valid_utf8(describe(evaluation, facts, dmarc::Identifier::Kind::Spf)), evaluation.spf_aligned,
              charset::valid_utf8(describe(evaluation, facts, dmarc::Identifier::Kind::Dkim)), evaluation.dkim_aligned,
              overrides_of(evaluation), static_cast<std::int64_t>(evaluation.queries), evaluation.reason});
}

int check(const Common& common, const Arguments& a) {
    std::optional<Ip> ip;
    if (!a.ip.empty()) {
        ip = Ip::parse(a.ip);
        if (!ip) return cli::usage("'" + text::printable(a.ip) + "' is not an IP address");
    }
    dmarc::Facts facts;
    if (!a.spf_result.empty()) {
        const auto verdict = spf_verdict_named(a.spf_result);
        if (!verdict) return cli::usage("'" + text::printable(a.spf_result, 40) + "' is no result of SPF");
        if (a.spf_domain.empty()) return cli::usage("--spf-result needs --spf-domain: the domain that was checked");
        facts.spf = {*verdict, a.spf_domain};
    } else if (ip && a.helo.empty() && a.from.empty()) {
        return cli::usage("--ip needs --helo or --from: who the client says it is");
    } else if (!ip && !(a.helo.empty() && a.from.empty())) {
        return cli::usage("--helo and --from need --ip: the client's address");
    }
    if (a.sample < 0 || a.sample > 99) return cli::usage("--sample is 0 to 99");
    facts.sample = static_cast<unsigned>(a.sample);

    const auto source = open_source(common.dns);
    if (!source) return cli::fail(source.error());
    DnsSource& dns = **source;
    const auto configured = dmarc::Configured::load(common.dns.root);
    if (!configured) return cli::fail(configured.error());
    dkim::Verifier verifier(to_unix_s(now()));
    if (const auto read = os::read_input(a.file, [&](std::string_view bytes) { verifier.feed(bytes); }); !read)
        return cli::fail(read.error());
    facts.dkim = dmarc::dkim_facts(verifier.finish(dns));
    facts.authors = dmarc::find_authors(verifier.header());
    facts.authors.whole = verifier.header_is_whole();
    if (ip) {
        facts.ip = ip;
        if (a.spf_result.empty()) facts.spf = check_spf(a, *ip, dns);
        if (!configured->options().forwarder_domains.empty()) facts.client_name = check_iprev(*ip, dns).name;
    }
    const auto evaluation = evaluate(facts, dns, configured->options());
    print(common, evaluation, facts);
    return exit_code(evaluation.verdict);
}

}  // namespace

cli::Command check_command(const Common& common) {
    static Arguments a;
    return {.name = "check",
            .summary = "evaluate a message: SPF by its client or as stated, DKIM by its signatures",
            .options = {{"--ip", &a.ip, "address of the client, for SPF", "IP"},
                        {"--helo", &a.helo, "what it said in HELO or EHLO", "NAME"},
                        {"--from", &a.from, "the reverse-path of MAIL FROM; empty: the null one", "ADDRESS"},
                        {"--receiver", &a.receiver, "our host name, for explanations that quote it", "NAME"},
                        {"--spf-result", &a.spf_result, "what SPF said, in place of checking it", "RESULT"},
                        {"--spf-domain", &a.spf_domain, "the domain that it said so of", "DOMAIN"},
                        {"--sample", &a.sample,
                         "of a hundred messages, which one this is: those from pct= of the record on are spared", "N"}},
            .operands = {{"file", &a.file, "the message; standard input where it is - or absent", false}},
            .run = [&common] { return check(common, a); }};
}

}  // namespace gk::dmarc_tool
