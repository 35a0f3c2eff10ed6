// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/dnscheck/context.hpp"

namespace gk::dnscheck {
namespace {

using dns::Type;

constexpr unsigned kSha256 = 2;  // digest type of the DS records that we write
constexpr std::size_t kMaxKeys = 32;

bool is_entry_point(std::string_view dnskey) {  // the SEP bit, and not revoked (RFC 4034, 2.1.1; RFC 5011, 7)
    const auto flags = text::to_uint(dnskey.substr(0, dnskey.find(' ')));
    return flags && (*flags & 1) != 0 && (*flags & 0x80) == 0;
}

std::vector<std::string> wanted_ds(const std::string& zone, const std::vector<std::string>& keys) {
    std::vector<std::string> out;
    for (const auto& key : keys) {
        const auto words = text::words(key);
        const auto tag = key_tag(key);
        if (!tag || !is_entry_point(key) || out.size() >= kMaxKeys) continue;
        out.push_back(fmt::format("{} {} {} {}", *tag, words[2], kSha256, text::to_hex(ds_digest(zone, key, kSha256))));
    }
    return out;
}

enum class Fit { Yes, No, Unknown };

Fit fits(const std::string& zone, const std::vector<std::string>& all_ds, const std::vector<std::string>& keys) {
    bool unknown = false;
    std::vector<std::optional<unsigned>> tags;  // once each: there may be many, and long ones
    for (std::size_t i = 0; i < keys.size() && i < kMaxKeys; ++i) tags.push_back(key_tag(keys[i]));
    for (const auto& data : all_ds) {
        const auto ds = read_ds(data);
        if (!ds) continue;
        for (std::size_t i = 0; i < tags.size(); ++i) {
            if (tags[i] != ds->tag) continue;
            const auto digest = ds_digest(zone, keys[i], ds->digest_type);
            if (digest.empty()) unknown = true;
            else if (digest == ds->digest) return Fit::Yes;
        }
    }
    return unknown ? Fit::Unknown : Fit::No;
}

}  // namespace

bool is_signed(const Context& c, std::string_view name) {
    const std::string zone = find_zone(name, c.dns);
    return !zone.empty() && !c.dns.data(zone, Type::Dnskey).empty() && !c.dns.data(zone, Type::Ds).empty();
}

void check_dnssec(const Context& c) {
    const std::string zone = find_zone(c.subject, c.dns);
    if (zone.find('.') == std::string::npos) return;  // not delegated, or not known
    const Answer& ds = c.dns.ask(zone, Type::Ds);
    const Answer& keys = c.dns.ask(zone, Type::Dnskey);
    if (ds.failed() && !ds.bogus) return c.unknown(zone + " DS", ds.error);
    if (keys.failed() && !keys.bogus) return c.unknown(zone + " DNSKEY", keys.error);
    if (keys.data.empty() && ds.data.empty())
        return c.found("dnssec-none", zone, "no DNSKEY record", "a signed zone, and its DS record at the registrar");
    const auto wanted = wanted_ds(zone, keys.data);
    std::vector<Change> changes;
    if (ds.data.empty()) {
        for (const auto& data : wanted) changes.push_back(add(zone, Type::Ds, data));
        return c.found("dnssec-no-ds", zone, "no DS record at the parent", listed(wanted), std::move(changes));
    }
    if (keys.data.empty()) {
        for (const auto& data : ds.data) changes.push_back(remove(zone, Type::Ds, data));
        return c.found("dnssec-ds-unsigned", zone, "DS " + listed(ds.data) + ", and no DNSKEY",
                       "no DS record, or a signed zone", std::move(changes));
    }
    if (fits(zone, ds.data, keys.data) == Fit::No) {
        for (const auto& data : ds.data) changes.push_back(remove(zone, Type::Ds, data));
        for (const auto& data : wanted) changes.push_back(add(zone, Type::Ds, data));
        if (wanted.empty()) changes.clear();
        return c.found("dnssec-ds-mismatch", zone, "DS " + listed(ds.data), listed(wanted), std::move(changes));
    }
    if (keys.bogus) c.bogus(zone, keys.error);
    (void)c.ask(zone, Type::Soa);
}

}  // namespace gk::dnscheck
