// SPDX-License-Identifier: MIT
#include <algorithm>

#include "common/base/text.hpp"
#include "common/message/fields.hpp"

namespace gk::message {

namespace {

bool is_token(std::string_view s) noexcept {
    return !s.empty() && std::all_of(s.begin(), s.end(), [](char c) {
        return static_cast<unsigned char>(c) > 0x20 && c != 0x7F &&
               std::string_view("()<>@,;:\\\"/[]?=").find(c) == std::string_view::npos;
    });
}

void set_type(Part& part, std::string_view value) {
    if (part.has_type) return;
    Structured parsed = parse_structured(value);
    const std::size_t slash = parsed.value.find('/');
    const std::string_view whole = parsed.value;
    const std::string_view type = whole.substr(0, slash);
    const std::string_view subtype = slash == std::string_view::npos ? std::string_view() : whole.substr(slash + 1);
    // RFC 2045, 5.2: what cannot be read is text/plain. A bare "text" (RFC 1049) is that too.
    if (!is_token(type) || (!is_token(subtype) && slash != std::string_view::npos) ||
        (subtype.empty() && type != "text"))
        return;
    part.type = type;
    part.subtype = subtype.empty() ? std::string_view("plain") : subtype;
    part.parameters = std::move(parsed.parameters);
    part.has_type = true;
}

void set_languages(Part& part, std::string_view value) {
    const std::string plain = without_comments(value);
    for (const std::string_view tag : text::split(plain, ',')) {
        const std::string_view language = text::trim(tag);
        if (!language.empty() && part.languages.size() < 100) part.languages.emplace_back(language);
    }
}

void set_disposition(Part& part, std::string_view value) {
    if (part.disposition) return;
    Structured parsed = parse_structured(value);
    if (parsed.value.empty()) return;
    part.disposition = std::move(parsed.value);
    part.disposition_parameters = std::move(parsed.parameters);
}

}  // namespace

void add_to_part(Part& part, const Field& field, const Limits& limits) {
    if (field.name.size() < 10 || !text::starts_with_nocase(field.name, "Content-")) return;
    const std::string_view name = field.name.substr(8);
    const std::string_view value = field.value.substr(0, limits.header_line);
    const auto is = [&](std::string_view wanted) { return text::equals_nocase(name, wanted); };
    const auto set = [&](std::optional<std::string>& slot) {
        if (!slot) slot = unfold(value);
    };
    if (is("Type")) {
        set_type(part, value);
    } else if (is("Transfer-Encoding")) {
        // "7bit", but also "base64; charset=x" and "8bit (as is)" are seen.
        if (part.encoding.empty()) part.encoding = parse_structured(value).value;
    } else if (is("ID")) {
        set(part.id);
    } else if (is("Description")) {
        set(part.description);
    } else if (is("Disposition")) {
        set_disposition(part, value);
    } else if (is("Language")) {
        if (part.languages.empty()) set_languages(part, value);
    } else if (is("Location")) {
        set(part.location);
    } else if (is("MD5")) {
        set(part.md5);
    }
}

}  // namespace gk::message
