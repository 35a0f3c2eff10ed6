// SPDX-License-Identifier: MIT
#include "common/maildir/annotations.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"

namespace gk::maildir {

namespace {

constexpr std::string_view kHeader = "gk-metadata 1";

}  // namespace

bool is_annotation_name(std::string_view name) noexcept {
    const auto after = [&](std::string_view front) {
        return text::starts_with_nocase(name, front) && name.size() > front.size();
    };
    if (!after("/private/") && !after("/shared/")) return false;
    if (name.ends_with('/') || name.find("//") != std::string_view::npos) return false;
    for (const char c : name)
        if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f || c == '*' || c == '%')
            return false;
    return true;
}

Annotations parse_annotations(std::string_view bytes) {
    Annotations annotations;
    for (const auto line : text::split(bytes, '\n')) {
        const auto space = line.find(' ');
        if (space == std::string_view::npos || line == kHeader) continue;
        const auto name = text::percent_decode(line.substr(0, space));
        const auto value = text::percent_decode(line.substr(space + 1));
        if (name && value && is_annotation_name(*name)) annotations.insert_or_assign(text::lower(*name), *value);
    }
    return annotations;
}

std::string format_annotations(const Annotations& annotations) {
    std::string out = std::string(kHeader) + '\n';
    for (const auto& [name, value] : annotations)
        out += fmt::format("{} {}\n", text::percent_encode(name), text::percent_encode(value));
    return out;
}

}  // namespace gk::maildir
