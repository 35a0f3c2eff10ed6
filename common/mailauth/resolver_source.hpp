// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>

#include "common/mailauth/dns_source.hpp"

namespace gk::mailauth {

// Answers from the network. RESOLVER must outlive it. Its deadline is its own, so whoever sets one makes a source of
// his own: it costs nothing.
class ResolverSource : public DnsSource {
public:
    explicit ResolverSource(dns::Resolver& resolver) noexcept : resolver_(resolver) {}
    Lookup<std::string> txt(std::string_view name) override;
    Lookup<std::string> a(std::string_view name) override;
    Lookup<std::string> aaaa(std::string_view name) override;
    Lookup<dns::Mx> mx(std::string_view name) override;
    Lookup<std::string> ptr(std::string_view ip) override;
    void set_deadline(std::chrono::steady_clock::time_point latest) noexcept override {
        latest_ = latest.time_since_epoch();
    }

private:
    dns::Resolver& resolver_;
    dns::Resolver::Deadline latest() const noexcept { return dns::Resolver::Deadline(latest_.load()); }
    std::atomic<dns::Resolver::Deadline::duration> latest_{dns::Resolver::Deadline::max().time_since_epoch()};
};

}  // namespace gk::mailauth
