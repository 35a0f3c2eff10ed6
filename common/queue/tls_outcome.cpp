// SPDX-License-Identifier: MIT
#include "common/queue/tls_outcome.hpp"

#include <fmt/format.h>

#include "common/base/log.hpp"
#include "common/base/text.hpp"
#include "common/tls/certificate.hpp"

namespace gk::queue {
namespace {

using smtp_client::TlsTrace;
using namespace tlspolicy;

std::string certificate_text(const HostPlan& host, const TlsTrace& trace) {
    const auto facts = trace.chain.empty() ? Result<tls::CertificateFacts>(fail(Errc::NotFound, ""))
                                           : tls::read_certificate(trace.chain.front());
    switch (trace.info.trust) {
        case tls::Trust::NoTlsaMatch:
            return fmt::format("the certificate of {} matches none of the TLSA records of {}", host.host,
                               host.tlsa.base);
        case tls::Trust::Expired:
            if (facts && facts->not_after < now())
                return fmt::format("the certificate of {} expired at {}", host.host, format_rfc3339(facts->not_after));
            return fmt::format("the certificate of {} is not valid yet", host.host);
        case tls::Trust::WrongName: {
            const std::string names = facts && !facts->names.empty() ? text::join(facts->names, ", ") : "no host";
            return fmt::format("the certificate of {} names {}", host.host, text::printable(names, 200));
        }
        case tls::Trust::NotTrusted:
            return fmt::format("the certificate of {} leads to no trusted authority ({})", host.host,
                               trace.info.verify_error);
        default: break;
    }
    return fmt::format("the certificate of {} does not hold: {}", host.host,
                       trace.info.verify_error.empty() ? trace.text : trace.info.verify_error);
}

std::vector<std::string> policy_lines(const DomainPlan& plan, const HostPlan& host) {
    std::vector<std::string> lines;
    if (host.demand.policy == PolicyType::Tlsa)
        for (const auto& record : host.tlsa.found)
            lines.push_back(tls::format_tlsa({record.usage, record.selector, record.matching, record.data}));
    if (host.demand.policy == PolicyType::Sts && plan.sts.entry) {
        const std::string text = format_sts_policy(plan.sts.entry->policy);
        for (const auto line : text::split(text, '\n'))
            if (!line.empty()) lines.emplace_back(text::trim(line));
    }
    return lines;
}

}  // namespace

std::optional<Problem> tls_problem(const HostPlan& host, const TlsTrace& trace) {
    const auto& demand = host.demand;
    if (demand.demand == Demand::Plain) return {};
    const std::string reason =
        is_fatal(demand) || demand.is_tested ? fmt::format(" (demanded by {})", demand.why) : std::string();
    switch (trace.problem) {
        case TlsTrace::Problem::NotOffered:
            return Problem{ResultType::StarttlsNotSupported, "4.7.10",
                           fmt::format("{} offers no STARTTLS{}", host.host, reason)};
        case TlsTrace::Problem::Refused:
            return Problem{ResultType::StarttlsNotSupported, "4.7.10",
                           fmt::format("{}: {}{}", host.host, trace.text, reason)};
        case TlsTrace::Problem::Handshake:
            return Problem{ResultType::ValidationFailure, "4.7.5",
                           fmt::format("{}: {}{}", host.host, trace.text, reason), "handshake-failed"};
        case TlsTrace::Problem::Certificate: break;
        case TlsTrace::Problem::None:
            // Only a tested policy looks at a certificate that did not have to hold.
            if (trace.info.version.empty() || !demand.is_tested || trace.info.verified) return {};
            break;
    }
    return Problem{result_of(trace.info.trust), "4.7.5",
                   certificate_text(host, trace) + (trace.info.trust == tls::Trust::NoTlsaMatch ? "" : reason),
                   trace.info.verify_error};
}

bool is_fatal(const HostDemand& demand) noexcept { return demand.demand >= Demand::Encrypt; }

std::string protection_text(const HostDemand& demand, const TlsTrace& trace) {
    if (trace.info.version.empty()) return {};
    switch (demand.demand) {
        case Demand::Dane: return "verified by DANE";
        case Demand::Certificate: return demand.policy == PolicyType::Sts ? "verified by MTA-STS" : "verified";
        default: break;
    }
    return trace.info.verified ? "certificate holds" : "not verified";
}

void observe(const std::string& reports_dir, const DomainPlan& plan, const HostPlan* host,
             const std::optional<Problem>& problem, const Connection& connection, const TlsTrace* trace,
             std::optional<PolicyType> policy) {
    const PolicyType type = policy ? *policy : host ? host->demand.policy : PolicyType::NoPolicyFound;
    reports::TlsObservation seen;
    seen.policy_domain = plan.domain;
    seen.is_report = plan.is_report;
    seen.policy_type = policy_type_name(type);
    if (host && type == host->demand.policy) seen.policy = policy_lines(plan, *host);
    if (type == PolicyType::Sts && plan.sts.entry) seen.mx_patterns = plan.sts.entry->policy.mx;
    seen.result = problem ? result_type_name(problem->type) : result_type_name(ResultType::Success);
    seen.sending_ip = connection.own_ip;
    seen.receiving_mx = connection.host;
    seen.receiving_ip = connection.ip;
    if (trace) seen.receiving_helo = text::printable(trace->helo, 255);
    if (problem) {
        seen.reason_code = problem->reason_code;
        seen.additional = problem->text;
    }
    log::Event event("queue.tls", problem ? log::Level::Warning : log::Level::Info);
    event.field("domain", plan.domain).field("host", connection.host);
    if (!connection.ip.empty()) event.field("peer", connection.ip);
    event.field("policy", seen.policy_type).field("result", seen.result);
    if (trace && !trace->info.version.empty())
        event.field("tls", fmt::format("{} {}", trace->info.version, trace->info.cipher));
    if (problem) event.field("error", problem->text);
    if (reports_dir.empty()) return;
    // Mail does not wait for statistics.
    if (const auto appended = reports::append(reports_dir, seen); !appended)
        event.field("not_counted", appended.error().text);
}

}  // namespace gk::queue
