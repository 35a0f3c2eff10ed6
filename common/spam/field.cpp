// SPDX-License-Identifier: MIT
#include "common/spam/field.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <cstdlib>

#include "common/base/text.hpp"
#include "common/message/header.hpp"

namespace gk::spam {

namespace {

constexpr std::size_t kMostReason = 60;

// A feature as it may stand between quotes.
std::string harmless(std::string_view feature) {
    std::string out;
    for (const char c : feature.substr(0, kMostReason))
        out += c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != ',' ? c : c == ' ' ? ' ' : '?';
    return out;
}

}  // namespace

std::string format_field(const Judgement& judgement) {
    std::string out = fmt::format("{}: {}; score={:.4f}", kFieldName, verdict_name(judgement.verdict), judgement.score);
    if (!judgement.reasons.empty()) out += ";\r\n\treasons=\"";
    for (std::size_t i = 0; i < judgement.reasons.size(); ++i) {
        const Reason& reason = judgement.reasons[i];
        out += fmt::format("{}{} {:+.2f}", i == 0 ? "" : ",\r\n\t ", harmless(reason.feature), reason.weight);
    }
    if (!judgement.reasons.empty()) out += '"';
    return out + "\r\n";
}

std::optional<Told> read_field(std::string_view message) {
    message::FieldReader reader(message.substr(0, message::header_length(message)));
    for (message::Field field; reader.next(field);) {
        if (text::equals_nocase(field.name, "Received")) return {};
        if (!text::equals_nocase(field.name, kFieldName)) continue;
        const std::string value = message::unfold(field.value);
        Told told;
        const std::string_view verdict = text::trim(std::string_view(value).substr(0, value.find(';')));
        told.verdict = verdict == "spam" ? Verdict::Spam : verdict == "ham" ? Verdict::Ham : Verdict::Unsure;
        const std::size_t score = value.find("score=");
        if (score == std::string::npos) return {};
        told.score = std::clamp(std::strtod(value.c_str() + score + 6, nullptr), 0.0, 1.0);
        return told;
    }
    return {};
}

std::optional<std::string> without_field(std::string_view message) {
    const std::size_t end = message::header_length(message);
    if (message::count_fields(message.substr(0, end), kFieldName) == 0) return {};
    std::string out;
    out.reserve(message.size());
    message::FieldReader reader(message.substr(0, end));
    for (message::Field field; reader.next(field);)
        if (!text::equals_nocase(field.name, kFieldName)) out += field.whole;
    out += message.substr(reader.position());
    return out;
}

}  // namespace gk::spam
