// SPDX-License-Identifier: MIT
#include "common/mailauth/dkim/verify.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/mailauth/dkim/key_record.hpp"
#include "common/mailauth/dkim/tags.hpp"
#include "common/mailauth/domain.hpp"

namespace gk::mailauth::dkim {
namespace {

constexpr std::size_t kMaxKeyRecords = 4;  // at one name; 3.6.2.2 leaves open what several mean

void conclude(Verified& verified, Verdict verdict, std::string reason) {
    verified.verdict = verdict;
    verified.reason = std::move(reason);
}

// What can be told of a signature that is malformed, so that reports can name it.
void salvage(std::string_view value, Verified& verified) {
    const auto tags = TagList::parse(value);
    if (!tags) return;
    if (const auto* domain = tags->find("d")) verified.domain = dns_domain(*domain);
    if (const auto* selector = tags->find("s")) verified.selector = text::printable(*selector, 63);
    if (const auto* algorithm = tags->find("a")) verified.algorithm = text::printable(*algorithm, 40);
    if (const auto* signature = tags->find("b"))
        verified.signature_start = text::printable(without_white_space(*signature).substr(0, 8));
}

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

Verifier::Verifier(std::int64_t now_s, const Limits& limits)
    : now_s_(now_s), limits_(limits), splitter_(limits.header_octets) {}

void Verifier::feed(std::string_view bytes) {
    const bool before = splitter_.in_body();
    const auto body = splitter_.feed(bytes);
    if (!before && splitter_.in_body()) begin_body();
    if (!body.empty() && !pending_.empty()) bodies_.feed(body);
}

// The header is whole: what its signatures need of the body is known from here on.
void Verifier::begin_body() {
    fields_.emplace(splitter_.header());
    const auto* positions = fields_->named("dkim-signature");
    if (!positions) return;
    for (const std::size_t position : *positions) {
        if (pending_.size() == limits_.signatures) break;
        Pending& pending = pending_.emplace_back();
        pending.field = position;
        const auto value = fields_->all()[position].value;
        salvage(value, pending.verified);
        auto signature = parse_signature(value);
        if (!signature) {
            conclude(pending.verified, Verdict::Neutral, signature.error().text);
            continue;
        }
        pending.verified.domain = signature->domain;
        pending.verified.selector = signature->selector;
        pending.verified.identity = text::printable(signature->identity, 320);
        pending.verified.algorithm = signature->algorithm_name;
        pending.verified.headers = signature->headers;
        if (!signature->algorithm) {
            const bool sha1 = signature->algorithm_name == "rsa-sha1";
            conclude(pending.verified, sha1 ? Verdict::PermError : Verdict::Neutral,
                     sha1 ? "rsa-sha1 is not accepted any more (RFC 8301)"
                          : fmt::format("unknown algorithm {}", signature->algorithm_name));
            continue;
        }
        pending.body = bodies_.add(signature->body_canon, signature->body_length);
        pending.signature = std::move(*signature);
    }
}

const Verifier::Key& Verifier::key_of(const Signature& signature, DnsSource& dns) {
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

bool Verifier::try_key(Pending& pending, const std::string& txt, const std::string& digest) {
    Verified& verified = pending.verified;
    const Signature& signature = *pending.signature;
    const auto refuse = [&](std::string reason) {
        conclude(verified, Verdict::PermError, "key: " + std::move(reason));
        return false;
    };
    const auto record = parse_key_record(txt);
    if (!record) return refuse(record.error().text);
    verified.testing = record->testing;
    if (record->revoked()) return refuse("revoked");
    if (record->type != key_type_name(*signature.algorithm))
        return refuse(fmt::format("of type {}", text::printable(record->type, 20)));
    if (!record->permits_sha256()) return refuse("not for sha256");
    if (!record->permits_mail()) return refuse("not for mail");
    if (record->strict && signature.identity_domain != signature.domain)
        return refuse("not for names below the domain (t=s)");
    const auto key = PublicKey::load(*signature.algorithm, record->octets, limits_.most_rsa_bits);
    if (!key) return refuse(key.error().text);
    verified.key_bits = key->bits();
    // RFC 8301, 3.2: such a key proves nothing, whatever the signature says.
    if (*signature.algorithm == Algorithm::RsaSha256 && key->bits() < limits_.least_rsa_bits) {
        conclude(verified, Verdict::Policy,
                 fmt::format("a key of {} bits, fewer than {}", key->bits(), limits_.least_rsa_bits));
        return false;
    }
    if (!key->verifies(digest, signature.signature)) {
        conclude(verified, Verdict::Fail, "the signature does not fit the header");
        return false;
    }
    conclude(verified, Verdict::Pass, fmt::format("{} {} bits", signature.algorithm_name, key->bits()));
    return true;
}

// What passed, and is not accepted all the same.
void Verifier::apply_policy(Pending& pending) {
    const Signature& signature = *pending.signature;
    const auto now = static_cast<std::uint64_t>(std::max<std::int64_t>(now_s_, 0));
    const auto skew = static_cast<std::uint64_t>(limits_.clock_skew_s);
    const auto& body = bodies_.of(pending.body);
    if (signature.expires_s && *signature.expires_s < now - std::min(now, skew))
        conclude(pending.verified, Verdict::Policy, "the signature has expired");
    else if (signature.timestamp_s && *signature.timestamp_s > now + skew)
        conclude(pending.verified, Verdict::Policy, "the signature is from the future");
    else if (body.hashed < body.whole && !limits_.accept_partial_body)
        conclude(pending.verified, Verdict::Policy,
                 fmt::format("{} octets of the body are past l=", body.whole - body.hashed));
}

void Verifier::check(Pending& pending, DnsSource& dns) {
    const Signature& signature = *pending.signature;
    const auto& body = bodies_.of(pending.body);
    if (signature.body_length && *signature.body_length > body.whole)
        return conclude(pending.verified, Verdict::Fail, "the body is shorter than l=");
    if (body.digest != signature.body_hash) return conclude(pending.verified, Verdict::Fail, "the body was changed");
    const Key& key = key_of(signature, dns);
    if (key.verdict != Verdict::Pass) return conclude(pending.verified, key.verdict, key.reason);
    const std::string field = without_signature(fields_->all()[pending.field].whole);
    const std::string digest = header_digest(*fields_, signature.headers, field, signature.header_canon);
    for (const auto& txt : key.records)
        if (try_key(pending, txt, digest)) return apply_policy(pending);
}

std::vector<Verified> Verifier::finish(DnsSource& dns) {
    if (splitter_.too_large()) {
        Verified verified;
        conclude(verified, Verdict::PermError,
                 fmt::format("the header is larger than {} octets", limits_.header_octets));
        return {verified};
    }
    // A message may end with its header (RFC 5322, 3.5).
    if (!splitter_.in_body()) begin_body();
    bodies_.finish();
    std::vector<Verified> out;
    for (auto& pending : pending_) {
        if (pending.signature) check(pending, dns);
        out.push_back(std::move(pending.verified));
    }
    return out;
}

}  // namespace gk::mailauth::dkim
