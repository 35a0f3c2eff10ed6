// SPDX-License-Identifier: MIT
#include "common/mailauth/dkim/verify.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/mailauth/dkim/tags.hpp"
#include "common/mailauth/domain.hpp"

namespace gk::mailauth::dkim {
namespace {

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

Verification::Verification(std::int64_t now_s, const Limits& limits)
    : now_s_(now_s), limits_(limits), keys_(limits.keys) {}

// The header is whole: what its signatures need of the body is known from here on.
void Verification::begin(const HeaderFields& fields, BodyHashes& bodies) {
    const auto* positions = fields.named("dkim-signature");
    if (!positions) return;
    for (const std::size_t position : *positions) {
        if (pending_.size() == limits_.signatures) break;
        Pending& pending = pending_.emplace_back();
        pending.field = position;
        const auto value = fields.all()[position].value;
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
        pending.body = bodies.add(signature->body_canon, signature->body_length);
        pending.signature = std::move(*signature);
    }
}

std::vector<std::string> Verification::key_names() const {
    std::vector<std::string> names;
    for (const auto& pending : pending_)
        if (pending.signature) names.push_back(pending.signature->key_name());
    return names;
}

Verdict accepted(const Signature& signature, const BodyHashes::Digest& body, std::int64_t now_s, const Limits& limits,
                 std::string& reason) {
    const auto now = static_cast<std::uint64_t>(std::max<std::int64_t>(now_s, 0));
    const auto skew = static_cast<std::uint64_t>(limits.clock_skew_s);
    if (signature.expires_s && *signature.expires_s < now - std::min(now, skew)) reason = "the signature has expired";
    else if (signature.timestamp_s && *signature.timestamp_s > now + skew) reason = "the signature is from the future";
    else if (body.hashed < body.whole && !limits.accept_partial_body)
        reason = fmt::format("{} octets of the body are past l=", body.whole - body.hashed);
    else return Verdict::Pass;
    return Verdict::Policy;
}

void Verification::check(Pending& pending, const StreamedMessage& message, DnsSource& dns) {
    const Signature& signature = *pending.signature;
    Verified& verified = pending.verified;
    const auto& body = message.bodies().of(pending.body);
    if (signature.body_length && *signature.body_length > body.whole)
        return conclude(verified, Verdict::Fail, "the body is shorter than l=");
    if (body.digest != signature.body_hash) return conclude(verified, Verdict::Fail, "the body was changed");
    const std::string field = without_signature(message.fields().all()[pending.field].whole);
    const auto checked =
        keys_.check(signature, header_digest(message.fields(), signature.headers, field, signature.header_canon), dns);
    conclude(verified, checked.verdict, checked.reason);
    verified.key_bits = checked.key_bits;
    verified.testing = checked.testing;
    if (verified.verdict == Verdict::Pass)
        verified.verdict = accepted(signature, body, now_s_, limits_, verified.reason);
}

std::vector<Verified> Verification::finish(const StreamedMessage& message, DnsSource& dns) {
    if (message.too_large()) {
        Verified verified;
        conclude(verified, Verdict::PermError,
                 fmt::format("the header is larger than {} octets", limits_.header_octets));
        return {verified};
    }
    std::vector<Verified> out;
    for (auto& pending : pending_) {
        if (pending.signature) check(pending, message, dns);
        out.push_back(std::move(pending.verified));
    }
    return out;
}

Verifier::Verifier(std::int64_t now_s, const Limits& limits)
    : verification_(now_s, limits),
      message_(limits.header_octets,
               [this](const HeaderFields& fields, BodyHashes& bodies) { verification_.begin(fields, bodies); }) {}

std::vector<Verified> Verifier::finish(DnsSource& dns) {
    message_.finish();
    return verification_.finish(message_, dns);
}

}  // namespace gk::mailauth::dkim
