// SPDX-License-Identifier: MIT
#include "common/smtp/relay_domains.hpp"

#include <fmt/format.h>

#include "common/address/path.hpp"
#include "common/base/text.hpp"

namespace gk::smtp {

Result<RelayDomains> RelayDomains::parse(const std::map<std::string, std::string>& table) {
    RelayDomains relay;
    for (const auto& [name, value] : table) {
        auto ascii = address::to_a_labels(name);
        if (!ascii || name.empty() || name.front() == '[')
            return fail(Errc::Config, fmt::format("smtp.relay_domains: '{}' is no domain", text::printable(name, 80)));
        auto& domain = relay.domains_[*ascii];
        for (const auto word : text::split(value, ' ')) {
            if (word == "*") domain.any = true;
            else if (!word.empty()) domain.local_parts.insert(text::lower(word));
        }
        if (!domain.any && domain.local_parts.empty())
            return fail(Errc::Config, fmt::format("smtp.relay_domains: '{}' names no recipients; \"*\" takes any",
                                                  text::printable(name, 80)));
    }
    return relay;
}

RelayDomains::Answer RelayDomains::find(const Path& recipient) const {
    if (domains_.empty() || recipient.domain.empty() || recipient.is_literal()) return Answer::NotOurs;
    const auto ascii = address::to_a_labels(recipient.domain);
    if (!ascii) return Answer::NotOurs;
    const auto found = domains_.find(*ascii);
    if (found == domains_.end()) return Answer::NotOurs;
    const bool taken = found->second.any || recipient.is_postmaster() ||
                       found->second.local_parts.contains(text::lower(recipient.local_part));
    return taken ? Answer::Taken : Answer::NoSuchRecipient;
}

}  // namespace gk::smtp
