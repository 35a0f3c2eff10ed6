// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <optional>

#include "cmd/gk-dns-check/arguments.hpp"
#include "common/base/text.hpp"
#include "common/cli/cli.hpp"
#include "common/dnscheck/probe.hpp"
#include "common/mailauth/domain.hpp"
#include "common/os/file.hpp"

using namespace gk;
using namespace gk::dnscheck;
using dns_check_tool::Arguments;

namespace {

// DNS as chosen: from a file, or the network.
struct Opened {
    std::optional<mailauth::DnsTable> table;
    std::unique_ptr<dns::Resolver> resolver;
    std::unique_ptr<Source> source;
};

Status open_dns(const Arguments& a, const Site& site, Opened& dns) {
    if (a.dns_file.empty()) {
        GK_TRY(dns.resolver, dns::Resolver::create(site.resolver));
        dns.source = std::make_unique<NetworkSource>(*dns.resolver);
        return ok();
    }
    GK_TRY(const std::string text, os::read_file(a.dns_file));
    auto table = mailauth::DnsTable::parse(text);
    if (!table) return fail(table.error().in(a.dns_file));
    dns.table = std::move(*table);
    dns.source = std::make_unique<TableSource>(*dns.table);
    return ok();
}

Result<std::vector<std::string>> chosen_domains(const Arguments& a, const Site& site) {
    std::vector<std::string> out;
    if (a.all) out = site.domains;
    for (const auto& each : a.domains) {
        std::string name = mailauth::dns_domain(each);
        if (name.empty())
            return fail(Errc::BadInput, fmt::format("'{}' is not a domain name", text::printable(each, 100)));
        if (std::find(out.begin(), out.end(), name) == out.end()) out.push_back(std::move(name));
    }
    return out;
}

// Nobody said which host is ours: then it is the one that the domain's first MX names.
void guess_host(Ours& ours, const std::string& domain, Lookups& dns) {
    if (!ours.host.empty()) return;
    const auto mx = dns.mx(domain);
    for (const auto& each : mx.records)
        if (ours.host.empty()) ours.host = each.host;
    if (ours.host.empty()) ours.host = "mx." + domain;
}

bool says_no_mail(const std::string& domain, Lookups& dns) {
    const auto& mx = dns.data(domain, dns::Type::Mx);
    return mx.size() == 1 && mx[0].ends_with(" .");
}

// A domain that is not known to be ours may say itself that it has no mail.
Mail mail_of(const Arguments& a, const Site& site, const std::string& domain, Lookups& dns) {
    if (a.no_mail) return Mail::None;
    const bool ours = !a.said.host.empty() || !a.said.ips.empty() || site.hosts(domain);
    return !ours && says_no_mail(domain, dns) ? Mail::None : Mail::Expected;
}

void leave_out(Report& report, const std::vector<std::string>& ignored) {
    std::erase_if(report.findings, [&](const Finding& finding) {
        for (const auto& each : ignored)
            if (each == finding.kind->id || each == fmt::format("{}:{}", finding.kind->id, finding.name)) return true;
        return false;
    });
}

Status check(const Arguments& a, Site& site, Report& report) {
    GK_TRY(const auto domains, chosen_domains(a, site));
    Opened opened;
    GK_CHECK(open_dns(a, site, opened));
    Lookups dns(*opened.source);
    const bool any_mail = std::any_of(domains.begin(), domains.end(), [&](const std::string& domain) {
        return mail_of(a, site, domain, dns) == Mail::Expected;
    });
    if (!domains.empty()) guess_host(site.ours, domains.front(), dns);
    report.unknown = site.unknown;
    ProbeOptions probe{.connect = !a.no_connect && (a.dns_file.empty() || !a.smtp_at.empty()),
                       .smtp_at = a.smtp_at,
                       .ca_file = a.ca_file,
                       .https_port = static_cast<std::uint16_t>(a.https_port)};
    if (any_mail) {
        look_at_server(site, probe, dns);
        check_host(site.ours, dns, report);
    }
    Ours ours = site.ours;
    if (report.has("host-name")) ours.host.clear();
    cli::Progress progress("domains", domains.size());
    for (const auto& domain : domains) {
        dns.renew_limits();
        check_domain(domain, mail_of(a, site, domain, dns), ours, dns, report);
        progress.advance();
    }
    leave_out(report, a.ignored);
    return ok();
}

int run(const Arguments& a) {
    if (a.list) {
        dns_check_tool::print_kinds(a.json);
        return 0;
    }
    if (a.domains.empty() && !a.all) return cli::usage("which domain? Name one, or use --all");
    if (a.fix && !a.dns_file.empty()) return cli::usage("--fix changes real DNS: it goes without --dns-file");
    if (a.https_port < 1 || a.https_port > 65535) return cli::usage("--https-port is a number up to 65535");
    for (const auto& each : a.ignored)
        if (find_kind(each.substr(0, each.find(':'))) == nullptr)
            return cli::usage(fmt::format("'{}' is no kind of finding; --list shows them", text::printable(each, 60)));
    auto site = load_site(a.said);
    if (!site) return cli::fail(site.error());
    if (!a.servers.empty()) site->resolver.servers = a.servers;
    if (a.all && site->domains.empty() && site->unknown.empty())
        return cli::fail(Error{Errc::NotFound, "there are no domains: gk-domain add makes one", 0});
    Report report;
    if (const auto status = check(a, *site, report); !status) return cli::fail(status.error());
    if (a.fix) return dns_check_tool::fix(a, *site, report);
    if (a.zone) dns_check_tool::print_zone(report);
    else dns_check_tool::print_report(report, a.json);
    dns_check_tool::print_summary(report);
    return dns_check_tool::exit_code(report);
}

}  // namespace

