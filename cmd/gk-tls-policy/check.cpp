// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <boost/json.hpp>
#include <cstdio>

#include "cmd/gk-tls-policy/tls_policy.hpp"
#include "common/base/text.hpp"
#include "common/cli/cli.hpp"
#include "common/queue/tls_outcome.hpp"
#include "common/smtp_client/session.hpp"
#include "common/tls/certificate.hpp"

namespace gk::tls_policy_tool {
namespace {

namespace json = boost::json;
using namespace tlspolicy;

enum class Verdict { Good, Bad, Unsure };

struct Checked {
    std::string host, ip;
    Verdict verdict = Verdict::Unsure;
    std::string result, text, tls, demand;
    std::optional<tls::CertificateFacts> certificate;
};

void print(const Checked& c, bool as_json) {
    const char* verdict = c.verdict == Verdict::Good ? "good" : c.verdict == Verdict::Bad ? "bad" : "unsure";
    if (!as_json) {
        fmt::print("{} [{}]: {}{}\n", c.host, c.ip, verdict, c.result.empty() ? "" : ", " + c.result);
        if (!c.text.empty()) fmt::print("    {}\n", text::printable(c.text, 1000));
        if (!c.demand.empty()) fmt::print("    demanded: {}\n", c.demand);
        if (!c.tls.empty()) fmt::print("    {}\n", c.tls);
        if (c.certificate)
            fmt::print("    certificate of {}, names {}, by {}, {} to {}\n", c.certificate->subject,
                       c.certificate->names.empty() ? "none" : text::join(c.certificate->names, " "),
                       c.certificate->issuer, format_rfc3339(c.certificate->not_before),
                       format_rfc3339(c.certificate->not_after));
        return;
    }
    json::object object{{"v", 1}, {"host", c.host}, {"ip", c.ip}, {"verdict", verdict}, {"demand", c.demand}};
    if (!c.result.empty()) object["result"] = c.result;
    if (!c.text.empty()) object["text"] = text::printable(c.text, 1000);
    if (!c.tls.empty()) object["tls"] = c.tls;
    if (c.certificate)
        object["certificate"] =
            json::object{{"subject", c.certificate->subject},
                         {"issuer", c.certificate->issuer},
                         {"names", json::array(c.certificate->names.begin(), c.certificate->names.end())},
                         {"not_before", format_rfc3339(c.certificate->not_before)},
                         {"not_after", format_rfc3339(c.certificate->not_after)}};
    fmt::print("{}\n", json::serialize(object));
}

// As gk-queue would, but the certificate does not keep us from finishing the handshake: it is to be shown.
Checked connect(Setup& setup, const std::shared_ptr<tls::ClientContext>& context, const DomainPlan& plan,
                const HostPlan& host, const std::string& ip) {
    Checked checked{host.host, ip, Verdict::Unsure, {}, {}, {}, {}, {}};
    checked.demand = fmt::format("{}, by {}", demand_name(host.demand.demand), host.demand.why);
    smtp_client::Options options;
    options.helo = setup.config.string("server.hostname");
    if (options.helo.empty()) options.helo = "localhost";
    options.tls_context = context;
    options.peer = host.demand.peer;
    options.tls =
        host.demand.demand == Demand::Plain ? smtp_client::TlsPolicy::Never : smtp_client::TlsPolicy::Required;
    options.timeouts.command = options.timeouts.handshake = std::chrono::milliseconds(20'000);
    smtp_client::TlsTrace trace;
    auto session = smtp_client::Session::open(
        [&] { return net::connect_tcp(ip, setup.port, std::chrono::milliseconds(20'000)); }, options, &trace);
    const bool has_requiretls = session && (*session)->capabilities().requiretls;
    if (session) (*session)->quit();
    if (!trace.chain.empty())
        if (auto facts = tls::read_certificate(trace.chain.front())) checked.certificate = std::move(*facts);
    if (!trace.info.version.empty()) {
        checked.tls = fmt::format("{} {}", trace.info.version, trace.info.cipher);
        const bool must_hold = host.demand.demand >= Demand::Certificate || host.demand.is_tested;
        if (must_hold && !trace.info.verified) trace.problem = smtp_client::TlsTrace::Problem::Certificate;
    }
    if (const auto problem = queue::tls_problem(host, trace)) {
        const bool matters = queue::is_fatal(host.demand) || host.demand.is_tested;
        checked.verdict = matters ? Verdict::Bad : Verdict::Good;
        checked.result = result_type_name(problem->type);
        checked.text = problem->text;
    } else if (session) {
        checked.verdict = Verdict::Good;
        if (plan.wish == Wish::RequireTls && !has_requiretls) {
            checked.verdict = Verdict::Bad;
            checked.text = "the host does not support REQUIRETLS";
        }
    } else {
        checked.text = session.error().text;
    }
    return checked;
}

}  // namespace

int check(const Arguments& arguments) {
    const auto domain = ascii_domain(arguments.domain);
    if (!domain) return cli::fail(domain.error());
    auto setup = set_up(arguments, false);
    if (!setup) return cli::fail(setup.error());
    auto context = tls::ClientContext::create({tls::ClientContext::Verify::Opportunistic, setup->ca_file});
    if (!context) return cli::fail(context.error());
    const auto plan = setup->planner->domain(*domain, arguments.require_tls ? Wish::RequireTls : Wish::None);
    if (!plan) return cli::fail(plan.error());
    bool bad = plan->mail_hosts.hosts.empty(), unsure = false;
    const auto tell = [&](const Checked& checked) {
        print(checked, arguments.json);
        std::fflush(stdout);
        bad |= checked.verdict == Verdict::Bad;
        unsure |= checked.verdict == Verdict::Unsure;
    };
    for (const auto& mx : plan->mail_hosts.hosts) {
        const auto host = setup->planner->host(*plan, mx.host, setup->port);
        if (!host) tell({mx.host, "", Verdict::Unsure, {}, host.error().text, {}, {}, {}});
        else if (!host->has_address) tell({mx.host, "", Verdict::Bad, {}, "the host has no address", {}, {}, {}});
        else if (const auto& blocked = host->demand.blocked)
            tell({mx.host, "", Verdict::Bad, std::string(result_type_name(blocked->type)), blocked->text, {}, {}, {}});
        else
            for (const auto& ip : host->ips) tell(connect(*setup, *context, *plan, *host, ip));
    }
    if (plan->mail_hosts.no_domain) return cli::fail({Errc::NotFound, *domain + " does not exist"}), 1;
    if (plan->mail_hosts.null_mx) return cli::fail({Errc::NotFound, *domain + " accepts no mail (null MX)"}), 1;
    return bad ? 1 : unsure ? 75 : 0;
}

}  // namespace gk::tls_policy_tool
