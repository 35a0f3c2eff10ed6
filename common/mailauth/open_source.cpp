// SPDX-License-Identifier: MIT
#include "common/mailauth/open_source.hpp"

#include "common/config/config.hpp"
#include "common/mailauth/dns_table.hpp"
#include "common/mailauth/resolver_source.hpp"
#include "common/os/file.hpp"

namespace gk::mailauth {
namespace {

class OwnResolverSource : public ResolverSource {
public:
    explicit OwnResolverSource(std::unique_ptr<dns::Resolver> resolver)
        : ResolverSource(*resolver), resolver_(std::move(resolver)) {}

private:
    std::unique_ptr<dns::Resolver> resolver_;
};

}  // namespace

Result<std::unique_ptr<DnsSource>> open_source(const DnsChoice& choice) {
    if (!choice.file.empty()) {
        GK_TRY(const std::string text, os::read_file(choice.file));
        auto table = DnsTable::parse(text);
        if (!table) return fail(table.error().in(choice.file));
        return std::make_unique<DnsTable>(std::move(*table));
    }
    dns::Options options;
    const auto paths = config::Paths::under(choice.root);
    // Anybody may ask DNS: without a configuration, or without permission to read it, the system's servers answer.
    if (os::exists(paths.toml)) {
        auto config = config::Config::load(paths);
        if (!config && config.error().code != Errc::Denied) return fail(config.error());
        if (config) {
            options.servers = config->strings("dns.resolver");
            options.stubs = config->table("dns.stubs");
            options.trust_anchor_file = config->string("dns.trust_anchor_file");
            options.timeout = std::chrono::milliseconds(config->duration_s("dns.timeout") * 1000);
        }
    }
    if (!choice.servers.empty()) options.servers = choice.servers;
    GK_TRY(auto resolver, dns::Resolver::create(options));
    return std::make_unique<OwnResolverSource>(std::move(resolver));
}

}  // namespace gk::mailauth
