// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/base/time.hpp"
#include "common/dnscheck/context.hpp"
#include "common/tlspolicy/sts_policy.hpp"

namespace gk::dnscheck {
namespace {

using dns::Type;

constexpr std::int64_t kWeek_s = 7 * 86400;

struct Sts {
    std::string record_name, host, wanted;
    std::vector<std::string> mx;  // hosts of the domain
    std::optional<OwnPolicy> own;
    std::vector<std::string> ips;  // of the policy's host
};

// An id that is new whenever it is asked for: the time (RFC 8461, 3.1).
std::string fresh_record(std::int64_t now_s) {
    std::string id;
    for (const char c : format_rfc3339(from_unix_s(now_s)))
        if (text::is_digit(c)) id += c;
    return tlspolicy::format_sts_record(id);
}

Sts facts(const Context& c) {
    Sts sts{"_mta-sts." + c.subject, "mta-sts." + c.subject, {}, {}, {}, {}};
    for (const auto& mx : c.dns.mx(c.subject).records)
        if (!mx.host.empty() && sts.mx.size() < 20) sts.mx.push_back(mx.host);
    if (c.ours.own_policy) sts.own = c.ours.own_policy(sts.mx);
    sts.wanted = sts.own ? sts.own->record : fresh_record(c.ours.now_s);
    for (const auto type : {Type::A, Type::Aaaa})
        if (const Answer* answer = c.ask(sts.host, type))
            sts.ips.insert(sts.ips.end(), answer->data.begin(), answer->data.end());
    return sts;
}

// True where there is a record, or will be.
bool check_record(const Context& c, const Sts& sts, const std::vector<std::string>& all) {
    std::vector<std::string> records;
    for (const auto& txt : all)
        if (text::starts_with_nocase(txt, "v=STSv1")) records.push_back(txt);
    const auto mend = [&] { return replace(sts.record_name, Type::Txt, all, sts.wanted); };
    if (records.size() > 1) {
        c.found("mta-sts-multiple", sts.record_name, fmt::format("{} records: {}", records.size(), listed(records)),
                sts.wanted, mend());
        return true;
    }
    const auto id = tlspolicy::parse_sts_record(all);
    if (!all.empty() && !id)
        c.found("mta-sts-syntax", sts.record_name, fmt::format("{}: {}", listed(all), id.error().text), sts.wanted,
                mend());
    else if (id && sts.own && tlspolicy::parse_sts_record({sts.own->record}).value_or(*id) != *id)
        c.found("mta-sts-id", sts.record_name, listed(records), sts.wanted, mend());
    return !all.empty();
}

void check_policy(const Context& c, const Sts& sts, const std::string& text) {
    const std::string should = sts.own ? text::printable(text::replace_all(sts.own->text, "\r\n", " "), 500)
                                       : "version: STSv1, mode:, max_age: and a line mx: for each host";
    const auto policy = tlspolicy::parse_sts_policy(text);
    if (!policy)
        return c.found("mta-sts-policy-syntax", sts.host, policy.error().text,
                       sts.own ? should + " (gk-tls-policy sts-policy)" : should);
    std::vector<std::string> left_out;
    for (const auto& host : sts.mx)
        if (!tlspolicy::is_mx_allowed(*policy, host)) left_out.push_back(host);
    if (policy->mode != tlspolicy::StsMode::None && !left_out.empty())
        c.found("mta-sts-mx", sts.host,
                fmt::format("mode {}, mx {}", tlspolicy::sts_mode_name(policy->mode), listed(policy->mx)),
                "mx: " + listed(left_out) + " too, and then a new id");
    if (policy->mode != tlspolicy::StsMode::Enforce)
        c.found("mta-sts-mode", sts.host, fmt::format("mode: {}", tlspolicy::sts_mode_name(policy->mode)),
                "mode: enforce");
    if (policy->mode != tlspolicy::StsMode::None && policy->max_age_s < kWeek_s)
        c.found("mta-sts-age", sts.host, fmt::format("max_age: {}", policy->max_age_s),
                fmt::format("max_age: {} or more", kWeek_s));
}

}  // namespace

void check_mta_sts(const Context& c) {
    const Sts sts = facts(c);
    const Answer* answer = c.ask(sts.record_name, Type::Txt);
    if (answer == nullptr) return;
    const bool has_record = check_record(c, sts, std::vector<std::string>(answer->data));
    std::optional<FetchedPolicy> fetched;
    if (!sts.ips.empty() && c.ours.fetch_policy) fetched = c.ours.fetch_policy(c.subject, sts.ips);
    if (!has_record) {
        if (sts.own || (fetched && fetched->reached && tlspolicy::parse_sts_policy(fetched->text)))
            c.found("mta-sts-missing", sts.record_name, "no TXT record", sts.wanted,
                    {add(sts.record_name, Type::Txt, sts.wanted)});
        else if (c.ours.host.empty() || c.dns.data("_25._tcp." + c.ours.host, Type::Tlsa).empty())
            return c.found("mta-sts-none", c.subject, "no MTA-STS record, and no TLSA record of the host",
                           "a policy at https://" + sts.host + "/.well-known/mta-sts.txt, and its record");
        else return;  // DANE does it
    }
    if (sts.ips.empty()) {
        std::vector<Change> changes;
        if (!c.ours.host.empty()) {
            changes = replace(sts.host, Type::Cname, c.dns.data(sts.host, Type::Cname), with_dot(c.ours.host));
        }
        return c.found("mta-sts-host", sts.host, "no address",
                       c.ours.host.empty()
                           ? "the name of a web server that has the policy"
                           : "CNAME " + with_dot(c.ours.host) + ", or another web server that has the policy",
                       std::move(changes));
    }
    if (!fetched) return;
    if (!fetched->reached)
        return c.found("mta-sts-policy", sts.host, shown(fetched->text),
                       "the policy at https://" + sts.host + "/.well-known/mta-sts.txt");
    check_policy(c, sts, fetched->text);
}

}  // namespace gk::dnscheck
