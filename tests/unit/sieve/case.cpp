// SPDX-License-Identifier: MIT
#include "tests/unit/sieve/case.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "common/base/text.hpp"

namespace gk::sieve::testing {

namespace {

constexpr std::string_view kMessage =
    "Return-Path: <bob@example.com>\n"
    "Received: from mx.example.com by mx.example.org; Tue, 1 Apr 1997 09:06:31 -0800\n"
    "From: Bob Builder <bob@example.com>\n"
    "To: Ann <ann@example.org>, carl+lists@example.net\n"
    "Cc: dora@example.org\n"
    "Subject: Hello World\n"
    "Date: Tue, 1 Apr 1997 09:06:31 -0800\n"
    "Message-ID: <1@example.com>\n"
    "X-Number: 5\n"
    "\n"
    "This is the body.\n"
    "It has two lines.\n";

class Scripts : public Includes {
public:
    explicit Scripts(const Case& each) : case_(each) {}
    std::optional<std::string> find(Place place, std::string_view name) override {
        const auto at =
            case_.sections.find((place == Place::Global ? "include global " : "include ") + std::string(name));
        if (at == case_.sections.end()) return std::nullopt;
        return at->second;
    }

private:
    const Case& case_;
};

// "N" times "text": "repeat 1000 keep;" in a script stands for a thousand of them.
std::string expanded(const std::string& script) {
    std::string out;
    for (const std::string_view line : text::split(script, '\n')) {
        if (!line.starts_with("%repeat ")) {
            out.append(line).append("\n");
            continue;
        }
        const std::string_view rest = line.substr(8);
        const std::size_t space = rest.find(' ');
        const auto times = text::to_uint(rest.substr(0, space)).value_or(0);
        for (std::uint64_t i = 0; i < times; ++i)
            out += text::replace_all(rest.substr(space + 1), "%n", std::to_string(i));
        out += '\n';
    }
    if (!out.empty()) out.pop_back();
    return out;
}

}  // namespace

std::vector<Case> read_cases(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::vector<Case> cases;
    std::string* section = nullptr;
    std::string line;
    for (std::size_t number = 1; std::getline(in, line); ++number) {
        if (line.starts_with("== ")) {
            cases.push_back({path.substr(path.rfind('/') + 1), line.substr(3), number, {}, {}});
            section = nullptr;
        } else if (cases.empty()) {
            continue;  // comments in front
        } else if (line.starts_with("--- ")) {
            section = &cases.back().sections[line.substr(4)];
        } else if (section != nullptr) {
            *section += line + '\n';
        } else if (!line.empty()) {
            const std::size_t space = std::min(line.find(' '), line.size());
            cases.back().facts.emplace_back(line.substr(0, space), line.substr(std::min(space + 1, line.size())));
        }
    }
    for (Case& each : cases)
        for (auto& [name, value] : each.sections)
            if (name != "message")
                while (value.ends_with("\n\n") || value == "\n") value.pop_back();
    return cases;
}

std::optional<std::string> TestHost::metadata(std::string_view mailbox, std::string_view annotation) {
    const auto at = annotations.find(std::string(mailbox) + ' ' + std::string(annotation));
    if (at == annotations.end()) return std::nullopt;
    return at->second;
}

bool TestHost::special_use_exists(std::string_view mailbox, std::string_view attribute) {
    for (const auto& [name, use] : special_uses)
        if ((mailbox.empty() || name == mailbox) && text::equals_nocase(use, attribute)) return true;
    return false;
}

std::optional<std::string> TestHost::environment(std::string_view name) {
    const auto at = items.find(std::string(name));
    if (at == items.end()) return std::nullopt;
    return at->second;
}

std::optional<bool> TestHost::in_list(std::string_view list, std::string_view value) {
    const auto at = lists.find(std::string(list));
    if (at == lists.end()) return std::nullopt;
    return at->second.count(std::string(value)) > 0;
}

std::map<std::string, std::string> perform(const Case& each) {
    TestHost host;
    Scripts scripts(each);
    Dialect dialect;
    dialect.includes = &scripts;
    Facts facts;
    facts.reverse_path = "bob@example.com";
    facts.recipient = "ann@example.org";
    facts.own_addresses = {"ann@example.org"};
    facts.host_name = "mx.example.org", facts.domain = "example.org";
    facts.now_s = 1'796'032'800;  // 2026-11-30T10:00:00Z
    facts.zone_min = 60;
    bool runs_twice = false;
    for (const auto& [name, value] : each.facts) {
        if (name == "from") facts.reverse_path = value;
        else if (name == "to") facts.recipient = value;
        else if (name == "own") facts.own_addresses.push_back(value);
        else if (name == "name") facts.own_name = value;
        else if (name == "flags") {
            for (const auto word : text::words(value)) facts.flags.emplace_back(word);
        } else if (name == "delimiter") facts.subaddress_delimiter = value;
        else if (name == "remote") {
            facts.remote_host = std::string_view(value).substr(0, value.find(' '));
            facts.remote_ip = std::string_view(value).substr(value.find(' ') + 1);
        } else if (name == "now") facts.now_s = *text::to_int(value);
        else if (name == "mailbox") host.mailboxes.insert(value);
        else if (name == "metadata") {
            const auto equals = value.find('=');
            host.annotations[value.substr(0, equals)] = value.substr(equals + 1);
        } else if (name == "special-use")
            host.special_uses[value.substr(0, value.find(' '))] = value.substr(value.find(' ') + 1);
        else if (name == "environment")
            host.items[value.substr(0, value.find('='))] = value.substr(value.find('=') + 1);
        else if (name == "list") {
            auto& members = host.lists[value.substr(0, value.find(' '))];
            for (const auto word : text::words(std::string_view(value).substr(std::min(value.find(' '), value.size()))))
                members.emplace(word);
        } else if (name == "spam") host.spam = std::stod(value);
        else if (name == "virus") host.virus = std::stoi(value);
        else if (name == "without") dialect.extensions.set(value, false);
        else if (name == "twice") runs_twice = true;
        else if (name == "steps") dialect.limits.steps = *text::to_uint(value);
        else if (name == "nesting") dialect.limits.nesting = static_cast<std::uint32_t>(*text::to_uint(value));
        else ADD_FAILURE() << each.file << ':' << each.line << ": unknown fact " << name;
    }
    std::map<std::string, std::string> found;
    const auto at = each.sections.find("script");
    const auto script = compile(expanded(at == each.sections.end() ? "" : at->second), dialect);
    if (!script) {
        for (const Problem& problem : script.error())
            found["problems"] += problem.format().substr(problem.script.empty() ? 1 : 0) + '\n';
        return found;
    }
    const auto own = each.sections.find("message");
    const std::string message = own == each.sections.end() ? std::string(kMessage) : expanded(own->second);
    std::string& result = found["result"];
    Outcome outcome = run(**script, facts, message, host, dialect.limits);
    if (runs_twice) {
        for (const Remember& id : outcome.remember) host.ids.insert(id.id);
        outcome = run(**script, facts, message, host, dialect.limits);
    }
    for (const Action& action : outcome.actions) result += describe(action) + '\n';
    for (const std::string& remark : outcome.remarks) result += "remark: " + remark + '\n';
    if (!outcome.error.empty()) result += "error: " + outcome.error + '\n';
    if (!outcome.editions.empty()) {
        found["edited"] = outcome.editions.back().header;
        if (outcome.editions.back().body) found["body"] = *outcome.editions.back().body;
        // The boundary that enclose makes is another each time: cases show it without its id.
        constexpr std::string_view kBoundary = "gk-enclosed-";
        constexpr std::size_t kId = 20;
        for (auto& [section, text] : found)
            for (std::size_t id = 0; (id = text.find(kBoundary, id)) != std::string::npos; ++id)
                text.erase(id + kBoundary.size() - 1, kId + 1);
    }
    return found;
}

}  // namespace gk::sieve::testing
