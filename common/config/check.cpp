// SPDX-License-Identifier: MIT
#include "common/config/check.hpp"

#include "common/base/text.hpp"

namespace gk::config {

namespace {

std::string written_bound(const Setting& setting, std::int64_t bound) {
    if (setting.type == Type::Size) return text::format_size(static_cast<std::uint64_t>(bound));
    if (setting.type == Type::Duration) return written_duration(bound);
    return std::to_string(bound);
}

Status check_bounds(const Setting& setting, std::int64_t number) {
    if (number < setting.least)
        return fail(Errc::Config,
                    fmt::format("'{}' must be at least {}", setting.key, written_bound(setting, setting.least)));
    if (number > setting.most)
        return fail(Errc::Config,
                    fmt::format("'{}' must be at most {}", setting.key, written_bound(setting, setting.most)));
    return ok();
}

Status check_choice(const Setting& setting, const std::string& text) {
    const auto& choices = setting.choices;
    if (choices.empty() || std::find(choices.begin(), choices.end(), text) != choices.end()) return ok();
    std::string complaint = fmt::format("'{}' must be one of {}", setting.key, text::join(choices, ", "));
    if (const auto near = text::nearest(text, choices)) complaint += fmt::format("; did you mean '{}'?", *near);
    return fail(Errc::Config, std::move(complaint));
}

Result<Checked> from_number(const Setting& setting, std::int64_t number, std::string text) {
    GK_CHECK(check_bounds(setting, number));
    Checked checked;
    checked.number = number;
    checked.text = std::move(text);
    return checked;
}

Result<Checked> from_string(const Setting& setting, const std::string& text) {
    if (setting.type == Type::Size) {
        const auto bytes = text::to_size(text);
        if (!bytes || *bytes > static_cast<std::uint64_t>(INT64_MAX)) return fail(Errc::Config, wrong_type(setting));
        return from_number(setting, static_cast<std::int64_t>(*bytes), text);
    }
    if (setting.type == Type::Duration) {
        const auto seconds = text::to_duration_s(text);
        if (!seconds) return fail(Errc::Config, wrong_type(setting));
        return from_number(setting, *seconds, text);
    }
    if (setting.type != Type::String) return fail(Errc::Config, wrong_type(setting));
    if (text.find('\0') != std::string::npos || text.find('\n') != std::string::npos)
        return fail(Errc::Config, fmt::format("'{}' must be one line of text", setting.key));
    GK_CHECK(check_choice(setting, text));
    Checked checked;
    checked.text = text;
    return checked;
}

}  // namespace

std::string wrong_type(const Setting& setting) {
    std::string_view wanted;
    switch (setting.type) {
        case Type::Boolean: wanted = "true or false"; break;
        case Type::Integer: wanted = "a whole number"; break;
        case Type::Size: wanted = "a size, such as \"50MB\""; break;
        case Type::Duration: wanted = "a time span, such as \"5m\""; break;
        case Type::String: wanted = "a string in quotes"; break;
        case Type::StringList: wanted = "a list of strings, such as [\"a\", \"b\"]"; break;
        case Type::Table: wanted = "a table of names and strings"; break;
    }
    return fmt::format("'{}' must be {}", setting.key, wanted);
}

Result<Checked> check_scalar(const Setting& setting, const Scalar& value) {
    Checked checked;
    if (const bool* boolean = std::get_if<bool>(&value)) {
        if (setting.type != Type::Boolean) return fail(Errc::Config, wrong_type(setting));
        checked.boolean = *boolean;
        return checked;
    }
    if (const std::int64_t* number = std::get_if<std::int64_t>(&value)) {
        // A bare number is bytes for a size and seconds for a time span.
        if (setting.type != Type::Integer && setting.type != Type::Size && setting.type != Type::Duration)
            return fail(Errc::Config, wrong_type(setting));
        return from_number(setting, *number, std::to_string(*number));
    }
    if (const auto* text = std::get_if<std::string>(&value)) return from_string(setting, *text);
    if (const auto* list = std::get_if<std::vector<std::string>>(&value)) {
        if (setting.type != Type::StringList) return fail(Errc::Config, wrong_type(setting));
        for (const std::string& item : *list) GK_CHECK(check_choice(setting, item));
        checked.list = *list;
        return checked;
    }
    if (const auto* unusable = std::get_if<Unusable>(&value))
        return fail(Errc::Config, fmt::format("{}, not {}", wrong_type(setting), unusable->type));
    return fail(Errc::Config, wrong_type(setting));
}

Result<Checked> check_text(const Setting& setting, std::string_view text, char separator) {
    switch (setting.type) {
        case Type::Boolean:
            if (text != "true" && text != "false") return fail(Errc::Config, wrong_type(setting));
            return check_scalar(setting, text == "true");
        case Type::Integer: {
            const auto number = text::to_int(text);
            if (!number) return fail(Errc::Config, wrong_type(setting));
            return check_scalar(setting, *number);
        }
        case Type::StringList: {
            std::vector<std::string> items;
            for (const std::string_view item : text::split(text, separator))
                if (!text::trim(item).empty()) items.emplace_back(text::trim(item));
            return check_scalar(setting, items);
        }
        case Type::Table: return Checked{};
        default: return check_scalar(setting, std::string(text));
    }
}

bool is_section(std::string_view key) noexcept {
    for (const Setting& setting : settings())
        if (setting.key.size() > key.size() && setting.key.starts_with(key) && setting.key[key.size()] == '.')
            return true;
    return false;
}

std::string unknown(std::string_view key, bool is_table) {
    std::vector<std::string> candidates;
    for (const Setting& setting : settings()) {
        if (!is_table || setting.type == Type::Table) candidates.push_back(setting.key);
        if (is_table) candidates.push_back(setting.key.substr(0, setting.key.rfind('.')));
    }
    const std::string_view what = is_table ? "section" : "setting";
    std::string complaint = fmt::format("unknown {} '{}'", what, text::printable(key));
    if (const auto near = text::nearest(key, candidates)) complaint += fmt::format("; did you mean '{}'?", *near);
    return complaint;
}

}  // namespace gk::config
