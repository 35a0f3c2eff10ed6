// SPDX-License-Identifier: MIT
#pragma once

#include "common/mailauth/dns_source.hpp"

namespace gk::mailauth {

// Answers from the network. RESOLVER must outlive it.
class ResolverSource : public DnsSource {
public:
    explicit ResolverSource(dns::Resolver& resolver) noexcept : resolver_(resolver) {}
    Lookup<std::string> txt(std::string_view name) override;
    Lookup<std::string> a(std::string_view name) override;
    Lookup<std::string> aaaa(std::string_view name) override;
    Lookup<dns::Mx> mx(std::string_view name) override;
    Lookup<std::string> ptr(std::string_view ip) override;

private:
    dns::Resolver& resolver_;
};

}  // namespace gk::mailauth
