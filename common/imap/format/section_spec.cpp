// SPDX-License-Identifier: MIT
#include "common/base/text.hpp"
#include "common/imap/format/section.hpp"

namespace gk::imap {

namespace {

struct Named {
    std::string_view name;
    Section::Text text;
};
constexpr Named kTexts[] = {{"HEADER", Section::Text::Header},
                            {"HEADER.FIELDS", Section::Text::HeaderFields},
                            {"HEADER.FIELDS.NOT", Section::Text::HeaderFieldsNot},
                            {"TEXT", Section::Text::Text},
                            {"MIME", Section::Text::Mime}};

bool takes_fields(Section::Text text) noexcept {
    return text == Section::Text::HeaderFields || text == Section::Text::HeaderFieldsNot;
}

bool is_astring_char(char c) noexcept {
    return static_cast<unsigned char>(c) > 0x20 && c != 0x7F &&
           std::string_view("(){%*\"\\").find(c) == std::string_view::npos;
}

// header-list: "(" header-fld-name *(SP header-fld-name) ")"
std::optional<std::vector<std::string>> parse_fields(std::string_view s) {
    if (s.size() < 3 || s.front() != '(' || s.back() != ')') return std::nullopt;
    s = s.substr(1, s.size() - 2);
    std::vector<std::string> fields;
    while (true) {
        std::string name;
        if (!s.empty() && s[0] == '"') {
            std::size_t i = 1;
            for (; i < s.size() && s[i] != '"'; ++i) {
                if (s[i] == '\\' && ++i == s.size()) return std::nullopt;
                name += s[i];
            }
            if (i >= s.size()) return std::nullopt;
            s.remove_prefix(i + 1);
        } else {
            std::size_t n = 0;
            while (n < s.size() && is_astring_char(s[n])) ++n;
            name = s.substr(0, n);
            s.remove_prefix(n);
        }
        if (name.empty() || fields.size() == kMaxSectionFields) return std::nullopt;
        fields.push_back(std::move(name));
        if (s.empty()) return fields;
        if (s[0] != ' ') return std::nullopt;
        s.remove_prefix(1);
    }
}

}  // namespace

std::optional<Section> parse_section(std::string_view spec) {
    Section section;
    while (!spec.empty() && text::is_digit(spec[0])) {
        const std::size_t dot = spec.find('.');
        const auto number = text::to_uint(spec.substr(0, dot));
        if (!number || *number == 0 || *number > 0xFFFFFFFF || spec[0] == '0' ||
            section.part.size() == kMaxSectionDepth)
            return std::nullopt;
        section.part.push_back(static_cast<std::uint32_t>(*number));
        if (dot == std::string_view::npos) return section;
        spec.remove_prefix(dot + 1);
        if (spec.empty()) return std::nullopt;
    }
    if (spec.empty()) return section;
    const std::size_t space = spec.find(' ');
    const std::string_view word = spec.substr(0, space);
    for (const Named& named : kTexts) {
        if (!text::equals_nocase(named.name, word)) continue;
        section.text = named.text;
        if (named.text == Section::Text::Mime && section.part.empty()) return std::nullopt;
        if (takes_fields(named.text) != (space != std::string_view::npos)) return std::nullopt;
        if (!takes_fields(named.text)) return section;
        auto fields = parse_fields(spec.substr(space + 1));
        if (!fields) return std::nullopt;
        section.fields = std::move(*fields);
        return section;
    }
    return std::nullopt;
}

std::string format_section(const Section& section) {
    std::string out;
    for (const std::uint32_t number : section.part) {
        if (!out.empty()) out += '.';
        out += std::to_string(number);
    }
    for (const Named& named : kTexts) {
        if (named.text != section.text) continue;
        if (!out.empty()) out += '.';
        out += named.name;
    }
    if (!takes_fields(section.text)) return out;
    char before = '(';
    out += ' ';
    for (const std::string& field : section.fields) {
        out += before;
        before = ' ';
        bool atom = !field.empty();
        for (const char c : field)
            atom = atom && is_astring_char(c) && c != ']' && static_cast<unsigned char>(c) < 0x80;
        if (atom) {
            out += field;
            continue;
        }
        out += '"';
        for (const char c : field) {
            if (c == '"' || c == '\\') out += '\\';
            out += static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7E ? '?' : c;
        }
        out += '"';
    }
    return out += ')';
}

}  // namespace gk::imap
