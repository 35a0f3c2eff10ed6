// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <set>

#include "cmd/gk-tls-policy/tls_policy.hpp"
#include "common/base/text.hpp"
#include "common/cli/cli.hpp"
#include "common/os/file.hpp"
#include "common/os/owner.hpp"
#include "common/tlspolicy/publish.hpp"

namespace gk::tls_policy_tool {
namespace {

using namespace tlspolicy;

// Policies are gk-queue's files: root acts as their owner.
Status become_queue(const Arguments& arguments) {
    const auto spool = config::Paths::under(arguments.root).spool;
    if (!os::exists(spool)) return fail(Errc::NotFound, fmt::format("'{}' is not there: gk-queue makes it", spool));
    return os::become_owner_of(spool);
}

}  // namespace

int cached(const Arguments& arguments) {
    const StsCache cache(config::Paths::under(arguments.root).spool + "/mta-sts", 0);
    const auto entries = cache.list();
    if (!entries) return cli::fail(entries.error());
    cli::Rows rows(arguments.json, {"domain", "mode", "id", "fetched", "expires", "mx"});
    for (const auto& entry : *entries)
        rows.add({entry.domain, std::string(sts_mode_name(entry.policy.mode)), entry.id, format_rfc3339(entry.fetched),
                  format_rfc3339(entry.expires), text::join(entry.policy.mx, " ")});
    return 0;
}

int renew(const Arguments& arguments) {
    const auto domain = ascii_domain(arguments.domain);
    if (!domain) return cli::fail(domain.error());
    if (const auto became = become_queue(arguments); !became) return cli::fail(became.error());
    auto setup = set_up(arguments, true);
    if (!setup) return cli::fail(setup.error());
    auto* sts = setup->planner->sts();
    if (!sts) return cli::fail({Errc::Config, "mta_sts.honour is false: no policies are kept"});
    const auto view = sts->renew(*domain);
    if (view.source == StsView::Source::Fetched) {
        if (!view.entry) {
            fmt::print(stderr, "gk-tls-policy: {}\n", view.text);
            return 0;
        }
        fmt::print("{}", format_sts_policy(view.entry->policy));
        // Fetched, but not kept.
        return view.text.empty() ? 0 : cli::fail({Errc::Temporary, view.text});
    }
    return cli::fail({view.has_record ? Errc::Temporary : Errc::NotFound, fmt::format("{}: {}", *domain, view.text)});
}

int forget(const Arguments& arguments) {
    const auto domain = ascii_domain(arguments.domain);
    if (!domain) return cli::fail(domain.error());
    if (const auto became = become_queue(arguments); !became) return cli::fail(became.error());
    StsCache cache(config::Paths::under(arguments.root).spool + "/mta-sts", 0);
    const auto dropped = cache.drop(*domain);
    return dropped ? 0 : cli::fail(dropped.error());
}

int tlsa(const Arguments& arguments) {
    const auto config = config::Config::load(config::Paths::under(arguments.root));
    if (!config) return cli::fail(config.error());
    const auto own = own_tlsa(*config);
    if (!own) return cli::fail(own.error());
    cli::Rows rows(arguments.json, {"name", "class", "type", "data"});
    for (std::size_t i = 0; i < own->size(); ++i) {
        std::set<std::string> names;
        for (const auto& name : (*own)[i].facts.names)
            // Certificates of our own making name localhost too.
            if (!name.starts_with("*.") && name.find('.') != std::string::npos) names.insert(text::lower(name));
        // The default certificate answers under the host's own name, whatever it says.
        if (const auto& hostname = config->string("server.hostname"); i == 0 && !hostname.empty())
            names.insert(text::lower(hostname));
        for (const auto& name : names)
            rows.add({fmt::format("_25._tcp.{}.", name), std::string("IN"), std::string("TLSA"),
                      tls::format_tlsa((*own)[i].record)});
    }
    return 0;
}

int sts_policy(const Arguments& arguments) {
    const auto domain = ascii_domain(arguments.domain);
    if (!domain) return cli::fail(domain.error());
    auto setup = set_up(arguments, false);
    if (!setup) return cli::fail(setup.error());
    const auto hosts = dns::find_mail_hosts(*setup->resolver, *domain);
    if (!hosts) return cli::fail(hosts.error());
    std::vector<std::string> names;
    for (const auto& mx : hosts->hosts) names.push_back(mx.host);
    if (names.empty()) return cli::fail({Errc::NotFound, *domain + " has no MX hosts in DNS yet"});
    const auto own = own_sts(setup->config, names);
    if (!own) {
        fmt::print(stderr, "gk-tls-policy: mta_sts.mode is off: our domains have no policy\n");
        return 1;
    }
    if (arguments.record) fmt::print("_mta-sts.{}. IN TXT \"{}\"\n", *domain, own->record);
    else fmt::print("{}", own->text);
    return 0;
}

}  // namespace gk::tls_policy_tool
