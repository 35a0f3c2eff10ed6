// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <set>

#include "cmd/gk-dkim/arguments.hpp"
#include "common/base/time.hpp"
#include "common/cli/cli.hpp"
#include "common/mailauth/dkim/key_dns.hpp"

namespace gk::dkim_tool {

using namespace mailauth;

namespace {

dkim::LookEverywhere look_for(const Arguments& a, const config::Config& config, DnsSource* file) {
    if (file) return dkim::look_at_source(*file);
    dns::Options options;
    options.servers = config.strings("dns.resolver");
    options.stubs = config.table("dns.stubs");
    options.trust_anchor_file = config.string("dns.trust_anchor_file");
    options.timeout = std::chrono::seconds(config.duration_s("dns.timeout"));
    return dkim::look_at_servers(std::move(options),
                                 a.dns.servers.empty() ? config.strings("dkim.name_servers") : a.dns.servers);
}

Result<std::set<std::string>> domains_of(const Arguments& a, const dkim::KeyStore& store) {
    std::set<std::string> domains;
    if (!a.domain.empty()) {
        GK_TRY(auto domain, domain_of(a.domain));
        domains.insert(std::move(domain));
    }
    GK_TRY(const auto keys, store.list(a.domain.empty() ? "" : *domains.begin()));
    if (!a.domain.empty() && keys.empty())
        return fail(Errc::NotFound, fmt::format("{} has no keys: gk-dkim genkey makes the first", *domains.begin()));
    for (const auto& key : keys) domains.insert(key.domain);
    return domains;
}

}  // namespace

int rotate(const Arguments& a) {
    if (a.domain.empty() != a.all) return cli::usage("name a domain, or say --all");
    const auto config = settings_of(a);
    if (!config) return cli::fail(config.error());
    // A file of answers is read with the caller's rights: it is not the keys' owner's.
    std::unique_ptr<DnsSource> file;
    if (!a.dns.file.empty()) {
        auto opened = open_source(a.dns);
        if (!opened) return cli::fail(opened.error());
        file = std::move(*opened);
    }
    const auto store = open_store(a);
    if (!store) return cli::fail(store.error());
    const auto lock = store->lock();
    if (!lock) return cli::fail(lock.error());
    const auto domains = domains_of(a, *store);
    if (!domains) return cli::fail(domains.error());

    const dkim::Rotation rotation(*store, look_for(a, *config, file.get()), rotation_settings(*config),
                                  to_unix_s(now()), a.dry_run);
    bool waits = false, temporary = false;
    int failed = 0;
    cli::Rows rows(a.json, {"domain", "selector", "algorithm", "state", "action", "name", "reason"});
    for (const auto& domain : *domains) {
        const auto steps = rotation.advance(domain, !a.all);
        // One domain's trouble does not keep the others waiting.
        if (!steps) {
            failed = cli::fail(steps.error().in(domain));
            continue;
        }
        for (const auto& step : *steps) {
            waits |= step.waits() || step.action == "created";
            temporary |= step.temporary;
            rows.add({step.key.domain, step.key.selector, std::string(algorithm_name(step.key.algorithm)),
                      std::string(dkim::state_name(step.key.state)), step.action, dkim::dns_name(step.key),
                      step.reason});
        }
    }
    return failed != 0 ? failed : temporary ? 75 : waits ? 1 : 0;
}

}  // namespace gk::dkim_tool
