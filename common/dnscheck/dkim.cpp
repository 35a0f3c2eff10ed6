// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/dnscheck/context.hpp"
#include "common/mailauth/dkim/key_record.hpp"

namespace gk::dnscheck {
namespace {

using dns::Type;
using mailauth::dkim::KeyState;

constexpr unsigned kStrongBits = 2048;  // RFC 8301, 3.2

// What is wrong with the one record that DNS shows; empty for nothing.
std::string_view judge(const std::string& record, const std::string& wanted, std::string& is) {
    is = shown(record);
    const auto seen = mailauth::dkim::parse_key_record(record);
    if (!seen) {
        is += ": " + seen.error().text;
        return "dkim-malformed";
    }
    const auto ours = mailauth::dkim::parse_key_record(wanted);
    if (seen->revoked()) return ours && ours->revoked() ? "" : "dkim-revoked";
    if (ours && ours->revoked()) return "dkim-not-revoked";
    if (ours && (seen->type != ours->type || seen->octets != ours->octets)) return "dkim-differs";
    if (!seen->permits_sha256() || !seen->permits_mail()) return "dkim-restricted";
    if (seen->testing) return "dkim-testing";
    return "";
}

void check_key(const Context& c, const DkimKey& key) {
    const std::string name = fmt::format("{}._domainkey.{}", key.selector, c.subject);
    const Answer* answer = c.ask(name, Type::Txt);
    if (answer == nullptr) return;
    const std::vector<std::string> records = answer->data;
    // Behind an alias the record is somebody else's to write; the name stays ours.
    const std::string at = answer->canonical.empty() ? name : answer->canonical;
    const auto mend = [&] { return replace(at, Type::Txt, records, key.record); };
    if (records.empty() && key.state == KeyState::Revoked) return;
    if (records.empty())
        return c.found(key.state == KeyState::Active ? "dkim-missing" : "dkim-unpublished", name, "no TXT record",
                       key.record, mend());
    if (records.size() > 1)
        return c.found("dkim-multiple", name, fmt::format("{} TXT records: {}", records.size(), listed(records)),
                       key.record, mend());
    std::string is;
    if (const auto id = judge(records[0], key.record, is); !id.empty()) c.found(id, name, is, key.record, mend());
    if (key.state == KeyState::Active && key.algorithm == mailauth::Algorithm::RsaSha256 && key.bits < kStrongBits)
        c.found("dkim-weak", name, fmt::format("an RSA key of {} bits", key.bits),
                fmt::format("{} bits: gk-dkim rotate {}", kStrongBits, c.subject));
}

}  // namespace

void check_dkim(const Context& c) {
    if (!c.ours.keys) return;
    const auto keys = c.ours.keys(c.subject);
    if (!keys) return c.unknown(c.subject + " DKIM", keys.error().text);
    bool active = false;
    for (const auto& key : *keys) {
        active |= key.state == KeyState::Active;
        // A retired key may stay for mail under way, or be gone; a removed one is to leave.
        if (key.state != KeyState::Retired && key.state != KeyState::Removed) check_key(c, key);
    }
    if (!active)
        c.found("dkim-no-key", c.subject, keys->empty() ? "no key" : "no key is active",
                fmt::format("an active key: gk-dkim genkey {}", c.subject));
}

}  // namespace gk::dnscheck
