// SPDX-License-Identifier: MIT
#include "common/base/text.hpp"
#include "common/config/check.hpp"
#include "common/config/config.hpp"
#include "common/config/document.hpp"

namespace gk::config {

namespace {

std::string written_value(const Setting& setting, std::string_view value, const Checked& checked) {
    switch (setting.type) {
        case Type::Boolean: return checked.boolean ? "true" : "false";
        case Type::Integer: return std::to_string(checked.number);
        case Type::StringList: {
            std::vector<std::string> items;
            for (const auto& item : checked.list) items.push_back(quoted(item));
            return "[" + text::join(items, ", ") + "]";
        }
        default: return quoted(value);
    }
}

// The byte offset of a place that toml++ gave; its columns count code points.
std::size_t offset_of(std::string_view toml, Position at) {
    std::size_t i = 0;
    for (std::uint32_t line = 1; line < at.line; ++line) {
        const std::size_t end = toml.find('\n', i);
        if (end == std::string_view::npos) return toml.size();
        i = end + 1;
    }
    for (std::uint32_t column = 1; column < at.column && i < toml.size(); ++column) {
        ++i;
        while (i < toml.size() && (static_cast<unsigned char>(toml[i]) & 0xC0) == 0x80) ++i;
    }
    return i;
}

// The end of the line "[SECTION]", or npos.
std::size_t after_header(std::string_view toml, std::string_view section) {
    std::size_t start = 0;
    while (start < toml.size()) {
        std::size_t end = toml.find('\n', start);
        end = end == std::string_view::npos ? toml.size() : end + 1;
        std::string_view line = text::trim(toml.substr(start, end - start));
        if (const auto comment = line.find('#'); comment != std::string_view::npos)
            line = text::trim(line.substr(0, comment));
        if (line.size() > 2 && line.front() == '[' && line.back() == ']' &&
            text::trim(line.substr(1, line.size() - 2)) == section)
            return end;
        start = end;
    }
    return std::string_view::npos;
}

}  // namespace

std::string quoted(std::string_view s) {
    std::string out = "\"";
    for (const char c : s) {
        if (c == '"' || c == '\\') out += '\\', out += c;
        else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
            out += fmt::format("\\u{:04X}", static_cast<unsigned char>(c));
        else out += c;
    }
    return out + '"';
}

std::string written_duration(std::int64_t seconds) {
    for (const auto& [unit, name] : {std::pair<std::int64_t, char>{86400, 'd'}, {3600, 'h'}, {60, 'm'}})
        if (seconds != 0 && seconds % unit == 0) return fmt::format("{}{}", seconds / unit, name);
    return fmt::format("{}s", seconds);
}

std::string unknown_setting(std::string_view key) { return unknown(key, false); }

Result<std::string> with_setting(std::string_view toml, std::string_view key, std::string_view value) {
    std::string section, name, written;
    if (const Setting* setting = find_setting(key)) {
        if (setting->type == Type::Table)
            return fail(Errc::Config, fmt::format("'{0}' is a table: name the entry too, as in '{0}.NAME'", key));
        GK_TRY(const auto checked, check_text(*setting, value, ','));
        section = key.substr(0, key.rfind('.'));
        name = key.substr(key.rfind('.') + 1);
        written = written_value(*setting, value, checked);
    } else {
        for (const Setting& table : settings())
            if (table.type == Type::Table && key.size() > table.key.size() + 1 && key.starts_with(table.key + "."))
                section = table.key;
        if (section.empty()) return fail(Errc::Config, unknown(key, false));
        name = quoted(key.substr(section.size() + 1));
        written = quoted(value);
    }
    GK_TRY(const auto entries, read_document(toml, "gk.toml"));
    std::string out(toml);
    for (const Entry& entry : entries) {
        if (entry.key() != key || std::holds_alternative<IsTable>(entry.value)) continue;
        const std::size_t begin = offset_of(toml, entry.begin), end = offset_of(toml, entry.end);
        out.replace(begin, end - begin, written);
        GK_CHECK(Config::parse(out));
        return out;
    }
    const std::string line = name + " = " + written + "\n";
    std::size_t at = after_header(out, section);
    if (at != std::string::npos) {
        out.insert(at, at > 0 && out[at - 1] != '\n' ? "\n" + line : line);
    } else {
        if (!out.empty() && out.back() != '\n') out += '\n';
        out += (out.empty() ? "[" : "\n[") + section + "]\n" + line;
    }
    GK_CHECK(Config::parse(out));
    return out;
}

}  // namespace gk::config
