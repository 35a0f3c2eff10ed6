// SPDX-License-Identifier: MIT
#include "common/base/wire_line.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"

namespace gk {

Result<WireLine> WireLine::parse(std::string_view line, std::size_t most, std::string_view whose) {
    const auto bad = [&](std::string_view what) { return fail(Errc::BadInput, fmt::format("{} {}", whose, what)); };
    if (line.size() > most) return bad("line is too long");
    WireLine out;
    const auto parts = text::split(line, '\t');
    out.verb = parts[0];
    for (std::size_t i = 1; i < parts.size(); ++i) {
        const auto equals = parts[i].find('=');
        if (equals == 0 || equals == std::string_view::npos) return bad("field is not key=value");
        auto value = text::percent_decode(parts[i].substr(equals + 1));
        if (!value) return bad("field is badly encoded");
        if (!out.fields.emplace(parts[i].substr(0, equals), std::move(*value)).second)
            return bad("field is given twice");
    }
    return out;
}

// Fields that nobody asks for are skipped, so that one side may be newer.
Result<std::string> WireLine::need(std::string_view key) const {
    const auto found = fields.find(key);
    if (found == fields.end())
        return fail(Errc::BadInput, fmt::format("{} without {}", text::printable(verb, 20), key));
    return found->second;
}

std::string WireLine::maybe(std::string_view key) const {
    const auto found = fields.find(key);
    return found == fields.end() ? std::string() : found->second;
}

Result<std::optional<std::string>> WireLine::maybe_bytes(std::string_view key) const {
    const auto found = fields.find(key);
    if (found == fields.end()) return std::optional<std::string>();
    auto bytes = text::from_base64(found->second);
    if (!bytes) return fail(Errc::BadInput, fmt::format("{} is not base64", key));
    return bytes;
}

void add_wire_field(std::string& line, std::string_view key, std::string_view value) {
    line += '\t';
    line += key;
    line += '=';
    line += text::percent_encode(value);
}

void add_wire_bytes(std::string& line, std::string_view key, std::string_view bytes) {
    add_wire_field(line, key, text::to_base64(bytes));
}

}  // namespace gk
