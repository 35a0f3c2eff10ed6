// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/dnscheck/context.hpp"

namespace gk::dnscheck {
namespace {

using dns::Type;

bool is_record(std::string_view txt) {
    return txt.starts_with("v=TLSRPTv1") && (txt.size() == 10 || !text::is_digit(txt[10]));
}

// RFC 8460, 3: version, then rua= with mailto: and https: addresses. What is wrong; empty for nothing.
std::string mistake(std::string_view txt) {
    if (txt.size() < 11 || text::trim(txt.substr(10)).empty() || text::trim(txt.substr(10))[0] != ';')
        return "a semicolon must follow v=TLSRPTv1";
    std::vector<std::string_view> addresses;
    for (const auto part : text::split(txt, ';')) {
        const auto field = text::trim(part);
        if (field.starts_with("rua="))
            for (const auto each : text::split(field.substr(4), ',')) addresses.push_back(text::trim(each));
    }
    if (addresses.empty()) return "rua= is missing";
    for (const auto address : addresses) {
        const bool mail = text::starts_with_nocase(address, "mailto:") && address.find('@') != std::string_view::npos;
        if (!mail && !text::starts_with_nocase(address, "https://"))
            return fmt::format("'{}' is neither a mailto: nor an https: address", shown(address));
    }
    return {};
}

}  // namespace

void check_tls_rpt(const Context& c) {
    const std::string name = "_smtp._tls." + c.subject;
    const Answer* answer = c.ask(name, Type::Txt);
    if (answer == nullptr) return;
    const std::string wanted = "v=TLSRPTv1; rua=" + report_uri(c);
    std::vector<std::string> records, near;
    for (const auto& txt : answer->data) (is_record(txt) ? records : near).push_back(txt);
    if (records.empty() && !near.empty())
        return c.found("tls-rpt-syntax", name, listed(near), wanted, replace(name, Type::Txt, near, wanted));
    if (records.empty())
        return c.found("tls-rpt-missing", name, "no TXT record", wanted, {add(name, Type::Txt, wanted)});
    std::string kept = records[0];
    for (const auto& txt : records)
        if (mistake(txt).empty()) {
            kept = txt;
            break;
        }
    if (records.size() > 1)
        c.found("tls-rpt-multiple", name, fmt::format("{} records: {}", records.size(), listed(records)), kept,
                replace(name, Type::Txt, records, kept));
    if (const std::string wrong = mistake(kept); !wrong.empty())
        c.found("tls-rpt-syntax", name, fmt::format("{}: {}", shown(kept), wrong), wanted,
                replace(name, Type::Txt, {kept}, wanted));
}

}  // namespace gk::dnscheck
