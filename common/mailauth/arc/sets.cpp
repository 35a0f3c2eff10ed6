// SPDX-License-Identifier: MIT
#include "common/mailauth/arc/sets.hpp"

#include <fmt/format.h>

#include <array>
#include <optional>

#include "common/base/text.hpp"
#include "common/mailauth/dkim/tags.hpp"

namespace gk::mailauth::arc {
namespace {

const std::string kResults = "arc-authentication-results", kMessage = "arc-message-signature", kSeal = "arc-seal";

std::optional<Status> status_named(std::string_view name) noexcept {
    for (const auto status : {Status::None, Status::Pass, Status::Fail})
        if (text::equals_nocase(name, status_name(status))) return status;
    return std::nullopt;
}

Sets failed(std::string reason) { return {Status::Fail, std::move(reason), {}}; }

// Without CFWS: tag-lists have none, but 4.1.1 permits it round the instance.
std::string_view skip_white_space(std::string_view text) noexcept {
    while (!text.empty() && text::is_space(text.front())) text.remove_prefix(1);
    return text;
}

Status cv_of(std::string_view value, bool& readable) {
    const auto tags = TagList::parse(value);
    const auto* cv = tags ? tags->find("cv") : nullptr;
    const auto status = cv ? status_named(*cv) : std::nullopt;
    readable = status.has_value();
    return status.value_or(Status::Fail);
}

}  // namespace

std::string_view status_name(Status status) noexcept {
    switch (status) {
        case Status::None: return "none";
        case Status::Pass: return "pass";
        case Status::Fail: return "fail";
    }
    return "fail";
}

Result<ResultsField> parse_results_field(std::string_view value) {
    const Error malformed{Errc::BadInput, "it does not begin with i=", 0};
    const auto semicolon = value.find(';');
    if (semicolon == std::string_view::npos) return fail(malformed);
    auto tag = skip_white_space(value.substr(0, semicolon));
    if (!tag.starts_with('i')) return fail(malformed);
    tag = skip_white_space(tag.substr(1));
    if (!tag.starts_with('=')) return fail(malformed);
    const auto instance = dkim::parse_instance(text::trim(tag.substr(1)));
    if (!instance) return fail(Errc::BadInput, "i= is malformed");
    return ResultsField{*instance, value.substr(semicolon + 1)};
}

Sets find_sets(const HeaderFields& fields) {
    const std::array<std::size_t, 3> counts = {fields.count(kResults), fields.count(kMessage), fields.count(kSeal)};
    if (counts == std::array<std::size_t, 3>{}) return {};
    // 5.2, step 1, before anything is read: who sends a thousand sets has said enough.
    for (const auto count : counts)
        if (count > kMostSets) return failed(fmt::format("more than {} sets", kMostSets));
    if (counts[0] != counts[1] || counts[1] != counts[2])
        return failed(fmt::format("{} results, {} signatures and {} seals do not make whole sets", counts[0], counts[1],
                                  counts[2]));
    const std::size_t size = counts[0];
    Sets found;
    found.sets.resize(size);
    std::vector<unsigned> seen(size);  // bits: which of the three an instance has
    const auto place = [&](unsigned instance, unsigned bit) -> Set* {
        if (instance > size || (seen[instance - 1] & bit) != 0) return nullptr;
        seen[instance - 1] |= bit;
        return &found.sets[instance - 1];
    };
    const auto no_place = [](std::string_view what, unsigned instance) {
        return failed(fmt::format("{} i={} stands there twice, or leaves a gap", what, instance));
    };
    for (const auto position : *fields.named(kResults)) {
        const auto field = parse_results_field(fields.all()[position].value);
        if (!field) return failed("ARC-Authentication-Results: " + field.error().text);
        Set* set = place(field->instance, 1);
        if (set == nullptr) return no_place("ARC-Authentication-Results", field->instance);
        set->results = position;
        set->payload = field->payload;
    }
    for (const auto position : *fields.named(kMessage)) {
        auto signature = dkim::parse_signature(fields.all()[position].value, dkim::SignatureKind::ArcMessage);
        if (!signature) return failed("ARC-Message-Signature: " + signature.error().text);
        Set* set = place(signature->instance, 2);
        if (set == nullptr) return no_place("ARC-Message-Signature", signature->instance);
        set->message = position;
        set->message_signature = std::move(*signature);
    }
    for (const auto position : *fields.named(kSeal)) {
        const auto value = fields.all()[position].value;
        auto signature = dkim::parse_signature(value, dkim::SignatureKind::ArcSeal);
        if (!signature) return failed("ARC-Seal: " + signature.error().text);
        Set* set = place(signature->instance, 4);
        if (set == nullptr) return no_place("ARC-Seal", signature->instance);
        bool readable = false;
        set->cv = cv_of(value, readable);
        if (!readable) return failed(fmt::format("ARC-Seal i={}: cv= is missing or malformed", signature->instance));
        set->seal = position;
        set->seal_signature = std::move(*signature);
    }
    // Three fields an instance, none twice, none past the number of sets: the sequence has no gap. 5.2, steps 2 and 3
    // C.
    for (std::size_t i = size; i > 0; --i) {
        const Status cv = found.sets[i - 1].cv, wanted = i == 1 ? Status::None : Status::Pass;
        if (cv != wanted) return failed(fmt::format("ARC-Seal i={} says cv={}", i, status_name(cv)));
    }
    found.status = Status::Pass;
    return found;
}

}  // namespace gk::mailauth::arc
