// SPDX-License-Identifier: MIT
#include "common/mailauth/iprev.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/text.hpp"
#include "common/mailauth/domain.hpp"

namespace gk::mailauth {
namespace {

// A PTR record is whatever its owner likes: only a name that could be a host's is quoted in header fields.
std::string host_name(std::string_view raw) {
    if (raw.ends_with('.')) raw.remove_suffix(1);
    const bool plain = fits_dns(raw) && std::all_of(raw.begin(), raw.end(), [](char c) {
                           return text::is_alpha(c) || text::is_digit(c) || c == '-' || c == '_' || c == '.';
                       });
    return plain ? text::lower(raw) : std::string();
}

}  // namespace

std::string_view iprev_verdict_name(IprevVerdict verdict) noexcept {
    switch (verdict) {
        case IprevVerdict::Pass: return "pass";
        case IprevVerdict::Fail: return "fail";
        case IprevVerdict::TempError: return "temperror";
        case IprevVerdict::PermError: return "permerror";
    }
    return "permerror";
}

IprevChecked check_iprev(const Ip& client, DnsSource& dns) {
    const Ip ip = client.without_mapping();
    IprevChecked checked;
    const auto conclude = [&](IprevVerdict verdict, std::string reason) {
        checked.verdict = verdict;
        checked.reason = std::move(reason);
        return checked;
    };
    ++checked.lookups;
    const auto names = dns.ptr(ip.text());
    if (names.outcome == Outcome::TempError) return conclude(IprevVerdict::TempError, names.error);
    if (!names.found()) return conclude(IprevVerdict::PermError, fmt::format("{} has no name", ip.text()));

    std::string first, error;
    for (std::size_t i = 0; i < std::min(names.records.size(), kIprevNames); ++i) {
        const std::string name = host_name(names.records[i]);
        if (first.empty()) first = name.empty() ? text::printable(names.records[i], 100) : name;
        if (name.empty()) continue;
        ++checked.lookups;
        const auto addresses = ip.v6 ? dns.aaaa(name) : dns.a(name);
        if (addresses.outcome == Outcome::TempError) error = addresses.error;
        const bool leads_back = std::any_of(addresses.records.begin(), addresses.records.end(),
                                            [&](const std::string& each) { return Ip::parse(each) == ip; });
        if (!leads_back) continue;
        checked.name = name;
        return conclude(IprevVerdict::Pass, fmt::format("{} is {}", ip.text(), name));
    }
    if (!error.empty()) return conclude(IprevVerdict::TempError, error);
    return conclude(IprevVerdict::Fail, fmt::format("{} names {}, which does not lead back", ip.text(), first));
}

}  // namespace gk::mailauth
