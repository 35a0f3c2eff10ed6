// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/base/ids.hpp"
#include "common/base/text.hpp"
#include "common/dns/resolver.hpp"

namespace gk::dns {
namespace {

// RFC 5321, 5.1: hosts of equal preference are tried in random order, to spread the load.
void shuffle_equals(std::vector<Mx>& hosts) {
    for (std::size_t begin = 0; begin < hosts.size();) {
        std::size_t end = begin + 1;
        while (end < hosts.size() && hosts[end].preference == hosts[begin].preference) ++end;
        for (std::size_t i = end - 1; i > begin; --i)
            std::swap(hosts[i], hosts[begin + random_u64() % (i - begin + 1)]);
        begin = end;
    }
}

}  // namespace

Result<MailHosts> find_mail_hosts(Source& source, std::string_view domain) {
    GK_TRY(auto answer, source.mx(domain));
    MailHosts found;
    found.security = answer.security;
    if (answer.existence == Existence::NoDomain) {
        found.no_domain = true;
        return found;
    }
    if (answer.existence == Existence::NoData) {
        // RFC 5321, 5.1: no MX at all means an implicit one, the domain itself.
        found.implicit = true;
        found.hosts.push_back({0, text::lower(domain)});
        return found;
    }
    // RFC 7505, 3: one record with the root as its host. Beside others such a record is skipped.
    std::erase_if(answer.records, [](const Mx& mx) { return mx.host.empty(); });
    found.hosts = std::move(answer.records);
    found.null_mx = found.hosts.empty();
    shuffle_equals(found.hosts);
    return found;
}

Result<Addresses> find_addresses(Source& source, std::string_view host, bool want_ipv6) {
    auto v4 = source.a(host);
    Addresses found;
    Result<Answer<std::string>> v6 = Answer<std::string>{};
    if (want_ipv6) v6 = source.aaaa(host);
    bool secure = true;
    for (const auto* answer : {&v6, &v4}) {
        if (!*answer) continue;
        const auto& canonical = (*answer)->canonical;
        if (!canonical.empty() && !text::equals_nocase(canonical, host)) found.canonical = canonical;
        for (const auto& ip : (*answer)->records) found.ips.push_back(ip);
        if (!(*answer)->records.empty() && (*answer)->security != Security::Secure) secure = false;
    }
    if (found.ips.empty()) {
        if (!v4) return fail(v4.error());
        if (!v6) return fail(v6.error());
        found.no_domain = v4->existence == Existence::NoDomain;
        return found;
    }
    found.security = secure ? Security::Secure : Security::Insecure;
    return found;
}

}  // namespace gk::dns
