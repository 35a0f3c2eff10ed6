// SPDX-License-Identifier: MIT
#include "common/mailauth/dmarc/configure.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/os/file.hpp"

namespace gk::mailauth::dmarc {
namespace {

std::optional<Options::Network> network_of(std::string_view text) {
    const auto slash = text.find('/');
    const auto ip = Ip::parse(text.substr(0, slash));
    if (!ip) return std::nullopt;
    Options::Network network{*ip, ip->bits()};
    if (slash == std::string_view::npos) return network;
    const auto prefix = text::to_uint(text.substr(slash + 1));
    if (!prefix || *prefix > ip->bits()) return std::nullopt;
    network.prefix = static_cast<unsigned>(*prefix);
    return network;
}

Result<std::string> domain_of(std::string_view key, std::string_view text) {
    std::string domain = author_domain(text);
    if (domain.empty() || domain.find('.') == std::string::npos)
        return fail(Errc::Config, fmt::format("'{}': '{}' is no domain name", key, text::printable(text, 100)));
    return domain;
}

}  // namespace

Result<Configured> Configured::load(const config::Config& config) {
    Configured configured;
    Options& options = configured.options_;
    for (const auto& each : config.strings("dmarc.exempt_domains")) {
        GK_TRY(auto domain, domain_of("dmarc.exempt_domains", each));
        options.exempt_domains.push_back(std::move(domain));
    }
    for (const auto& each : config.strings("dmarc.trusted_forwarders")) {
        if (const auto network = network_of(each)) {
            options.forwarder_networks.push_back(*network);
            continue;
        }
        GK_TRY(auto domain, domain_of("dmarc.trusted_forwarders", each));
        options.forwarder_domains.push_back(std::move(domain));
    }
    options.honour_pct = config.boolean("dmarc.honour_pct");
    options.authors = static_cast<std::size_t>(config.integer("dmarc.max_author_domains"));
    options.queries = static_cast<std::size_t>(config.integer("dmarc.max_queries"));
    for (const auto each : {Policy::None, Policy::Quarantine, Policy::Reject})
        if (config.string("dmarc.most_severe") == policy_name(each)) options.most_severe = each;
    if (config.boolean("dmarc.public_suffix_fallback")) {
        GK_TRY(auto list, SuffixList::load(config.string("dmarc.public_suffix_list")));
        configured.suffixes_ = std::make_unique<SuffixList>(std::move(list));
        options.suffixes = configured.suffixes_.get();
    }
    return configured;
}

Result<Configured> Configured::load(const std::string& root) {
    const auto paths = config::Paths::under(root);
    if (os::exists(paths.toml)) {
        const auto config = config::Config::load(paths);
        if (config) return load(*config);
        if (config.error().code != Errc::Denied) return fail(config.error());
    }
    GK_TRY(const auto defaults, config::Config::parse(""));
    return load(defaults);
}

}  // namespace gk::mailauth::dmarc
