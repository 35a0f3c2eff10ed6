// SPDX-License-Identifier: MIT
#include "common/reports/tls_json.hpp"

#include <fmt/format.h>
#include <boost/json.hpp>

#include "common/base/text.hpp"
#include "common/base/time.hpp"

namespace gk::reports {
namespace {

namespace json = boost::json;

constexpr std::size_t kMostStrings = 200;  // lines of a policy, host patterns
constexpr std::uint64_t kMostCount = 1'000'000'000'000;

json::array array_of(const std::vector<std::string>& strings) {
    json::array out;
    for (const auto& one : strings) out.emplace_back(clean(one));
    return out;
}

void put(json::object& object, std::string_view key, std::string_view value) {
    if (!value.empty()) object[key] = clean(value);
}

std::string text_of(const json::object& object, std::string_view key, const ParseLimits& limits) {
    const auto* value = object.if_contains(key);
    return value != nullptr && value->is_string() ? clean(std::string_view(value->get_string()), limits.text)
                                                  : std::string();
}

std::vector<std::string> strings_of(const json::object& object, std::string_view key, const ParseLimits& limits) {
    std::vector<std::string> out;
    const auto* value = object.if_contains(key);
    if (value == nullptr) return out;
    if (value->is_string()) out.push_back(clean(std::string_view(value->get_string()), limits.text));
    if (!value->is_array()) return out;
    for (const auto& element : value->get_array())
        if (element.is_string() && out.size() < kMostStrings)
            out.push_back(clean(std::string_view(element.get_string()), limits.text));
    return out;
}

// Absent is 0; what is no number of sessions is an error.
Result<std::uint64_t> count_of(const json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    if (value == nullptr || value->is_null()) return std::uint64_t{0};
    std::uint64_t count = kMostCount + 1;
    if (value->is_int64() && value->get_int64() >= 0) count = static_cast<std::uint64_t>(value->get_int64());
    // Some write numbers as text.
    else if (value->is_string()) count = text::to_uint(std::string_view(value->get_string())).value_or(kMostCount + 1);
    if (count > kMostCount) return fail(Errc::BadInput, fmt::format("{} is no number of sessions", key));
    return count;
}

Result<std::int64_t> time_of(const json::object& range, std::string_view key) {
    const auto* value = range.if_contains(key);
    if (value != nullptr && value->is_string())
        if (const auto time = parse_rfc3339(std::string_view(value->get_string()))) return to_unix_s(*time);
    return fail(Errc::BadInput, fmt::format("the report lacks {}", key));
}

Result<TlsPolicy> policy_of(const json::object& object, const ParseLimits& limits, std::uint64_t& entries) {
    TlsPolicy out;
    const auto* policy = object.if_contains("policy");
    if (policy == nullptr || !policy->is_object()) return fail(Errc::BadInput, "a policy of the report lacks policy");
    out.type = text_of(policy->get_object(), "policy-type", limits);
    out.domain = text::lower(text_of(policy->get_object(), "policy-domain", limits));
    out.strings = strings_of(policy->get_object(), "policy-string", limits);
    out.mx_hosts = strings_of(policy->get_object(), "mx-host", limits);
    if (out.type.empty() || out.domain.empty())
        return fail(Errc::BadInput, "a policy of the report lacks policy-type or policy-domain");
    if (const auto* summary = object.if_contains("summary"); summary != nullptr && summary->is_object()) {
        GK_TRY(out.successes, count_of(summary->get_object(), "total-successful-session-count"));
        GK_TRY(out.failures, count_of(summary->get_object(), "total-failure-session-count"));
    }
    const auto* details = object.if_contains("failure-details");
    if (details == nullptr || !details->is_array()) return out;
    for (const auto& element : details->get_array()) {
        if (++entries > limits.records)
            return fail(Errc::BadInput,
                        fmt::format("the report has more than {} entries (reports.max_records)", limits.records));
        if (!element.is_object()) return fail(Errc::BadInput, "a failure of the report is no object");
        const auto& from = element.get_object();
        TlsFailure& failure = out.details.emplace_back();
        failure.result = text_of(from, "result-type", limits);
        failure.sending_ip = text_of(from, "sending-mta-ip", limits);
        failure.receiving_mx = text_of(from, "receiving-mx-hostname", limits);
        failure.receiving_helo = text_of(from, "receiving-mx-helo", limits);
        failure.receiving_ip = text_of(from, "receiving-ip", limits);
        failure.additional = text_of(from, "additional-information", limits);
        failure.reason_code = text_of(from, "failure-reason-code", limits);
        GK_TRY(failure.count, count_of(from, "failed-session-count"));
    }
    return out;
}

}  // namespace

std::string format_tls_report(const TlsReport& report) {
    json::object out;
    out["organization-name"] = clean(report.organization);
    out["date-range"] = {{"start-datetime", format_rfc3339(from_unix_s(report.begin_s))},
                         {"end-datetime", format_rfc3339(from_unix_s(report.end_s))}};
    out["contact-info"] = clean(report.contact);
    out["report-id"] = clean(report.report_id);
    json::array& policies = out["policies"].emplace_array();
    for (const auto& from : report.policies) {
        json::object policy;
        policy["policy-type"] = clean(from.type);
        if (!from.strings.empty()) policy["policy-string"] = array_of(from.strings);
        policy["policy-domain"] = clean(from.domain);
        if (!from.mx_hosts.empty()) policy["mx-host"] = array_of(from.mx_hosts);
        json::object entry;
        entry["policy"] = std::move(policy);
        entry["summary"] = {{"total-successful-session-count", from.successes},
                            {"total-failure-session-count", from.failures}};
        json::array details;
        for (const auto& failure : from.details) {
            json::object detail;
            put(detail, "result-type", failure.result);
            put(detail, "sending-mta-ip", failure.sending_ip);
            put(detail, "receiving-mx-hostname", failure.receiving_mx);
            put(detail, "receiving-mx-helo", failure.receiving_helo);
            put(detail, "receiving-ip", failure.receiving_ip);
            detail["failed-session-count"] = failure.count;
            put(detail, "additional-information", failure.additional);
            put(detail, "failure-reason-code", failure.reason_code);
            details.push_back(std::move(detail));
        }
        if (!details.empty()) entry["failure-details"] = std::move(details);
        policies.push_back(std::move(entry));
    }
    return json::serialize(out);
}

Result<TlsReport> parse_tls_report(std::string_view text, const ParseLimits& limits) {
    if (text.size() > limits.size / 4)
        return fail(Errc::BadInput, fmt::format("the report is larger than {}, a quarter of reports.max_size",
                                                gk::text::format_size(limits.size / 4)));
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    boost::system::error_code error;
    json::parse_options options;
    options.max_depth = limits.depth;
    const json::value value = json::parse(text, error, {}, options);
    if (error) return fail(Errc::BadInput, fmt::format("not JSON: {}", error.message()));
    if (!value.is_object() || !value.get_object().contains("policies"))
        return fail(Errc::BadInput, "not a TLS report: there are no policies");
    const json::object& object = value.get_object();
    TlsReport report;
    report.organization = text_of(object, "organization-name", limits);
    report.contact = text_of(object, "contact-info", limits);
    report.report_id = text_of(object, "report-id", limits);
    if (report.organization.empty() || report.report_id.empty())
        return fail(Errc::BadInput, "the report lacks organization-name or report-id");
    const auto* range = object.if_contains("date-range");
    if (range == nullptr || !range->is_object()) return fail(Errc::BadInput, "the report lacks date-range");
    GK_TRY(report.begin_s, time_of(range->get_object(), "start-datetime"));
    GK_TRY(report.end_s, time_of(range->get_object(), "end-datetime"));
    const json::value& policies = object.at("policies");
    if (!policies.is_array() || policies.get_array().empty()) return fail(Errc::BadInput, "the report has no policies");
    std::uint64_t entries = 0;
    for (const auto& element : policies.get_array()) {
        if (++entries > limits.records)
            return fail(Errc::BadInput,
                        fmt::format("the report has more than {} entries (reports.max_records)", limits.records));
        if (!element.is_object()) return fail(Errc::BadInput, "a policy of the report is no object");
        GK_TRY(auto policy, policy_of(element.get_object(), limits, entries));
        report.policies.push_back(std::move(policy));
    }
    return report;
}

}  // namespace gk::reports
