// SPDX-License-Identifier: MIT
#include "common/mailauth/dmarc/consent.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/mailauth/domain.hpp"

namespace gk::mailauth::dmarc {
namespace {

constexpr std::size_t kMaxTexts = 50;
constexpr std::size_t kMaxRecord = 8192;

// Empty where DNS did not answer; REASON then says why.
std::string organization_of(const std::string& domain, Records& records, const SuffixList* suffixes,
                            std::string& reason) {
    auto walked = walk(domain, records, suffixes);
    if (walked.organization.empty()) reason = walked.error;
    return walked.organization;
}

}  // namespace

std::string_view consent_name(Consent::State state) noexcept {
    switch (state) {
        case Consent::State::Inside: return "inside";
        case Consent::State::Given: return "given";
        case Consent::State::Refused: return "refused";
        case Consent::State::TempError: return "temperror";
    }
    return "refused";
}

Consent find_consent(const std::string& policy_domain, const ReportUri& uri, DnsSource& dns, Records& records,
                     const SuffixList* suffixes) {
    Consent consent;
    const auto conclude = [&](Consent::State state, std::string reason) {
        consent.state = state;
        consent.reason = std::move(reason);
        return consent;
    };
    if (uri.domain.empty()) return conclude(Consent::State::Refused, "it names no domain that could be asked");
    if (uri.domain == policy_domain) return conclude(Consent::State::Inside, "the same domain");
    std::string error;
    const std::string organization = organization_of(policy_domain, records, suffixes, error);
    // Who is not below the organization has another one: no need to walk.
    if (error.empty() && is_at_or_below(uri.domain, organization)) {
        const std::string other = organization_of(uri.domain, records, suffixes, error);
        if (error.empty() && other == organization)
            return conclude(Consent::State::Inside, fmt::format("of the same organization, {}", organization));
    }
    // An organization that is not known for now may still be another one, which can be asked.
    consent.asked = fmt::format("{}._report._dmarc.{}", policy_domain, uri.domain);
    if (!fits_dns(consent.asked)) return conclude(Consent::State::Refused, "its name would be too long for DNS");
    const auto lookup = dns.txt(consent.asked);
    if (lookup.outcome == Outcome::TempError) return conclude(Consent::State::TempError, lookup.error);
    bool given = false, elsewhere = false;
    std::size_t looked = 0;
    for (const auto& text : lookup.records) {
        if (++looked > kMaxTexts) break;
        if (!is_record(text)) continue;
        given = true;
        for (auto& each : parse_record(std::string_view(text).substr(0, kMaxRecord)).rua) {
            if (each.is_mail() && each.domain == uri.domain) consent.instead.push_back(std::move(each));
            else elsewhere = true;
        }
    }
    // No other host: else reports could be sent round in circles, or at a third party. Then they go to neither.
    if (given && elsewhere && consent.instead.empty())
        return conclude(Consent::State::Refused, fmt::format("{} points to another host", consent.asked));
    if (given) return conclude(Consent::State::Given, fmt::format("{} says so", consent.asked));
    if (!error.empty()) return conclude(Consent::State::TempError, error);
    return conclude(Consent::State::Refused, fmt::format("there is no record v=DMARC1 at {}", consent.asked));
}

}  // namespace gk::mailauth::dmarc
