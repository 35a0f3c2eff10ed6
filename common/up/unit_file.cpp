// SPDX-License-Identifier: MIT
#include "common/up/unit_file.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <cstdint>

#include "common/base/text.hpp"

namespace gk::up {

namespace {

// Far more than any unit has; a file that is no unit file ends here and not in memory.
constexpr std::size_t kMaxFile = 1 << 20;
constexpr std::size_t kMaxAssignments = 10'000;

struct Unit {
    std::string_view name;
    std::uint64_t usec;
};
constexpr Unit kUnits[] = {
    {"us", 1},
    {"usec", 1},
    {"ms", 1'000},
    {"msec", 1'000},
    {"s", 1'000'000},
    {"sec", 1'000'000},
    {"second", 1'000'000},
    {"seconds", 1'000'000},
    {"m", 60'000'000},
    {"min", 60'000'000},
    {"minute", 60'000'000},
    {"minutes", 60'000'000},
    {"h", 3'600'000'000},
    {"hr", 3'600'000'000},
    {"hour", 3'600'000'000},
    {"hours", 3'600'000'000},
    {"d", 86'400'000'000},
    {"day", 86'400'000'000},
    {"days", 86'400'000'000},
};

}  // namespace

Result<UnitFile> UnitFile::parse(std::string_view text, std::string name) {
    UnitFile file;
    file.name_ = std::move(name);
    if (text.size() > kMaxFile)
        return fail(Errc::BadInput, fmt::format("{}: longer than {} bytes", file.name_, kMaxFile));

    std::string section, joined;
    std::size_t line_number = 0;
    auto wrong = [&](std::string_view what) {
        return fail(Errc::BadInput, fmt::format("{}:{}: {}", file.name_, line_number, what));
    };
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        const std::string_view line = text::trim(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        ++line_number;
        // A comment between joined lines is skipped (systemd.syntax(7)).
        if (!line.empty() && (line[0] == '#' || line[0] == ';')) continue;
        joined += line;
        if (joined.ends_with('\\') && !text.empty()) {
            joined.back() = ' ';
            continue;
        }
        const std::string whole = std::exchange(joined, {});
        const std::string_view statement = text::trim(whole);
        if (statement.empty()) continue;
        if (statement.find('\0') != std::string_view::npos) return wrong("a NUL byte");
        if (statement[0] == '[') {
            if (!statement.ends_with(']') || statement.size() < 3)
                return wrong("a section begins with '[' and ends with ']'");
            section = statement.substr(1, statement.size() - 2);
            file.sections_.push_back(section);
            continue;
        }
        const std::size_t equals = statement.find('=');
        if (equals == std::string_view::npos || equals == 0)
            return wrong(fmt::format("no assignment: '{}'", text::printable(statement, 60)));
        if (section.empty()) return wrong("an assignment before the first section");
        if (file.assignments_.size() >= kMaxAssignments) return wrong("too many assignments");
        file.assignments_.push_back({section, std::string(text::trim(statement.substr(0, equals))),
                                     std::string(text::trim(statement.substr(equals + 1)))});
    }
    return file;
}

std::vector<std::string> UnitFile::all(std::string_view section, std::string_view key) const {
    std::vector<std::string> values;
    for (const auto& a : assignments_) {
        if (a.section != section || a.key != key) continue;
        if (a.value.empty()) values.clear();
        else values.push_back(a.value);
    }
    return values;
}

std::optional<std::string> UnitFile::find(std::string_view section, std::string_view key) const {
    auto values = all(section, key);
    if (values.empty()) return std::nullopt;
    return std::move(values.back());
}

std::vector<std::string> UnitFile::words(std::string_view section, std::string_view key) const {
    std::vector<std::string> out;
    for (const auto& value : all(section, key))
        for (const auto word : text::words(value)) out.emplace_back(word);
    return out;
}

bool UnitFile::has_section(std::string_view section) const {
    return std::find(sections_.begin(), sections_.end(), section) != sections_.end();
}

std::optional<std::uint64_t> parse_time_span(std::string_view s) {
    s = text::trim(s);
    if (s == "infinity") return UINT64_MAX;
    if (s.empty()) return std::nullopt;
    std::uint64_t total = 0;
    while (!s.empty()) {
        std::size_t digits = 0;
        while (digits < s.size() && text::is_digit(s[digits])) ++digits;
        const auto number = text::to_uint(s.substr(0, digits));
        if (!number) return std::nullopt;
        s.remove_prefix(digits);
        s = text::trim(s);
        std::size_t letters = 0;
        while (letters < s.size() && text::is_alpha(s[letters])) ++letters;
        std::uint64_t factor = 1'000'000;  // a bare number is seconds
        if (letters > 0) {
            const auto unit = std::find_if(std::begin(kUnits), std::end(kUnits),
                                           [&](const Unit& u) { return u.name == s.substr(0, letters); });
            if (unit == std::end(kUnits)) return std::nullopt;
            factor = unit->usec;
        }
        std::uint64_t part = 0;
        if (__builtin_mul_overflow(*number, factor, &part) || __builtin_add_overflow(total, part, &total))
            return std::nullopt;
        s = text::trim(s.substr(letters));
    }
    return total;
}

std::optional<std::vector<std::string>> split_command(std::string_view s) {
    std::vector<std::string> words;
    std::string word;
    bool in_word = false;
    char quote = 0;
    for (std::size_t i = 0; i < s.size(); ++i) {
        const char c = s[i];
        if (c == '\\') {
            if (++i == s.size()) return std::nullopt;
            word += s[i];
            in_word = true;
        } else if (quote != 0) {
            if (c == quote) quote = 0;
            else word += c;
        } else if (c == '"' || c == '\'') {
            quote = c;
            in_word = true;
        } else if (text::is_space(c)) {
            if (in_word) words.push_back(std::exchange(word, {}));
            in_word = false;
        } else {
            word += c;
            in_word = true;
        }
    }
    if (quote != 0) return std::nullopt;
    if (in_word) words.push_back(std::move(word));
    return words;
}

}  // namespace gk::up
