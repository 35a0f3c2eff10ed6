// SPDX-License-Identifier: MIT
#include "common/events/record.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <boost/json.hpp>

#include "common/base/log.hpp"
#include "common/base/text.hpp"

namespace gk::events {

namespace {

namespace json = boost::json;
constexpr std::size_t kMaxLine = 256 * 1024;

std::string text_of(const json::value& value) {
    if (value.is_string()) return std::string(value.get_string());
    return json::serialize(value);
}

std::optional<json::object> parse_object(std::string_view line) {
    if (line.size() > kMaxLine || !line.starts_with('{')) return std::nullopt;
    boost::system::error_code error;
    auto value = json::parse(json::string_view(line.data(), line.size()), error);
    if (error || !value.is_object()) return std::nullopt;
    return std::move(value.get_object());
}

std::string_view level_of_priority(std::string_view priority) {
    const auto number = text::to_uint(priority).value_or(6);
    return number <= 3 ? "error" : number == 4 ? "warning" : number <= 6 ? "info" : "debug";
}

bool is_event_name(std::string_view s) {
    if (s.find('.') == std::string_view::npos) return false;
    for (const char c : s)
        if (!text::is_alpha(c) && !text::is_digit(c) && c != '.' && c != '_' && c != '-') return false;
    return true;
}

// `name a="quoted" b=12`, the form that base/log writes for people and the journal.
bool parse_message(std::string_view message, Record& record) {
    const std::size_t end = std::min(message.find(' '), message.size());
    if (!is_event_name(message.substr(0, end))) return false;
    record.event = message.substr(0, end);
    message.remove_prefix(end);
    while (!message.empty()) {
        message.remove_prefix(1);
        const std::size_t equals = message.find('=');
        if (equals == std::string_view::npos) return false;
        std::string name(message.substr(0, equals)), value;
        message.remove_prefix(equals + 1);
        std::size_t length = 0;
        if (message.starts_with('"')) {
            for (length = 1; length < message.size() && message[length] != '"'; ++length)
                if (message[length] == '\\') ++length;
            if (length >= message.size()) return false;
            ++length;
            boost::system::error_code error;
            const auto parsed = json::parse(json::string_view(message.data(), length), error);
            if (error || !parsed.is_string()) return false;
            value = parsed.get_string();
        } else {
            length = std::min(message.find(' '), message.size());
            value = message.substr(0, length);
        }
        record.fields.emplace_back(std::move(name), std::move(value));
        message.remove_prefix(length);
    }
    return true;
}

}  // namespace

std::string_view Record::field(std::string_view name) const noexcept {
    for (const auto& [key, value] : fields)
        if (key == name) return value;
    return {};
}

bool Record::has_field(std::string_view name) const noexcept {
    return std::any_of(fields.begin(), fields.end(), [&](const auto& field) { return field.first == name; });
}

std::optional<Record> parse_log_line(std::string_view line) {
    const auto object = parse_object(line);
    if (!object) return std::nullopt;
    Record record;
    for (const auto& [key, value] : *object) {
        if (key == "time") record.time = parse_rfc3339(text_of(value)).value_or(TimePoint{});
        else if (key == "level") record.level = text_of(value);
        else if (key == "program") record.program = text_of(value);
        else if (key == "pid") record.pid = text::to_int(text_of(value)).value_or(0);
        else if (key == "event") record.event = text_of(value);
        else record.fields.emplace_back(std::string(key), text_of(value));
    }
    if (record.event.empty() || record.time == TimePoint{}) return std::nullopt;
    record.json = line;
    return record;
}

std::optional<Record> parse_journal_line(std::string_view line) {
    const auto object = parse_object(line);
    if (!object) return std::nullopt;
    auto get = [&](std::string_view key) {
        const auto* value = object->if_contains(key);
        return value != nullptr ? text_of(*value) : std::string();
    };
    Record record;
    const auto usec = text::to_int(get("__REALTIME_TIMESTAMP"));
    if (!usec || !parse_message(get("MESSAGE"), record)) return std::nullopt;
    record.time = TimePoint(std::chrono::microseconds(*usec));
    record.level = level_of_priority(get("PRIORITY"));
    record.program = get("SYSLOG_IDENTIFIER");
    record.pid = text::to_int(get("_PID")).value_or(0);
    record.json = fmt::format("{{\"time\":\"{}\",\"level\":{},\"program\":{},\"pid\":{},\"event\":{}",
                              format_rfc3339(record.time, true), log::json_string(record.level),
                              log::json_string(record.program), record.pid, log::json_string(record.event));
    for (const auto& [name, value] : record.fields)
        record.json += fmt::format(",{}:{}", log::json_string(name), log::json_string(value));
    record.json += '}';
    return record;
}

bool matches_glob(std::string_view name, std::string_view pattern) noexcept {
    // Iterative, so that no pattern takes more than |name| times |pattern| steps.
    std::size_t n = 0, p = 0, star = std::string_view::npos, resume = 0;
    while (n < name.size()) {
        if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n]) && pattern[p] != '*') {
            ++n;
            ++p;
        } else if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            resume = n;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            n = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') ++p;
    return p == pattern.size();
}

}  // namespace gk::events
