// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <boost/json.hpp>

#include "cmd/gk-tls-policy/tls_policy.hpp"
#include "common/base/text.hpp"
#include "common/cli/cli.hpp"
#include "common/tls/certificate.hpp"

namespace gk::tls_policy_tool {
namespace {

namespace json = boost::json;
using namespace tlspolicy;

std::string record_text(const dns::Tlsa& record) {
    return tls::format_tlsa({record.usage, record.selector, record.matching, record.data});
}

std::string source_name(StsView::Source source) {
    return source == StsView::Source::Fetched ? "fetched" : source == StsView::Source::Cached ? "cached" : "none";
}

struct Row {
    int preference;
    std::string host;
    Result<HostPlan> plan;
};

json::object host_object(const Row& row) {
    json::object object{{"host", row.host}, {"preference", row.preference}};
    if (!row.plan) {
        object["usable"] = false;
        object["error"] = row.plan.error().text;
        return object;
    }
    const auto& demand = row.plan->demand;
    object["usable"] = row.plan->has_address && !demand.blocked;
    object["demand"] = std::string(demand_name(demand.demand));
    object["testing"] = demand.is_tested;
    object["policy"] = std::string(policy_type_name(demand.policy));
    object["why"] = demand.why;
    object["addresses"] = json::array(row.plan->ips.begin(), row.plan->ips.end());
    object["addresses_signed"] = row.plan->addresses_secure;
    json::array records;
    for (const auto& record : row.plan->tlsa.found)
        records.push_back(json::object{{"record", record_text(record)}, {"usable", is_usable(record)}});
    object["tlsa"] = std::move(records);
    object["tlsa_base"] = row.plan->tlsa.base;
    if (!row.plan->tlsa.why.empty()) object["no_dane"] = row.plan->tlsa.why;
    if (demand.blocked) {
        object["error"] = demand.blocked->text;
        object["result"] = std::string(result_type_name(demand.blocked->type));
    }
    if (demand.noticed) object["notice"] = demand.noticed->text;
    return object;
}

void print_json(const DomainPlan& plan, const std::vector<Row>& rows) {
    json::object sts{{"source", source_name(plan.sts.source)}};
    if (const auto& entry = plan.sts.entry) {
        sts["mode"] = std::string(sts_mode_name(entry->policy.mode));
        sts["id"] = entry->id;
        sts["expires"] = format_rfc3339(entry->expires);
        sts["mx"] = json::array(entry->policy.mx.begin(), entry->policy.mx.end());
    }
    if (plan.sts.expired) sts["expired"] = format_rfc3339(plan.sts.expired->expires);
    if (!plan.sts.text.empty()) sts["note"] = plan.sts.text;
    json::array hosts;
    for (const auto& row : rows) hosts.push_back(host_object(row));
    fmt::print("{}\n", json::serialize(json::object{{"v", 1},
                                                    {"domain", plan.domain},
                                                    {"level", std::string(level_name(plan.level))},
                                                    {"mx_signed", plan.mail_hosts.security == dns::Security::Secure},
                                                    {"sts", std::move(sts)},
                                                    {"hosts", std::move(hosts)}}));
}

void print_text(const DomainPlan& plan, const std::vector<Row>& rows) {
    const bool is_signed = plan.mail_hosts.security == dns::Security::Secure;
    fmt::print("domain   {}\nlevel    {}\nmx       {}{}\n", plan.domain, level_name(plan.level),
               is_signed ? "signed" : "not signed", plan.mail_hosts.implicit ? ", implicit" : "");
    if (const auto& entry = plan.sts.entry)
        fmt::print("mta-sts  {}, id {}, {} until {}, mx {}\n", sts_mode_name(entry->policy.mode), entry->id,
                   source_name(plan.sts.source), format_rfc3339(entry->expires), text::join(entry->policy.mx, " "));
    else if (plan.sts.expired) fmt::print("mta-sts  expired at {}\n", format_rfc3339(plan.sts.expired->expires));
    else fmt::print("mta-sts  none\n");
    if (!plan.sts.text.empty()) fmt::print("         {}\n", plan.sts.text);
    for (const auto& row : rows) {
        fmt::print("host     {} (preference {})", row.host, row.preference);
        if (!row.plan) {
            fmt::print(": not usable\n         {}\n", row.plan.error().text);
            continue;
        }
        const auto& demand = row.plan->demand;
        if (demand.blocked) fmt::print(": not usable, {}\n", result_type_name(demand.blocked->type));
        else if (!row.plan->has_address) fmt::print(": has no address\n");
        else fmt::print(": {}{}\n", demand_name(demand.demand), demand.is_tested ? " (testing)" : "");
        if (demand.blocked) fmt::print("         {}\n", demand.blocked->text);
        else if (row.plan->has_address) fmt::print("         by {}\n", demand.why);
        if (demand.noticed) fmt::print("         {}\n", demand.noticed->text);
        for (const auto& record : row.plan->tlsa.found)
            fmt::print("         TLSA {}{}\n", record_text(record), is_usable(record) ? "" : " (not usable)");
        if (!row.plan->tlsa.why.empty() && row.plan->tlsa.found.empty())
            fmt::print("         no DANE: {}\n", row.plan->tlsa.why);
    }
}

}  // namespace

int show(const Arguments& arguments) {
    const auto domain = ascii_domain(arguments.domain);
    if (!domain) return cli::fail(domain.error());
    auto setup = set_up(arguments, false);
    if (!setup) return cli::fail(setup.error());
    const auto plan = setup->planner->domain(*domain, arguments.require_tls ? Wish::RequireTls : Wish::None);
    if (!plan) return cli::fail(plan.error());
    std::vector<Row> rows;
    bool usable = false, unsure = false;
    for (const auto& mx : plan->mail_hosts.hosts) {
        rows.push_back({mx.preference, mx.host, setup->planner->host(*plan, mx.host, setup->port)});
        const auto& host = rows.back().plan;
        usable |= host && host->has_address && !host->demand.blocked;
        unsure |= !host;
    }
    if (arguments.json) print_json(*plan, rows);
    else print_text(*plan, rows);
    if (plan->mail_hosts.no_domain) return cli::fail({Errc::NotFound, *domain + " does not exist"}), 1;
    if (plan->mail_hosts.null_mx) return cli::fail({Errc::NotFound, *domain + " accepts no mail (null MX)"}), 1;
    return usable ? 0 : unsure ? 75 : 1;
}

}  // namespace gk::tls_policy_tool
