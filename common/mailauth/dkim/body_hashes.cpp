// SPDX-License-Identifier: MIT
#include "common/mailauth/dkim/body_hashes.hpp"

namespace gk::mailauth {

std::size_t BodyHashes::add(Canon canon, std::optional<std::uint64_t> length) {
    for (std::size_t i = 0; i < slots_.size(); ++i)
        if (slots_[i].canon == canon && slots_[i].length == length) return i;
    slots_.push_back({canon, length, Sha256(), {}});
    auto& canonicaliser = canon == Canon::Simple ? simple_ : relaxed_;
    if (!canonicaliser) canonicaliser = std::make_unique<BodyCanonicaliser>(canon);
    return slots_.size() - 1;
}

void BodyHashes::take(Canon canon, std::string_view bytes) {
    for (auto& slot : slots_) {
        if (slot.canon != canon) continue;
        slot.result.whole += bytes.size();
        const std::uint64_t wanted = slot.length.value_or(UINT64_MAX) - slot.result.hashed;
        const auto now = bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(wanted, bytes.size())));
        slot.hash.update(now);
        slot.result.hashed += now.size();
    }
}

void BodyHashes::feed(std::string_view bytes) {
    if (simple_) simple_->feed(bytes, [this](std::string_view out) { take(Canon::Simple, out); });
    if (relaxed_) relaxed_->feed(bytes, [this](std::string_view out) { take(Canon::Relaxed, out); });
}

void BodyHashes::finish() {
    if (simple_) simple_->finish([this](std::string_view out) { take(Canon::Simple, out); });
    if (relaxed_) relaxed_->finish([this](std::string_view out) { take(Canon::Relaxed, out); });
    for (auto& slot : slots_) slot.result.digest = slot.hash.digest();
}

}  // namespace gk::mailauth
