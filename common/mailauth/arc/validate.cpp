// SPDX-License-Identifier: MIT
#include "common/mailauth/arc/validate.hpp"

#include <fmt/format.h>

namespace gk::mailauth::arc {
namespace {

constexpr std::size_t kNotHashed = static_cast<std::size_t>(-1);
// Message signatures that differ in how they want the body hashed; older ones past it count as broken.
constexpr std::size_t kMostBodies = 4;

Chain& conclude(Chain& chain, unsigned instance, std::string_view field, const dkim::KeyRing::Checked& checked) {
    chain.status = Status::Fail;
    chain.temporary = checked.verdict == dkim::Verdict::TempError;
    chain.reason = fmt::format("{} i={}: {}", field, instance, checked.reason);
    return chain;
}

}  // namespace

void SealDigest::add(std::string_view field) { hash_.update(canonical_field(field, Canon::Relaxed)); }

std::string SealDigest::with(std::string_view seal) const {
    Sha256 hash = hash_.copy();
    hash.update(canonical_field(seal, Canon::Relaxed, false));
    return hash.digest();
}

Validation::Validation(std::int64_t now_s, const Limits& limits) : now_s_(now_s), limits_(limits), keys_(limits.keys) {}

void Validation::begin(const HeaderFields& fields, BodyHashes& bodies) {
    sets_ = find_sets(fields);
    bodies_.assign(sets_.sets.size(), kNotHashed);
    std::vector<std::size_t> different;
    for (std::size_t i = sets_.sets.size(); i > 0; --i) {
        const auto& signature = sets_.sets[i - 1].message_signature;
        if (i < sets_.sets.size() && !limits_.find_oldest_pass) break;
        if (different.size() == kMostBodies) break;
        const auto number = bodies.add(signature.body_canon, signature.body_length);
        if (std::find(different.begin(), different.end(), number) == different.end()) different.push_back(number);
        bodies_[i - 1] = number;
    }
}

std::vector<std::string> Validation::key_names() const {
    std::vector<std::string> names;
    for (const auto& set : sets_.sets) {
        names.push_back(set.message_signature.key_name());
        if (set.seal_signature.key_name() != names.back()) names.push_back(set.seal_signature.key_name());
    }
    return names;
}

dkim::KeyRing::Checked Validation::check_message(std::size_t index, const StreamedMessage& message, DnsSource& dns) {
    using dkim::Verdict;
    const dkim::Signature& signature = sets_.sets[index].message_signature;
    if (bodies_[index] == kNotHashed) return {Verdict::Fail, "its body was not looked at", 0, false};
    if (!signature.algorithm)
        return {Verdict::PermError, fmt::format("algorithm {} is not accepted", signature.algorithm_name), 0, false};
    const auto& body = message.bodies().of(bodies_[index]);
    if (signature.body_length && *signature.body_length > body.whole)
        return {Verdict::Fail, "the body is shorter than l=", 0, false};
    if (body.digest != signature.body_hash) return {Verdict::Fail, "the body was changed", 0, false};
    const auto& fields = message.fields();
    const std::string field = dkim::without_signature(fields.all()[sets_.sets[index].message].whole);
    auto checked = keys_.check(signature, header_digest(fields, signature.headers, field, signature.header_canon), dns);
    dkim::Limits limits;
    limits.clock_skew_s = limits_.clock_skew_s;
    if (checked.verdict == Verdict::Pass)
        checked.verdict = dkim::accepted(signature, body, now_s_, limits, checked.reason);
    return checked;
}

// 5.2, step 6. Each seal is over all fields of the sets before it: they are hashed once.
void Validation::check_seals(const StreamedMessage& message, DnsSource& dns, Chain& chain) {
    const auto& all = message.fields().all();
    std::vector<std::string> digests;
    SealDigest digest;
    for (const Set& set : sets_.sets) {
        digest.add(all[set.results].whole);
        digest.add(all[set.message].whole);
        digests.push_back(digest.with(dkim::without_signature(all[set.seal].whole)));
        digest.add(all[set.seal].whole);
    }
    for (std::size_t i = sets_.sets.size(); i > 0; --i) {
        const auto& signature = sets_.sets[i - 1].seal_signature;
        const auto instance = static_cast<unsigned>(i);
        dkim::KeyRing::Checked checked;
        if (!signature.algorithm)
            checked.reason = fmt::format("algorithm {} is not accepted", signature.algorithm_name);
        else if (signature.timestamp_s && *signature.timestamp_s > static_cast<std::uint64_t>(std::max<std::int64_t>(
                                                                       now_s_ + limits_.clock_skew_s, 0)))
            checked.reason = "the seal is from the future";
        else checked = keys_.check(signature, digests[i - 1], dns);
        if (checked.verdict != dkim::Verdict::Pass) {
            conclude(chain, instance, "ARC-Seal", checked);
            return;
        }
    }
}

// 5.2, step 5.
unsigned Validation::oldest_pass(const StreamedMessage& message, DnsSource& dns) {
    const std::size_t size = sets_.sets.size();
    std::size_t octets = 0;
    for (std::size_t i = size - 1; i > 0; --i) {
        octets += message.header().size();
        if (octets > limits_.oldest_pass_octets || check_message(i - 1, message, dns).verdict != dkim::Verdict::Pass)
            return static_cast<unsigned>(i + 1);
    }
    return 0;
}

Chain Validation::finish(const StreamedMessage& message, DnsSource& dns) {
    Chain chain;
    if (message.too_large()) {
        chain.status = Status::Fail;
        chain.reason = fmt::format("the header is larger than {} octets", limits_.header_octets);
        return chain;
    }
    chain.status = sets_.status;
    chain.reason = sets_.reason;
    if (sets_.status != Status::Pass) return chain;
    for (const Set& set : sets_.sets)
        chain.links.push_back(
            {set.seal_signature.domain, set.seal_signature.selector, set.message_signature.domain, set.payload});
    const std::size_t size = sets_.sets.size();
    if (const auto checked = check_message(size - 1, message, dns); checked.verdict != dkim::Verdict::Pass)
        return conclude(chain, static_cast<unsigned>(size), "ARC-Message-Signature", checked);
    check_seals(message, dns, chain);
    if (chain.status != Status::Pass) return chain;
    if (limits_.find_oldest_pass) chain.oldest_pass = oldest_pass(message, dns);
    chain.reason = fmt::format("{} set{}, sealed by {}", size, size == 1 ? "" : "s", chain.links.back().domain);
    return chain;
}

Validator::Validator(std::int64_t now_s, const Limits& limits)
    : validation_(now_s, limits),
      message_(limits.header_octets,
               [this](const HeaderFields& fields, BodyHashes& bodies) { validation_.begin(fields, bodies); }) {}

Chain Validator::finish(DnsSource& dns) {
    message_.finish();
    return validation_.finish(message_, dns);
}

}  // namespace gk::mailauth::arc
