// SPDX-License-Identifier: MIT
#include <cstdio>

#include <fmt/format.h>

#include "cmd/gk-dkim/arguments.hpp"
#include "common/base/text.hpp"
#include "common/base/time.hpp"
#include "common/cli/cli.hpp"
#include "common/config/config.hpp"
#include "common/mailauth/dkim/key_record.hpp"
#include "common/mailauth/domain.hpp"
#include "common/os/file.hpp"
#include "common/os/owner.hpp"

namespace gk::dkim_tool {

using namespace mailauth;
using dkim::KeyState;

namespace {

constexpr std::int64_t kLeastBits = 1024, kMostBits = 4096;  // RFC 8301, 3.2: what every verifier can check

const std::vector<std::string> kColumns = {"domain", "selector", "algorithm", "bits", "state", "created", "changed"};

void add_row(cli::Rows& rows, const dkim::StoredKey& key) {
    rows.add({key.domain, key.selector, std::string(algorithm_name(key.algorithm)), static_cast<std::int64_t>(key.bits),
              std::string(dkim::state_name(key.state)), format_rfc3339(from_unix_s(key.created_s)),
              format_rfc3339(from_unix_s(key.changed_s))});
}

Result<std::vector<Algorithm>> algorithms_named(const std::string& name) {
    if (name == "both") return std::vector{Algorithm::RsaSha256, Algorithm::Ed25519Sha256};
    if (name == "rsa") return std::vector{Algorithm::RsaSha256};
    if (name == "ed25519") return std::vector{Algorithm::Ed25519Sha256};
    return fail(Errc::BadInput, fmt::format("'{}' is none of rsa, ed25519, both", text::printable(name, 40)));
}

Result<std::string> record_of(const dkim::KeyStore& store, const dkim::StoredKey& stored) {
    GK_TRY(const PrivateKey key, store.load(stored));
    return dkim::format_key_record(key);
}

// What DNS shows in place of RECORD: "published", "missing", "differs" or an error's text.
std::string compare(DnsSource& source, const dkim::StoredKey& key, const std::string& record, bool& temporary) {
    const auto lookup = source.txt(key.selector + "._domainkey." + key.domain);
    if (lookup.outcome == Outcome::TempError) {
        temporary = true;
        return lookup.error;
    }
    if (!lookup.found()) return "missing";
    const auto wanted = dkim::parse_key_record(record);
    if (lookup.records.size() > 1) return fmt::format("differs: {} records", lookup.records.size());
    const auto shown = dkim::parse_key_record(lookup.records[0]);
    if (!shown) return "differs: " + shown.error().text;
    if (shown->revoked()) return "differs: revoked";
    return shown->type == wanted->type && shown->octets == wanted->octets && shown->permits_sha256() &&
                   shown->permits_mail()
               ? "published"
               : "differs: another key";
}

}  // namespace

Result<dkim::KeyStore> open_store(const Arguments& arguments) {
    const auto paths = config::Paths::under(arguments.dns.root);
    const std::string directory = paths.keys + "/dkim";
    if (const std::string& owner = os::exists(directory) ? directory : paths.keys; os::exists(owner))
        GK_CHECK(os::become_owner_of(owner));
    return dkim::KeyStore(directory);
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
    const auto store = open_store(a);
    if (!store) return cli::fail(store.error());
    const std::int64_t now_s = to_unix_s(now());
    cli::Rows rows(a.json, kColumns);
    for (const auto algorithm : *algorithms) {
        const auto taken = store->list(*domain);
        if (!taken) return cli::fail(taken.error());
        const auto key = PrivateKey::generate(algorithm, static_cast<unsigned>(a.bits));
        if (!key) return cli::fail(key.error());
        const std::string selector =
            a.selector.empty() ? dkim::default_selector(algorithm, now_s, *taken) : text::lower(a.selector);
        const auto stored =
            store->create(*domain, selector, *key, a.active ? KeyState::Active : KeyState::Published, now_s);
        if (!stored) return cli::fail(stored.error());
        add_row(rows, *stored);
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
    const auto store = open_store(a);
    if (!store) return cli::fail(store.error());
    const auto keys = store->list(domain);
    if (!keys) return cli::fail(keys.error());
    cli::Rows rows(a.json, kColumns);
    for (const auto& key : *keys) add_row(rows, key);
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
        const auto record = record_of(*store, key);
        if (!record) return cli::fail(record.error());
        any = true;
        const std::string name = key.selector + "._domainkey." + key.domain;
        if (a.check) {
            const std::string seen = compare(*source, key, *record, temporary);
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

}  // namespace gk::dkim_tool
