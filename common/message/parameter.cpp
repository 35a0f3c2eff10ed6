// SPDX-License-Identifier: MIT
#include <algorithm>

#include "common/base/text.hpp"
#include "common/charset/charset.hpp"
#include "common/message/header.hpp"

namespace gk::message {

namespace {

struct Segment {
    std::uint64_t number;
    bool encoded;  // "name*0*": percent-encoded
    std::string_view value;
};

// %XX undone; anything else stays (RFC 2231, 4; senders leave spaces and quotes unencoded).
std::string undo_percent(std::string_view s) {
    std::string out;
    const auto digit = [](char c) {
        return c >= '0' && c <= '9'   ? c - '0'
               : c >= 'a' && c <= 'f' ? c - 'a' + 10
               : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                      : -1;
    };
    for (std::size_t i = 0; i < s.size(); ++i) {
        if (s[i] == '%' && i + 2 < s.size() && digit(s[i + 1]) >= 0 && digit(s[i + 2]) >= 0) {
            out += static_cast<char>(digit(s[i + 1]) * 16 + digit(s[i + 2]));
            i += 2;
        } else {
            out += s[i];
        }
    }
    return out;
}

// "charset'language'text": takes the first two off.
std::string_view take_charset(std::string_view& value) noexcept {
    const std::size_t first = value.find('\'');
    if (first == std::string_view::npos) return {};
    const std::size_t second = value.find('\'', first + 1);
    if (second == std::string_view::npos) return {};
    const std::string_view charset = value.substr(0, first);
    value.remove_prefix(second + 1);
    return charset;
}

std::string_view rest_of_name(std::string_view name, std::string_view wanted) noexcept {
    return text::starts_with_nocase(name, wanted) ? name.substr(wanted.size()) : std::string_view("?");
}

}  // namespace

std::string_view raw_parameter(const std::vector<Parameter>& parameters, std::string_view name) noexcept {
    for (const Parameter& p : parameters)
        if (text::equals_nocase(p.name, name)) return p.value;
    return {};
}

std::optional<std::string> find_parameter(const std::vector<Parameter>& parameters, std::string_view name) {
    const Parameter* plain = nullptr;
    std::vector<Segment> segments;
    for (const Parameter& p : parameters) {
        std::string_view rest = rest_of_name(p.name, name);
        if (rest.empty()) {
            if (plain == nullptr) plain = &p;
        } else if (rest == "*") {
            // Both forms present: the extended one is meant for who understands it (RFC 2231, 7; RFC 6266, 4.3).
            std::string_view value = p.value;
            const std::string_view charset = take_charset(value);
            return charset::to_utf8(undo_percent(value), charset);
        } else if (rest[0] == '*') {
            rest.remove_prefix(1);
            const bool encoded = rest.ends_with('*');
            if (encoded) rest.remove_suffix(1);
            if (const auto number = text::to_uint(rest)) segments.push_back({*number, encoded, p.value});
        }
    }
    std::stable_sort(segments.begin(), segments.end(),
                     [](const Segment& a, const Segment& b) { return a.number < b.number; });
    if (!segments.empty() && segments[0].number == 0) {
        std::string_view charset;
        std::string bytes;
        for (std::size_t i = 0; i < segments.size(); ++i) {
            if (segments[i].number != i) break;  // a gap or a repetition: what follows cannot be placed
            std::string_view value = segments[i].value;
            if (i == 0 && segments[i].encoded) charset = take_charset(value);
            if (segments[i].encoded) bytes += undo_percent(value);
            else bytes += value;
        }
        return charset::to_utf8(bytes, charset);
    }
    if (plain == nullptr) return std::nullopt;
    return decode_text(plain->value);
}

std::string file_name(const Part& part) {
    if (auto name = find_parameter(part.disposition_parameters, "filename"); name && !name->empty()) return *name;
    return find_parameter(part.parameters, "name").value_or("");
}

std::string part_number(const Structure& structure, std::uint32_t index) {
    // Walks up. The child of a message, unless a multipart, is its part 1; a multipart there has no number of its own.
    std::vector<std::string> numbers;
    const auto& parts = structure.parts;
    while (index < parts.size()) {
        const Part& part = parts[index];
        const bool is_message_root = part.parent == kNone || parts[part.parent].kind == Part::Kind::Message;
        if (is_message_root) {
            if (part.kind != Part::Kind::Multipart) numbers.emplace_back("1");
        } else {
            std::uint32_t number = 1;
            for (std::uint32_t i = parts[part.parent].first_child; i != index && i != kNone; i = parts[i].next_sibling)
                ++number;
            numbers.push_back(std::to_string(number));
        }
        index = part.parent;
    }
    std::reverse(numbers.begin(), numbers.end());
    return text::join(numbers, ".");
}

}  // namespace gk::message
