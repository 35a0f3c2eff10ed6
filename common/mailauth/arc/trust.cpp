// SPDX-License-Identifier: MIT
#include "common/mailauth/arc/trust.hpp"

#include <algorithm>

#include "common/mailauth/authres/authres.hpp"
#include "common/mailauth/domain.hpp"

namespace gk::mailauth::arc {
namespace {

// dmarc=pass, and where the field says for whom, for that domain.
bool says_pass(std::string_view payload, const std::string& from_domain) {
    const auto results = authres::parse(payload);
    if (!results) return false;
    for (const auto& each : results->results) {
        if (each.method != "dmarc" || each.result != "pass") continue;
        bool same = true;
        for (const auto& property : each.properties)
            if (property.type == "header" && property.name == "from") {
                const auto at = property.value.rfind('@');
                const auto domain = at == std::string::npos ? property.value : property.value.substr(at + 1);
                same = dns_domain(domain) == from_domain;
            }
        if (same) return true;
    }
    return false;
}

bool lists(const std::vector<std::string>& trusted, const Link& link) {
    return std::any_of(trusted.begin(), trusted.end(),
                       [&](const auto& each) { return is_at_or_below(link.domain, dns_domain(each)); });
}

}  // namespace

bool newest_is_trusted(const Chain& chain, const std::vector<std::string>& trusted) {
    return !chain.links.empty() && lists(trusted, chain.links.back());
}

std::optional<TrustedResult> trusted_pass(const Chain& chain, const std::vector<std::string>& trusted,
                                          std::string_view from_domain) {
    const std::string domain = dns_domain(from_domain);
    if (chain.status != Status::Pass || trusted.empty() || domain.empty()) return std::nullopt;
    for (std::size_t i = chain.links.size(); i > 0; --i) {
        const Link& link = chain.links[i - 1];
        if (!lists(trusted, link)) return std::nullopt;
        if (says_pass(link.payload, domain)) return TrustedResult{static_cast<unsigned>(i), link.domain};
    }
    return std::nullopt;
}

}  // namespace gk::mailauth::arc