int main(int argc, char** argv) {
    Arguments a;
    if (const char* root = std::getenv("GK_ROOT")) a.said.root = root;
    return cli::run(
        {.name = "gk-dns-check",
         .summary = "which DNS record of a mail domain is wrong, and how to mend it",
         .description =
             "Holds what DNS says of a domain and of our host against what is ours: host name, addresses, keys, "
             "certificate. Each finding says what is, what should be, why it matters, and the record to paste.",
         .options =
             {{"-j,--json", &a.json, "one JSON object per line"},
              {"--root", &a.said.root, "where everything of this gk lives, instead of the system's places", "DIR"},
              {"-a,--all", &a.all, "check every domain of the directory"},
              {"--host", &a.said.host, "our host name, in place of server.hostname", "NAME"},
              {"--ip", &a.said.ips, "an address of ours, in place of server.public_addresses; may be repeated", "IP"},
              {"--no-mail", &a.no_mail, "the domain is to have no mail, and should say so"},
              {"--rua", &a.said.rua, "where reports should go, in place of postmaster of the domain", "ADDRESS"},
              {"--ignore", &a.ignored, "leave out findings of this id, or id:name; may be repeated", "ID"},
              {"-l,--list", &a.list, "list all kinds of findings, and check nothing"},
              {"-z,--zone", &a.zone, "write what is missing or wrong as lines of a zone file"},
              {"--dns-file", &a.dns_file, "take the answers from this file, in place of DNS; see gk-spf(1)", "FILE"},
              {"--server", &a.servers, "ask this name server, in place of the configured ones; may be repeated", "IP"},
              {"--no-connect", &a.no_connect, "ask DNS alone: connect neither to port 25 nor to the policy's server"},
              {"--smtp-at", &a.smtp_at, "where our port 25 is reached from here: IP or IP@PORT", "ADDRESS"},
              {"--https-port", &a.https_port, "port of the MTA-STS policy's server", "N"},
              {"--ca-file", &a.ca_file, "authorities that its certificate is checked by, in PEM", "FILE"},
              {"--fix", &a.fix, "send the changes to DNS, after showing them"},
              {"-n,--dry-run", &a.dry_run, "with --fix: only show them"},
              {"-y,--yes", &a.yes, "with --fix: do not ask"},
              {"-k,--key", &a.key_file, "with --fix: TSIG key for dynamic updates (RFC 2136)", "FILE"},
              {"--update-server", &a.update_server,
               "with --fix: name server that takes updates, in place of the zone's primary", "IP"},
              {"--hooks", &a.hooks,
               "with --fix: directory of programs that change DNS, in place of dns.d beside gk.toml", "DIR"},
              {"--wait", &a.wait, "with --fix: how long to wait until DNS shows the changes", "TIME"}},
         .operands = {{"domain", &a.domains, "to be checked", false}},
         .examples = {"gk-dns-check example.org  # what is wrong",
                      "gk-dns-check example.org --host mx.example.org --ip 192.0.2.1  # before there is a server",
                      "gk-dns-check example.org --zone  # what to paste into the zone",
                      "gk-dns-check --all --fix --key /etc/gk/dns.key  # mend it by dynamic update"},
         .run = [&] { return run(a); }},
        argc, argv);
}
