// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

#include "cmd/gk-dkim/arguments.hpp"
#include "common/base/text.hpp"
#include "common/base/time.hpp"
#include "common/cli/cli.hpp"
#include "common/config/config.hpp"
#include "common/mailauth/dkim/key_dns.hpp"
#include "common/mailauth/domain.hpp"
#include "common/os/file.hpp"
#include "common/os/owner.hpp"

namespace gk::dkim_tool {

using namespace mailauth;
using dkim::KeyState;

namespace {

constexpr std::int64_t kLeastBits = 1024, kMostBits = 4096;  // RFC 8301, 3.2: what every verifier can check

const std::vector<std::string> kColumns = {"domain", "selector", "algorithm", "bits",
                                           "state",  "created",  "changed",   "next"};

void add_row(cli::Rows& rows, const dkim::StoredKey& key, const dkim::RotationSettings& settings) {
    rows.add({key.domain, key.selector, std::string(algorithm_name(key.algorithm)), static_cast<std::int64_t>(key.bits),
              std::string(dkim::state_name(key.state)), format_rfc3339(from_unix_s(key.created_s)),
              format_rfc3339(from_unix_s(key.changed_s)), dkim::next_of(key, settings)});
}

Result<std::vector<Algorithm>> algorithms_named(const std::string& name) {
    if (name == "both") return std::vector{Algorithm::RsaSha256, Algorithm::Ed25519Sha256};
    if (name == "rsa") return std::vector{Algorithm::RsaSha256};
    if (name == "ed25519") return std::vector{Algorithm::Ed25519Sha256};
    return fail(Errc::BadInput, fmt::format("'{}' is none of rsa, ed25519, both", text::printable(name, 40)));
}

}  // namespace

Result<dkim::KeyStore> open_store(const Arguments& arguments) {
    const auto paths = config::Paths::under(arguments.dns.root);
    const std::string directory = paths.keys + "/dkim";
    if (const std::string& owner = os::exists(directory) ? directory : paths.keys; os::exists(owner))
        GK_CHECK(os::become_owner_of(owner));
    return dkim::KeyStore(directory);
}

Result<config::Config> settings_of(const Arguments& arguments) {
    const auto paths = config::Paths::under(arguments.dns.root);
    if (!os::exists(paths.toml)) return config::Config::parse("", paths);
    auto config = config::Config::load(paths);
    if (!config && config.error().code == Errc::Denied) return config::Config::parse("", paths);
    return config;
}

dkim::RotationSettings rotation_settings(const config::Config& config) {
    return {config.duration_s("dkim.rotate_after"), config.duration_s("dkim.remove_after"), 2048};
}

Result<std::string> domain_of(const std::string& name) {
    std::string domain = dns_domain(name);
    if (domain.empty())
        return fail(Errc::BadInput, fmt::format("'{}' is not a domain name", text::printable(name, 100)));
    return domain;
}

int genkey(const Arguments& a) {
    const auto algorithms = algorithms_named(a.algorithm);
    if (!algorithms) return cli::usage(algorithms.error().text);
    if (a.bits < kLeastBits || a.bits > kMostBits)
        return cli::usage(fmt::format("--bits must be {} to {}", kLeastBits, kMostBits));
    if (!a.selector.empty() && algorithms->size() > 1)
        return cli::usage("--selector needs --algorithm rsa or ed25519: two keys need two names");
    const auto domain = domain_of(a.domain);
    if (!domain) return cli::fail(domain.error());
    const auto config = settings_of(a);
    if (!config) return cli::fail(config.error());
    const auto store = open_store(a);
    if (!store) return cli::fail(store.error());
    const auto lock = store->lock();
    if (!lock) return cli::fail(lock.error());
    const std::int64_t now_s = to_unix_s(now());
    const auto state = a.active ? KeyState::Active : KeyState::Published;
    cli::Rows rows(a.json, kColumns);
    for (const auto algorithm : *algorithms) {
        const auto bits = static_cast<unsigned>(a.bits);
        const auto named = [&]() -> Result<dkim::StoredKey> {
            GK_TRY(const auto key, PrivateKey::generate(algorithm, bits));
            return store->create(*domain, text::lower(a.selector), key, state, now_s);
        };
        const auto stored =
            a.selector.empty() ? dkim::create_key(*store, *domain, algorithm, bits, state, now_s) : named();
        if (!stored) return cli::fail(stored.error());
        add_row(rows, *stored, rotation_settings(*config));
    }
    return 0;
}

int list(const Arguments& a) {
    std::string domain;
    if (!a.domain.empty()) {
        auto named = domain_of(a.domain);
        if (!named) return cli::fail(named.error());
        domain = *named;
    }
    const auto config = settings_of(a);
    if (!config) return cli::fail(config.error());
    const auto store = open_store(a);
    if (!store) return cli::fail(store.error());
    const auto keys = store->list(domain);
    if (!keys) return cli::fail(keys.error());
    cli::Rows rows(a.json, kColumns);
    for (const auto& key : *keys) add_row(rows, key, rotation_settings(*config));
    return keys->empty() && !domain.empty() ? 1 : 0;
}

int dns(const Arguments& a) {
    const auto domain = domain_of(a.domain);
    if (!domain) return cli::fail(domain.error());
    // The resolver is made with the caller's rights: the configuration is not the keys' owner's to read.
    std::unique_ptr<DnsSource> source;
    if (a.check) {
        auto opened = open_source(a.dns);
        if (!opened) return cli::fail(opened.error());
        source = std::move(*opened);
    }
    const auto store = open_store(a);
    if (!store) return cli::fail(store.error());
    const auto keys = store->list(*domain);
    if (!keys) return cli::fail(keys.error());
    bool any = false, wrong = false, temporary = false;
    std::unique_ptr<cli::Rows> rows;
    if (a.check) rows = std::make_unique<cli::Rows>(a.json, std::vector<std::string>{"name", "state", "dns"});
    else if (a.json) rows = std::make_unique<cli::Rows>(true, std::vector<std::string>{"name", "type", "value"});
    for (const auto& key : *keys) {
        if (!a.selector.empty() && key.selector != text::lower(a.selector)) continue;
        if (key.state == KeyState::Removed) continue;  // nothing is to be published
        const auto record = store->record(key);
        if (!record) return cli::fail(record.error());
        any = true;
        const std::string name = dkim::dns_name(key);
        if (a.check) {
            const auto shown = source->txt(name);
            temporary |= shown.outcome == Outcome::TempError;
            const std::string seen = dkim::compare_key(shown, *record);
            wrong |= seen != "published";
            rows->add({name, std::string(dkim::state_name(key.state)), text::printable(seen)});
        } else if (rows) {
            rows->add({name, std::string("TXT"), *record});
        } else {
            std::fputs(dkim::zone_lines(key, *record).c_str(), stdout);
        }
    }
    if (!any)
        return cli::fail(
            Error{Errc::NotFound, fmt::format("there is no such key of {}: gk-dkim genkey makes one", *domain), 0});
    return temporary ? 75 : wrong ? 1 : 0;
}

int revoke(const Arguments& a) {
    const auto domain = domain_of(a.domain);
    if (!domain) return cli::fail(domain.error());
    const auto store = open_store(a);
    if (!store) return cli::fail(store.error());
    const auto lock = store->lock();
    if (!lock) return cli::fail(lock.error());
    auto key = store->find(*domain, text::lower(a.selector));
    if (!key) return cli::fail(key.error());
    if (key->state == KeyState::Removed)
        return cli::fail(Error{Errc::NotFound, fmt::format("{} of {} is removed already", key->selector, *domain), 0});
    if (!cli::confirm(fmt::format("destroy the key {} of {} for good?", key->selector, *domain), a.yes)) return 1;
    if (key->state != KeyState::Revoked)
        if (const auto done = store->set_state(*key, KeyState::Revoked, to_unix_s(now())); !done)
            return cli::fail(done.error());
    key->state = KeyState::Revoked;
    const auto record = store->record(*key);
    if (!record) return cli::fail(record.error());
    if (a.json) cli::Rows(true, {"name", "type", "value"}).add({dkim::dns_name(*key), std::string("TXT"), *record});
    else std::fputs(dkim::zone_lines(*key, *record).c_str(), stdout);
    const auto keys = store->list(*domain);
    if (keys &&
        std::none_of(keys->begin(), keys->end(), [](const auto& each) { return each.state == KeyState::Active; }))
        std::fprintf(stderr, "gk-dkim: no key of %s signs now: gk-dkim genkey %s, put it into DNS, gk-dkim rotate %s\n",
                     domain->c_str(), domain->c_str(), domain->c_str());
    return 0;
}

}  // namespace gk::dkim_tool
