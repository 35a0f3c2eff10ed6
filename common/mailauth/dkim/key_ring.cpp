// SPDX-License-Identifier: MIT
#include "common/mailauth/dkim/key_ring.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/mailauth/dkim/key_record.hpp"

namespace gk::mailauth::dkim {
namespace {

constexpr std::size_t kMaxKeyRecords = 4;  // at one name; RFC 6376, 3.6.2.2 leaves open what several mean

}  // namespace

std::string_view verdict_name(Verdict verdict) noexcept {
    switch (verdict) {
        case Verdict::Pass: return "pass";
        case Verdict::Fail: return "fail";
        case Verdict::Policy: return "policy";
        case Verdict::Neutral: return "neutral";
        case Verdict::TempError: return "temperror";
        case Verdict::PermError: return "permerror";
    }
    return "neutral";
}

const KeyRing::Key& KeyRing::find(const Signature& signature, DnsSource& dns) {
    const auto [found, is_new] = keys_.try_emplace(signature.key_name());
    Key& key = found->second;
    if (!is_new) return key;
    auto lookup = dns.txt(found->first);
    if (lookup.outcome == Outcome::TempError) {
        key.verdict = Verdict::TempError;
        key.reason = lookup.error;
    } else if (!lookup.found()) {
        key.reason = fmt::format("no key at {}", text::printable(found->first));
    } else {
        key.verdict = Verdict::Pass;
        key.records = std::move(lookup.records);
        if (key.records.size() > kMaxKeyRecords) key.records.resize(kMaxKeyRecords);
    }
    return key;
}

KeyRing::Checked KeyRing::try_record(const Signature& signature, std::string_view digest,
                                     const std::string& txt) const {
    Checked checked;
    const auto conclude = [&](Verdict verdict, std::string reason) {
        checked.verdict = verdict;
        checked.reason = std::move(reason);
        return checked;
    };
    const auto refuse = [&](std::string reason) { return conclude(Verdict::PermError, "key: " + std::move(reason)); };
    const auto record = parse_key_record(txt);
    if (!record) return refuse(record.error().text);
    checked.testing = record->testing;
    if (record->revoked()) return refuse("revoked");
    if (record->type != key_type_name(*signature.algorithm))
        return refuse(fmt::format("of type {}", text::printable(record->type, 20)));
    if (!record->permits_sha256()) return refuse("not for sha256");
    if (!record->permits_mail()) return refuse("not for mail");
    if (record->strict && signature.identity_domain != signature.domain)
        return refuse("not for names below the domain (t=s)");
    const auto key = PublicKey::load(*signature.algorithm, record->octets, limits_.most_rsa_bits);
    if (!key) return refuse(key.error().text);
    checked.key_bits = key->bits();
    // RFC 8301, 3.2: such a key proves nothing, whatever the signature says.
    if (*signature.algorithm == Algorithm::RsaSha256 && key->bits() < limits_.least_rsa_bits)
        return conclude(Verdict::Policy,
                        fmt::format("a key of {} bits, fewer than {}", key->bits(), limits_.least_rsa_bits));
    if (!key->verifies(digest, signature.signature))
        return conclude(Verdict::Fail, "the signature does not fit the header");
    return conclude(Verdict::Pass, fmt::format("{} {} bits", signature.algorithm_name, key->bits()));
}

KeyRing::Checked KeyRing::check(const Signature& signature, std::string_view digest, DnsSource& dns) {
    const Key& key = find(signature, dns);
    Checked checked{key.verdict, key.reason, 0, false};
    if (key.verdict != Verdict::Pass) return checked;
    for (const auto& txt : key.records) {
        checked = try_record(signature, digest, txt);
        if (checked.verdict == Verdict::Pass) break;
    }
    return checked;
}

}  // namespace gk::mailauth::dkim
