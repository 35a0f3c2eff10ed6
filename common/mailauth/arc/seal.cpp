// SPDX-License-Identifier: MIT
#include "common/mailauth/arc/seal.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/text.hpp"
#include "common/mailauth/arc/validate.hpp"
#include "common/mailauth/dkim/tags.hpp"

namespace gk::mailauth::arc {
namespace {

constexpr auto kCanon = Canon::Relaxed;

// The highest instance that any seal claims, sound or not, and whether its seal has ended the chain.
struct Highest {
    unsigned instance = 0;
    bool ended = false;
};
Highest highest_instance(const HeaderFields& fields) {
    Highest highest;
    const auto* positions = fields.named("arc-seal");
    if (!positions) return highest;
    for (const auto position : *positions) {
        const auto tags = TagList::parse(fields.all()[position].value);
        const auto* digits = tags ? tags->find("i") : nullptr;
        const auto instance = digits ? dkim::parse_instance(*digits) : std::nullopt;
        if (!instance || *instance < highest.instance) continue;
        const auto* cv = tags->find("cv");
        highest = {*instance, cv != nullptr && text::equals_nocase(*cv, status_name(Status::Fail))};
    }
    return highest;
}

std::string sign_field(std::string field, std::string_view signature) {
    return std::move(field) + dkim::folded_base64(signature) + "\r\n";
}

}  // namespace

Sealer::Sealer(SealOptions options) : options_(std::move(options)), splitter_(options_.header_octets) {
    body_.add(kCanon);
}

void Sealer::feed(std::string_view bytes) {
    const auto body = splitter_.feed(bytes);
    if (!body.empty()) body_.feed(body);
}

Result<std::string> Sealer::finish(const dkim::SignWith& key, std::string_view payload, Status cv) {
    if (splitter_.too_large())
        return fail(Errc::BadInput, fmt::format("the header is larger than {} octets", options_.header_octets));
    const HeaderFields fields(splitter_.header());
    if (fields.count("from") == 0) return fail(Errc::BadInput, "the message has no From field");
    body_.finish();

    const auto highest = highest_instance(fields);
    if (highest.ended) return fail(Errc::Exists, "the chain has ended with cv=fail");
    if (highest.instance >= kMostSets) return fail(Errc::Exists, fmt::format("the chain has {} sets", kMostSets));
    if ((highest.instance == 0) != (cv == Status::None))
        return fail(Errc::BadInput,
                    fmt::format("cv={} does not go with a chain of {} sets", status_name(cv), highest.instance));
    const auto sets = find_sets(fields);
    if (cv == Status::Pass && sets.status != Status::Pass) return fail(Errc::BadInput, "cv=pass: " + sets.reason);
    const unsigned instance = highest.instance + 1;

    const std::string results = fmt::format("ARC-Authentication-Results: i={}; {}\r\n", instance, payload);

    std::vector<std::string> wanted = options_.headers;
    if (wanted.empty()) {
        wanted = dkim::default_headers();
        wanted.push_back("dkim-signature");
    }
    std::string message = fmt::format("ARC-Message-Signature: i={}; a={}; c={}/{};\r\n\td={}; s={}; t={};\r\n",
                                      instance, algorithm_name(key.algorithm), canon_name(kCanon), canon_name(kCanon),
                                      key.domain, key.selector, options_.timestamp_s);
    const auto names = dkim::names_to_sign(fields, wanted, {"from"});
    message += dkim::folded_names(names) + fmt::format("\tbh={};\r\n\tb=", text::to_base64(body_.of(0).digest));
    GK_TRY(const std::string message_signature, key.sign(header_digest(fields, names, message, kCanon)));
    message = sign_field(std::move(message), message_signature);

    std::string seal =
        fmt::format("ARC-Seal: i={}; a={}; cv={};\r\n\td={}; s={}; t={};\r\n\tb=", instance,
                    algorithm_name(key.algorithm), status_name(cv), key.domain, key.selector, options_.timestamp_s);
    SealDigest digest;
    // 5.1.2: of a chain that has failed the seal covers its own set alone.
    if (cv == Status::Pass)
        for (const Set& set : sets.sets)
            for (const auto position : {set.results, set.message, set.seal}) digest.add(fields.all()[position].whole);
    digest.add(results);
    digest.add(message);
    GK_TRY(const std::string seal_signature, key.sign(digest.with(seal)));
    return sign_field(std::move(seal), seal_signature) + message + results;
}

}  // namespace gk::mailauth::arc
