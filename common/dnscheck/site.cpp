// SPDX-License-Identifier: MIT
#include "common/dnscheck/site.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "common/base/text.hpp"
#include "common/base/time.hpp"
#include "common/directory/directory.hpp"
#include "common/dnscheck/certificate.hpp"
#include "common/dnscheck/records.hpp"
#include "common/mailauth/ip.hpp"
#include "common/os/file.hpp"
#include "common/tls/certificate.hpp"
#include "common/tls/identities.hpp"
#include "common/tlspolicy/publish.hpp"

namespace gk::dnscheck {
namespace {

using mailauth::dkim::KeyStore;

std::string system_name() {
    char name[256] = "";
    return ::gethostname(name, sizeof name - 1) == 0 ? std::string(name) : std::string();
}

Result<std::vector<std::string>> addresses(const std::vector<std::string>& texts) {
    std::vector<std::string> out;
    for (const auto& each : texts) {
        const auto ip = mailauth::Ip::parse(each);
        if (!ip) return fail(Errc::BadInput, fmt::format("'{}' is not an IP address", text::printable(each, 60)));
        out.push_back(ip->without_mapping().text());
    }
    return out;
}

Result<std::vector<DkimKey>> keys_of(const KeyStore& store, const std::string& domain) {
    std::vector<DkimKey> out;
    GK_TRY(const auto stored, store.list(domain));
    for (const auto& each : stored) {
        // A retired or removed key is not held against DNS, so nobody needs to open it.
        DkimKey key{each.selector, each.state, each.algorithm, each.bits, {}};
        if (each.state != mailauth::dkim::KeyState::Retired && each.state != mailauth::dkim::KeyState::Removed) {
            GK_TRY(key.record, store.record(each));
        }
        out.push_back(std::move(key));
    }
    return out;
}

Status read_directory(Site& site) {
    if (!os::exists(site.config->paths().directory_db)) return ok();
    GK_TRY(const auto directory, directory::Directory::open(site.config->paths(), true));
    GK_TRY(const auto domains, directory->domains());
    for (const auto& domain : domains) site.domains.push_back(domain.name);
    return ok();
}

Status read_config(Site& site, const config::Paths& paths) {
    auto config = config::Config::load(paths);
    if (!config && config.error().code != Errc::Denied) return fail(config.error());
    if (!config) {
        site.unknown.push_back({"", paths.toml, config.error().text});
        return ok();
    }
    site.config = std::move(*config);
    site.resolver.servers = site.config->strings("dns.resolver");
    site.resolver.stubs = site.config->table("dns.stubs");
    site.resolver.trust_anchor_file = site.config->string("dns.trust_anchor_file");
    site.resolver.timeout = std::chrono::seconds(site.config->duration_s("dns.timeout"));
    if (const auto read = read_directory(site); !read)
        site.unknown.push_back({"", paths.directory_db, read.error().text});
    return ok();
}

}  // namespace

bool Site::hosts(const std::string& domain) const {
    return std::find(domains.begin(), domains.end(), domain) != domains.end();
}

Result<Certificate> configured_certificate(const config::Config& config) {
    GK_TRY(const auto identities,
           tls::find_identities(config.string("tls.certificate"), config.string("tls.key"), config.paths().keys));
    const std::string& path = identities.front().certificate_path;
    GK_TRY(auto chain, tls::read_chain(path));
    return read_certificates(std::move(chain), path);
}

Result<Site> load_site(const Said& said) {
    Site site;
    const auto paths = config::Paths::under(said.root);
    if (os::exists(paths.toml) || !said.root.empty()) GK_CHECK(read_config(site, paths));
    site.hooks = paths.toml.substr(0, paths.toml.rfind('/')) + "/dns.d";
    Ours& ours = site.ours;
    ours.now_s = to_unix_s(now());
    ours.rua = said.rua;
    ours.host = without_dot(said.host);
    std::vector<std::string> ips = said.ips;
    if (site.config) {
        const auto& configured = site.config->string("server.hostname");
        if (ours.host.empty()) ours.host = without_dot(configured.empty() ? system_name() : configured);
        if (ips.empty()) ips = site.config->strings("server.public_addresses");
        const std::string folder = paths.keys + "/dkim";
        ours.own_policy = [config = *site.config](const std::vector<std::string>& mx) -> std::optional<OwnPolicy> {
            const auto own = tlspolicy::own_sts(config, mx);
            if (!own) return std::nullopt;
            return OwnPolicy{own->record, own->text};
        };
        ours.keys = [store = KeyStore(folder)](const std::string& domain) { return keys_of(store, domain); };
    }
    GK_TRY(ours.ips, addresses(ips));
    ours.ips_said = !ours.ips.empty();
    return site;
}

}  // namespace gk::dnscheck
