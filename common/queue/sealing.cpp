// SPDX-License-Identifier: MIT
#include "common/queue/sealing.hpp"

#include <algorithm>

#include "common/base/text.hpp"
#include "common/mailauth/arc/forward.hpp"
#include "common/mailauth/domain.hpp"
#include "common/message/header.hpp"

namespace gk::queue {
namespace {

namespace arc = mailauth::arc;

Signatures unsealed(std::string domain, std::string why) { return {{}, std::move(domain), std::move(why)}; }

// gk-deliver puts the alias in front.
std::string alias_domain(std::string_view header) {
    const auto alias = message::find_field(header, "Delivered-To");
    if (!alias) return {};
    const auto address = text::trim(*alias);
    const auto at = address.rfind('@');
    return at == std::string_view::npos ? std::string() : mailauth::dns_domain(address.substr(at + 1));
}

}  // namespace

bool is_passed_on(const Envelope& envelope) noexcept { return !is_ours_to_sign(envelope); }

Result<Signatures> seal_message(const smtp_client::Source& message, const SealingSettings& settings,
                                dkim_client::ClientPool& pool, TimePoint when) {
    GK_TRY(std::string begin, read_header(message));
    const auto header = std::string_view(begin).substr(0, message::header_length(begin));
    const auto recorded = arc::recorded_results(header, settings.ids);
    if (!recorded) return unsealed({}, recorded.error().text);
    if (!recorded->status) return unsealed({}, "what its chain was when it came is not known");
    const std::string domain = settings.domain.empty() ? alias_domain(header) : settings.domain;
    if (domain.empty()) return unsealed({}, "no domain of ours passes it on");
    auto keys = dkim_client::nearest_signing_keys(pool, domain);
    if (!keys) return unsealed(domain, keys.error().text);
    if (keys->empty()) return unsealed(domain, "no active key");
    // RFC 8617 knows RSA alone: an Ed25519 seal is what some receivers cannot check.
    auto key = std::find_if(keys->begin(), keys->end(),
                            [](const auto& each) { return each.algorithm == mailauth::Algorithm::RsaSha256; });
    if (key == keys->end()) key = keys->begin();

    arc::Sealer sealer({.timestamp_s = to_unix_s(when)});
    GK_TRY(const bool regular,
           read_pieces(message, std::move(begin), [&](std::string_view bytes) { sealer.feed(bytes); }));
    if (!regular) return unsealed(key->domain, "bare CR or LF in the message");
    auto fields = sealer.finish(*key, recorded->payload, *recorded->status);
    if (!fields) return unsealed(key->domain, fields.error().text);
    return Signatures{std::move(*fields), key->domain, {}};
}

}  // namespace gk::queue
