// SPDX-License-Identifier: MIT
#include "common/imap/control.hpp"

#include <fmt/format.h>
#include <iterator>

#include "common/imap/fields.hpp"

namespace gk::imap {

namespace {

using Verb = Control::Verb;
constexpr std::pair<Verb, std::string_view> kVerbs[] = {
    {Verb::Front, "FRONT"}, {Verb::Sleep, "SLEEP"},   {Verb::Say, "SAY"},
    {Verb::Rouse, "ROUSE"}, {Verb::Asleep, "ASLEEP"}, {Verb::Awake, "AWAKE"},
    {Verb::Gone, "GONE"},   {Verb::Wake, "WAKE"},     {Verb::Release, "RELEASE"}};

}  // namespace

std::string format_control(const Control& c) {
    std::string line;
    for (const auto& [verb, name] : kVerbs)
        if (verb == c.verb) line = name;
    const auto add = [&](std::string_view key, std::string_view value) {
        if (!value.empty())
            fmt::format_to(std::back_inserter(line), "\t{}={}", key, text::percent_encode(std::string(value)));
    };
    const auto number = [&](std::string_view key, std::uint64_t value) {
        if (value != 0) fmt::format_to(std::back_inserter(line), "\t{}={}", key, value);
    };
    add("name", c.name);
    number("at", c.at);
    add("token", c.token);
    number("read", c.read);
    number("written", c.written);
    number("left", c.left_ms);
    add("text", c.text);
    if (c.end) line += "\tend=1";
    return line += '\n';
}

Result<Control> parse_control(std::string_view line) {
    const std::string_view word = line.substr(0, line.find('\t'));
    for (const auto& [verb, name] : kVerbs) {
        if (name != word) continue;
        Control c;
        c.verb = verb;
        bool numbers = true;
        const auto number = [&](const std::string& value) {
            const auto read = text::to_uint(value);
            numbers = numbers && read;
            return read.value_or(0);
        };
        const bool good = read_fields(line, word, [&](std::string_view key, std::string value) {
            if (key == "name") c.name = std::move(value);
            else if (key == "at") c.at = number(value);
            else if (key == "token") c.token = std::move(value);
            else if (key == "read") c.read = number(value);
            else if (key == "written") c.written = number(value);
            else if (key == "left") c.left_ms = number(value);
            else if (key == "text") c.text = std::move(value);
            else if (key == "end") c.end = value == "1";
        });
        const bool named = verb == Verb::Front ? !c.name.empty() : verb == Verb::Release || !c.token.empty();
        if (!good || !numbers || !named) break;
        return c;
    }
    return fail(Errc::BadInput, "malformed line about a sleeping session");
}

}  // namespace gk::imap
